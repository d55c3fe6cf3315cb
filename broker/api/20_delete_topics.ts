// DeleteTopics: deletes topics by name, or from version 6 on by id (KIP-516). The name is free when the answer goes out.
// Versions: 1-6
// Behaviour: every topic has its own outcome; `delete.topic.enable=false` refuses all. The group coordinator hears of a deleted
// topic from the store, and drops its committed offsets before the answer. Deleted partitions count for
// controller_mutation_rate.

import {
  deleteTopics,
  type DeleteTopicsRequest,
  type DeleteTopicsResponse,
} from '../../protocol/api/20_delete_topics.ts'
import { errorCode, errorCodeOf, KafkaError } from '../../protocol/errors.ts'
import { UUID_ZERO, type Uuid } from '../../protocol/ids.ts'
import type { Store, Topic } from '../../storage/store.ts'
import { doneAmong } from '../auth/audit.ts'
import type { BrokerConfig } from '../config.ts'
import { refuseInternal } from '../internal-topics.ts'
import type { Handler, RequestContext } from '../handler.ts'
import type { Throttling } from '../quota/throttling.ts'

/** Clients of older versions do not know TOPIC_DELETION_DISABLED (KIP-322). */
const DISABLED_VERSION_MIN = 3
/** Clients of older versions do not know THROTTLING_QUOTA_EXCEEDED (KIP-599). */
const QUOTA_VERSION_MIN = 5

type TopicAnswer = DeleteTopicsResponse['responses'][number]

interface RequestTopic {
  readonly name: string | null
  readonly topicId: Uuid
}

interface DeleteTopicsDeps {
  readonly store: Store
  readonly config: BrokerConfig
  readonly throttling: Throttling
}

export function deleteTopicsHandler(deps: DeleteTopicsDeps): Handler<typeof deleteTopics> {
  return {
    api: deleteTopics,
    async handle(request, context) {
      const { version, work } = context
      if (!deps.config['delete.topic.enable']) throw disabled(version)
      const isAllAllowed = context.allowsOnClusterSilently('Delete')
      const twice = await work.duplicatesIn(existing(deps.store, request))
      const claim = (topic: Topic) =>
        deps.throttling.mutates(context, topic.partitionCount, version >= QUOTA_VERSION_MIN)
      const responses = await work.each(topicsIn(request), (asked) => {
        const refusal = isAllAllowed ? undefined : deniedAnswer(deps.store, asked, context)
        return refusal ?? answerFor(deps.store, asked, twice, claim)
      })
      context.changed(
        'topics deleted',
        doneAmong(responses, ({ name }) => name!),
      )
      return { responses }
    },
    refuse: (request, code) => ({
      responses: Array.from(topicsIn(request), (asked) => ({ ...asked, errorCode: code })),
    }),
  }
}

function disabled(version: number): KafkaError {
  const code = version < DISABLED_VERSION_MIN ? 'INVALID_REQUEST' : 'TOPIC_DELETION_DISABLED'
  return new KafkaError(code, 'delete.topic.enable is false')
}

function* topicsIn({ topics, topicNames }: DeleteTopicsRequest): Iterable<RequestTopic> {
  yield* topics
  for (const name of topicNames) yield { name, topicId: UUID_ZERO }
}

/** Names of the topics in the request; undefined for a topic that does not exist. */
function* existing(store: Store, request: DeleteTopicsRequest): Iterable<string | undefined> {
  for (const asked of topicsIn(request)) yield topicOf(store, asked)?.name
}

async function answerFor(
  store: Store,
  asked: RequestTopic,
  twice: ReadonlySet<string | undefined>,
  claim: (topic: Topic) => void,
): Promise<TopicAnswer> {
  try {
    const topic = requireTopic(store, asked)
    const { name, id } = topic
    if (twice.has(name)) throw new KafkaError('INVALID_REQUEST', 'the topic is named twice')
    claim(topic)
    await store.topics.delete(name)
    return { name, topicId: id, errorCode: 0 }
  } catch (error) {
    if (!(error instanceof KafkaError)) throw error
    return { ...asked, errorCode: errorCodeOf(error), errorMessage: error.reason }
  }
}

/** A client that may not describe a topic learns neither the name that an id has, nor whether a name exists. */
function deniedAnswer(
  store: Store,
  asked: RequestTopic,
  context: RequestContext,
): TopicAnswer | undefined {
  const topic = topicOf(store, asked)
  const name = topic?.name ?? asked.name
  if (name === null) return undefined
  const refused = { ...asked, errorCode: errorCode('TOPIC_AUTHORIZATION_FAILED') }
  if (!context.allows('Describe', 'Topic', name)) return refused
  if (topic === undefined || context.allows('Delete', 'Topic', name)) return undefined
  return { ...refused, name, topicId: topic.id }
}

/** @throws {KafkaError} UNKNOWN_TOPIC_OR_PARTITION, UNKNOWN_TOPIC_ID, INVALID_REQUEST, INVALID_TOPIC_EXCEPTION */
function requireTopic(store: Store, asked: RequestTopic): Topic {
  const { name, topicId } = asked
  if ((name === null) === (topicId === UUID_ZERO)) {
    throw new KafkaError('INVALID_REQUEST', 'want either a name or a topic id')
  }
  const topic = topicOf(store, asked)
  if (topic === undefined) {
    const code = name === null ? 'UNKNOWN_TOPIC_ID' : 'UNKNOWN_TOPIC_OR_PARTITION'
    throw new KafkaError(code, `no topic ${(name ?? topicId).slice(0, 256)}`)
  }
  refuseInternal('DeleteTopics', topic.name)
  return topic
}

function topicOf({ topics }: Store, { name, topicId }: RequestTopic): Topic | undefined {
  return name === null ? topics.getById(topicId) : topics.get(name)
}
