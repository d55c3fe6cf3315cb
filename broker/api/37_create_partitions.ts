// CreatePartitions: adds partitions to topics; `count` is the new total (KIP-195).
// Versions: 0-3
// Behaviour: every topic has its own outcome; with validateOnly all checks are done and nothing else. New
// partitions count for controller_mutation_rate.

import {
  createPartitions,
  type CreatePartitionsRequest,
  type CreatePartitionsResponse,
} from '../../protocol/api/37_create_partitions.ts'
import { errorCodeOf, KafkaError } from '../../protocol/errors.ts'
import type { Store, Topic } from '../../storage/store.ts'
import { doneAmong } from '../auth/audit.ts'
import { refuseInternal } from '../internal-topics.ts'
import type { Handler } from '../handler.ts'
import type { Throttling } from '../quota/throttling.ts'

/** Clients of older versions do not know THROTTLING_QUOTA_EXCEEDED (KIP-599). */
const QUOTA_VERSION_MIN = 3

type RequestTopic = CreatePartitionsRequest['topics'][number]
type TopicAnswer = CreatePartitionsResponse['results'][number]

interface CreatePartitionsDeps {
  readonly store: Store
  readonly throttling: Throttling
}

export function createPartitionsHandler({
  store,
  throttling,
}: CreatePartitionsDeps): Handler<typeof createPartitions> {
  return {
    api: createPartitions,
    async handle({ topics, validateOnly }, context) {
      const { work, version } = context
      const claim = (count: number) =>
        throttling.mutates(context, count, version >= QUOTA_VERSION_MIN)
      const twice = await work.duplicatesIn(namesOf(topics))
      const results = await work.each(topics, (topic) => {
        const mayBegin = () => {
          if (twice.has(topic.name))
            throw new KafkaError('INVALID_REQUEST', 'the topic is named twice')
          context.require('Alter', 'Topic', topic.name)
        }
        return answerFor(store, topic, { mayBegin, claim }, validateOnly)
      })
      if (!validateOnly)
        context.changed(
          'partitions added',
          doneAmong(results, ({ name }) => name),
        )
      return { results }
    },
    refuse: ({ topics }, code) => ({
      results: topics.map(({ name }) => ({ name, errorCode: code })),
    }),
  }
}

function* namesOf(topics: readonly RequestTopic[]): Iterable<string> {
  for (const { name } of topics) yield name
}

interface Terms {
  /** @throws {KafkaError} the client may not change the topic, or names it twice */
  readonly mayBegin: () => void
  /** @throws {KafkaError} THROTTLING_QUOTA_EXCEEDED */
  readonly claim: (partitionCount: number) => void
}

async function answerFor(
  store: Store,
  asked: RequestTopic,
  { mayBegin, claim }: Terms,
  validateOnly: boolean,
): Promise<TopicAnswer> {
  const { name, count } = asked
  try {
    mayBegin()
    claim(count - checkTopic(store, asked).partitionCount)
    if (!validateOnly) await store.topics.addPartitions(name, count)
    return { name, errorCode: 0 }
  } catch (error) {
    if (!(error instanceof KafkaError)) throw error
    return { name, errorCode: errorCodeOf(error), errorMessage: error.reason }
  }
}

/** @throws {KafkaError} a topic, a number of partitions or an assignment that does not allow it */
function checkTopic(store: Store, { name, count, assignments }: RequestTopic): Topic {
  const topic = store.topics.get(name)
  if (topic === undefined)
    throw new KafkaError('UNKNOWN_TOPIC_OR_PARTITION', `no topic ${name.slice(0, 256)}`)
  refuseInternal('CreatePartitions', name)
  if (count <= topic.partitionCount) {
    throw new KafkaError(
      'INVALID_PARTITIONS',
      `${count} partitions, there are ${topic.partitionCount}`,
    )
  }
  if (assignments === null) return topic
  const isOurs = assignments.every(
    ({ brokerIds }) => brokerIds.length === 1 && brokerIds[0] === store.nodeId,
  )
  if (!isOurs || assignments.length !== count - topic.partitionCount) {
    const message = `want each new partition on node ${store.nodeId}`
    throw new KafkaError('INVALID_REPLICA_ASSIGNMENT', message)
  }
  return topic
}
