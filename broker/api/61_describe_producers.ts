// DescribeProducers: the producers with an id that wrote to a partition, and their open transactions there (KIP-664).
// Versions: 0

import {
  describeProducers,
  type DescribeProducersResponse,
} from '../../protocol/api/61_describe_producers.ts'
import { errorCode, errorCodeOf, KafkaError } from '../../protocol/errors.ts'
import type { Store } from '../../storage/store.ts'
import type { Handler } from '../handler.ts'

type PartitionAnswer = DescribeProducersResponse['topics'][number]['partitions'][number]

export function describeProducersHandler({
  store,
}: {
  readonly store: Store
}): Handler<typeof describeProducers> {
  return {
    api: describeProducers,
    async handle(request, context) {
      const { work } = context
      const topics = await work.each(request.topics, async ({ name, partitionIndexes }) => {
        const isAllowed = context.allows('Read', 'Topic', name)
        return {
          name,
          partitions: await work.each(partitionIndexes, (index) =>
            isAllowed
              ? answerFor(store, name, index)
              : failed(index, errorCode('TOPIC_AUTHORIZATION_FAILED')),
          ),
        }
      })
      return { topics }
    },
    refuse: ({ topics }, code) => ({
      topics: topics.map(({ name, partitionIndexes }) => ({
        name,
        partitions: partitionIndexes.map((partitionIndex) => failed(partitionIndex, code)),
      })),
    }),
  }
}

async function answerFor(
  store: Store,
  topic: string,
  partitionIndex: number,
): Promise<PartitionAnswer> {
  const log = store.logs.get(topic, partitionIndex)
  if (log === undefined) return failed(partitionIndex, errorCode('UNKNOWN_TOPIC_OR_PARTITION'))
  try {
    const producers = await store.writer.producersOf(log)
    const activeProducers = producers.map(({ lastTimestampMs, ...producer }) => ({
      ...producer,
      lastTimestamp: lastTimestampMs,
    }))
    return { partitionIndex, errorCode: 0, activeProducers }
  } catch (error) {
    if (error instanceof KafkaError) return failed(partitionIndex, errorCodeOf(error))
    throw error
  }
}

function failed(partitionIndex: number, code: number): PartitionAnswer {
  return { partitionIndex, errorCode: code, activeProducers: [] }
}
