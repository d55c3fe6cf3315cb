// Metadata: the one node, and topics with their partitions.
// Versions: 0-13
// Behaviour: null topics (v0: none) are all topics; a topic asked for by name is created where that is allowed, and
// is in this very answer. The node's address is the one that the client dialled. The broker's own metadata topic is told
// only to who asks for it by name, as Apache Kafka's is.

import {
  metadata,
  type MetadataRequest,
  type MetadataResponse,
} from '../../protocol/api/03_metadata.ts'
import { errorCode, errorCodeOf, KafkaError } from '../../protocol/errors.ts'
import { UUID_ZERO, type Uuid } from '../../protocol/ids.ts'
import type { Store, Topic } from '../../storage/store.ts'
import type { BrokerConfig } from '../config.ts'
import { endpointFor } from '../endpoint.ts'
import type { Handler, RequestContext } from '../net/handler.ts'
import { clusterOperations, topicOperations } from '../operations.ts'
import { checkTopicName, isReservedName, METADATA_TOPIC } from '../../storage/topic-name.ts'

type TopicAnswer = MetadataResponse['topics'][number]

interface MetadataDeps {
  readonly store: Store
  readonly config: BrokerConfig
}

export function metadataHandler(deps: MetadataDeps): Handler<typeof metadata> {
  return {
    api: metadata,
    async handle(request, context) {
      const topics: TopicAnswer[] = []
      if (asksForAll(request, context)) {
        for (const topic of deps.store.topics.list()) {
          if (topic.name !== METADATA_TOPIC) topics.push(found(deps, topic, request))
        }
      } else {
        for (const { name, topicId } of request.topics!) {
          topics.push(await answerFor(deps, name, topicId, request))
        }
      }
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

function asksForAll({ topics }: MetadataRequest, { version }: RequestContext): boolean {
  return topics === null || (version === 0 && topics.length === 0)
}

function answerOf(
  { store, config }: MetadataDeps,
  { peer }: RequestContext,
  topics: TopicAnswer[],
  request: MetadataRequest,
): MetadataResponse {
  return {
    brokers: [{ nodeId: store.nodeId, ...endpointFor(config['advertised.listeners'], peer) }],
    clusterId: store.clusterId,
    controllerId: store.nodeId,
    topics,
    clusterAuthorizedOperations: clusterOperations(request.includeClusterAuthorizedOperations),
  }
}

async function answerFor(
  deps: MetadataDeps,
  name: string | null,
  topicId: Uuid,
  request: MetadataRequest,
): Promise<TopicAnswer> {
  const { topics } = deps.store
  if (topicId !== UUID_ZERO) {
    const topic = topics.getById(topicId)
    return topic === undefined
      ? missing(null, topicId, errorCode('UNKNOWN_TOPIC_ID'))
      : found(deps, topic, request)
  }
  if (name === null) return missing('', UUID_ZERO, errorCode('INVALID_TOPIC_EXCEPTION'))
  try {
    const topic = topics.get(name) ?? (await create(deps, name, request.allowAutoTopicCreation))
    if (topic === undefined)
      return missing(name, UUID_ZERO, errorCode('UNKNOWN_TOPIC_OR_PARTITION'))
    return found(deps, topic, request)
  } catch (error) {
    if (error instanceof KafkaError) return missing(name, UUID_ZERO, errorCodeOf(error))
    throw error
  }
}

/** @returns undefined when topics do not come into being by themselves. @throws {KafkaError} INVALID_TOPIC_EXCEPTION */
async function create(
  { store, config }: MetadataDeps,
  name: string,
  isAllowed: boolean,
): Promise<Topic | undefined> {
  checkTopicName(name)
  if (!isAllowed || !config['auto.create.topics.enable'] || isReservedName(name)) return undefined
  try {
    return await store.topics.create({ name, partitionCount: config['num.partitions'] })
  } catch (error) {
    const another = error instanceof KafkaError && error.code === 'TOPIC_ALREADY_EXISTS'
    if (another) return store.topics.get(name)
    throw error
  }
}

function missing(name: string | null, topicId: Uuid, code: number): TopicAnswer {
  return { errorCode: code, name, topicId, partitions: [] }
}

function found({ store }: MetadataDeps, topic: Topic, request: MetadataRequest): TopicAnswer {
  const nodes = [store.nodeId]
  const partitions = Array.from({ length: topic.partitionCount }, (_, partitionIndex) => ({
    errorCode: 0,
    partitionIndex,
    leaderId: store.nodeId,
    leaderEpoch: store.log(topic.name, partitionIndex)?.leaderEpoch ?? -1,
    replicaNodes: nodes,
    isrNodes: nodes,
  }))
  return {
    errorCode: 0,
    name: topic.name,
    topicId: topic.id,
    isInternal: topic.isInternal,
    partitions,
    topicAuthorizedOperations: topicOperations(request.includeTopicAuthorizedOperations),
  }
}
