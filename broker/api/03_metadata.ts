// Metadata: the one node, and topics with their partitions.
// Versions: 0-13
// Behaviour: null topics (v0: none) mean all topics. A topic that the request names is created where that is allowed, and this
// answer has it already; each topic is in the answer once. The node's address is that of the listener that the client dialled.
// The broker's metadata topic is in the answer only where the request names it, as in Apache Kafka.

import {
  metadata,
  type MetadataRequest,
  type MetadataResponse,
} from '../../protocol/api/03_metadata.ts'
import { errorCode, errorCodeOf, KafkaError } from '../../protocol/errors.ts'
import { UUID_ZERO, type Uuid } from '../../protocol/ids.ts'
import type { Store, Topic } from '../../storage/store.ts'
import type { BrokerConfig } from '../config.ts'
import type { Handler, RequestContext } from '../handler.ts'
import type { Work } from '../work.ts'
import { partitionClaims } from '../partition-claims.ts'
import { checkTopicName, isReservedName, METADATA_TOPIC } from '../../storage/topic-name.ts'

/** A request of this version may name topics by id (KIP-516). */
const IDS_VERSION_MIN = 12

type RequestTopic = NonNullable<MetadataRequest['topics']>[number]
type TopicAnswer = MetadataResponse['topics'][number]

interface MetadataDeps {
  readonly store: Store
  readonly config: BrokerConfig
}

export function metadataHandler(deps: MetadataDeps): Handler<typeof metadata> {
  return {
    api: metadata,
    async handle(request, context) {
      const { work, version } = context
      if (asksForAll(request, context)) {
        const shown = context.visible(listed(deps.store), 'Topic', ({ name }) => name)
        const topics = await work.each(shown, (topic) => found(deps, topic, request, context))
        return answerOf(deps, context, topics, request)
      }
      const asked = await distinct(request.topics!, work)
      if (version < IDS_VERSION_MIN) checkNames(asked.values(), version)
      const refusals = await createMissing(deps, asked.values(), request, context)
      const topics = await work.each(asked.values(), (each) =>
        answerFor(deps, each, refusals, request, context),
      )
      return answerOf(deps, context, topics, request)
    },
    refuse(request, code, context) {
      const topics = (request.topics ?? []).map(({ name, topicId }) =>
        missing(name ?? '', topicId, code),
      )
      return { ...answerOf(deps, context, topics, request), errorCode: code }
    },
  }
}

function* listed({ topics }: Store): Iterable<Topic> {
  for (const topic of topics.list()) if (topic.name !== METADATA_TOPIC) yield topic
}

/** Each topic once, as in Apache Kafka. */
async function distinct(
  topics: readonly RequestTopic[],
  work: Work,
): Promise<Map<string, RequestTopic>> {
  const asked = new Map<string, RequestTopic>()
  await work.forEach(topics, (each) => {
    const { name, topicId } = each
    const key = topicId === UUID_ZERO ? `name ${name}` : `id ${topicId}`
    if (!asked.has(key)) asked.set(key, each)
  })
  return asked
}

/** Versions 10 and 11 can ask by id or null name, but cannot answer that. @throws {KafkaError} INVALID_REQUEST, as Apache Kafka */
function checkNames(asked: Iterable<RequestTopic>, version: number): void {
  for (const { name, topicId } of asked) {
    if (name === null || topicId !== UUID_ZERO)
      throw new KafkaError('INVALID_REQUEST', `version ${version} asks for topics by name only`)
  }
}

function asksForAll({ topics }: MetadataRequest, { version }: RequestContext): boolean {
  return topics === null || (version === 0 && topics.length === 0)
}

function answerOf(
  { store }: MetadataDeps,
  context: RequestContext,
  topics: TopicAnswer[],
  request: MetadataRequest,
): MetadataResponse {
  return {
    brokers: [{ nodeId: store.nodeId, ...context.session.endpoint }],
    clusterId: store.clusterId,
    controllerId: store.nodeId,
    topics,
    clusterAuthorizedOperations: context.clusterMask(request.includeClusterAuthorizedOperations),
  }
}

/**
 * Creates the topics that do not exist, all together, where that is allowed. A topic that exists now and is deleted meanwhile
 * is not created again.
 *
 * @returns why a topic was not created, by name
 */
async function createMissing(
  deps: MetadataDeps,
  asked: Iterable<RequestTopic>,
  { allowAutoTopicCreation }: MetadataRequest,
  context: RequestContext,
): Promise<ReadonlyMap<string, number>> {
  const refusals = new Map<string, number>()
  if (!allowAutoTopicCreation || !deps.config['auto.create.topics.enable']) return refusals
  const { work } = context
  const { topics } = deps.store
  const names: string[] = []
  const isAllAllowed = context.allowsOnClusterSilently('Create')
  await work.forEach(asked, ({ name, topicId }) => {
    const isUnknown = name !== null && topicId === UUID_ZERO && topics.get(name) === undefined
    if (!isUnknown || isReservedName(name) || !context.allowsSilently('Describe', 'Topic', name))
      return
    if (isAllAllowed || context.allows('Create', 'Topic', name)) names.push(name)
    else refusals.set(name, errorCode('TOPIC_AUTHORIZATION_FAILED'))
  })
  const claim = partitionClaims()
  const created: string[] = []
  await work.each(names, (name) => {
    const refused = (error: unknown): undefined => {
      if (!(error instanceof KafkaError)) throw error
      if (error.code !== 'TOPIC_ALREADY_EXISTS') refusals.set(name, errorCodeOf(error))
    }
    try {
      const spec = { name, partitionCount: deps.config['num.partitions'] }
      checkTopicName(name)
      claim(spec.partitionCount)
      return topics.create(spec).then(() => void created.push(name), refused)
    } catch (error) {
      return refused(error)
    }
  })
  context.changed('topics created', created)
  return refusals
}

function answerFor(
  deps: MetadataDeps,
  { name, topicId }: RequestTopic,
  refusals: ReadonlyMap<string, number>,
  request: MetadataRequest,
  context: RequestContext,
): TopicAnswer {
  const { topics } = deps.store
  const isDenied = (topic: string) => !context.allows('Describe', 'Topic', topic)
  const denied = errorCode('TOPIC_AUTHORIZATION_FAILED')
  if (topicId !== UUID_ZERO) {
    const topic = topics.getById(topicId)
    if (topic === undefined) return missing(null, topicId, errorCode('UNKNOWN_TOPIC_ID'))
    if (isDenied(topic.name)) return missing(null, topicId, denied)
    return found(deps, topic, request, context)
  }
  if (name === null) return missing('', UUID_ZERO, errorCode('INVALID_TOPIC_EXCEPTION'))
  if (isDenied(name)) return missing(name, UUID_ZERO, denied)
  const topic = topics.get(name)
  if (topic !== undefined) return found(deps, topic, request, context)
  const refusal = refusals.get(name)
  if (refusal !== undefined) return missing(name, UUID_ZERO, refusal)
  const unknown = missing(name, UUID_ZERO, codeOfUnknown(name))
  return { ...unknown, topicAuthorizedOperations: maskOf(name, request, context) }
}

/** As in Apache Kafka, a topic that does not exist has one, too. */
function maskOf(topic: string, request: MetadataRequest, context: RequestContext): number {
  return context.mask(request.includeTopicAuthorizedOperations, 'Topic', topic)
}

function codeOfUnknown(name: string): number {
  try {
    checkTopicName(name)
    return errorCode('UNKNOWN_TOPIC_OR_PARTITION')
  } catch (error) {
    return errorCodeOf(error)
  }
}

function missing(name: string | null, topicId: Uuid, code: number): TopicAnswer {
  return { errorCode: code, name, topicId, partitions: [] }
}

function found(
  { store }: MetadataDeps,
  topic: Topic,
  request: MetadataRequest,
  context: RequestContext,
): TopicAnswer {
  const nodes = [store.nodeId]
  const partitions = Array.from({ length: topic.partitionCount }, (_, partitionIndex) => ({
    errorCode: 0,
    partitionIndex,
    leaderId: store.nodeId,
    leaderEpoch: store.logs.get(topic.name, partitionIndex)?.leaderEpoch ?? -1,
    replicaNodes: nodes,
    isrNodes: nodes,
  }))
  return {
    errorCode: 0,
    name: topic.name,
    topicId: topic.id,
    isInternal: topic.isInternal,
    partitions,
    topicAuthorizedOperations: maskOf(topic.name, request, context),
  }
}
