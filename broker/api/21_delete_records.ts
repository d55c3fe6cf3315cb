// DeleteRecords: moves the log start offset of partitions, below which records are gone.
// Versions: 0-2
// Behaviour: offset -1 means the high watermark. A topic whose cleanup.policy has no "delete" refuses.

import { deleteRecords, type DeleteRecordsResponse } from '../../protocol/api/21_delete_records.ts'
import { errorCode, errorCodeOf, KafkaError } from '../../protocol/errors.ts'
import { Offset } from '../../protocol/ids.ts'
import type { Store } from '../../storage/store.ts'
import { doneAmong } from '../auth/audit.ts'
import { refuseInternal } from '../internal-topics.ts'
import type { Handler } from '../handler.ts'

const HIGH_WATERMARK = -1

type PartitionAnswer = DeleteRecordsResponse['topics'][number]['partitions'][number]

export function deleteRecordsHandler({
  store,
}: {
  readonly store: Store
}): Handler<typeof deleteRecords> {
  return {
    api: deleteRecords,
    async handle(request, context) {
      const { work } = context
      const topics = await work.each(request.topics, async ({ name, partitions }) => {
        const isAllowed = context.allows('Delete', 'Topic', name)
        return {
          name,
          partitions: await work.each(partitions, ({ partitionIndex, offset }) =>
            isAllowed
              ? answerFor(store, name, partitionIndex, offset)
              : failed(partitionIndex, errorCode('TOPIC_AUTHORIZATION_FAILED')),
          ),
        }
      })
      const done = topics.flatMap(({ name, partitions }) =>
        doneAmong(partitions, ({ partitionIndex }) => `${name}-${partitionIndex}`),
      )
      context.changed('records deleted', done)
      return { topics }
    },
    refuse: ({ topics }, code) => ({
      topics: topics.map(({ name, partitions }) => {
        return {
          name,
          partitions: partitions.map(({ partitionIndex }) => failed(partitionIndex, code)),
        }
      }),
    }),
  }
}

async function answerFor(
  store: Store,
  name: string,
  partitionIndex: number,
  offset: number,
): Promise<PartitionAnswer> {
  try {
    const lowWatermark = await trim(store, name, partitionIndex, offset)
    return { partitionIndex, lowWatermark, errorCode: 0 }
  } catch (error) {
    if (error instanceof KafkaError) return failed(partitionIndex, errorCodeOf(error))
    throw error
  }
}

/** @throws {KafkaError} a partition, a policy or an offset that does not allow it; what the store refuses */
async function trim(
  store: Store,
  name: string,
  partitionIndex: number,
  offset: number,
): Promise<Offset> {
  const log = store.logs.get(name, partitionIndex)
  if (log === undefined)
    throw new KafkaError('UNKNOWN_TOPIC_OR_PARTITION', `${name}-${partitionIndex}`)
  refuseInternal('DeleteRecords', name)
  if (!log.config['cleanup.policy'].includes('delete')) {
    throw new KafkaError('POLICY_VIOLATION', `cleanup.policy of ${name} has no "delete"`)
  }
  const before = offset === HIGH_WATERMARK ? log.highWatermark : offset
  if (before < 0 || before > log.highWatermark) {
    throw new KafkaError(
      'OFFSET_OUT_OF_RANGE',
      `offset ${before}, the high watermark is ${log.highWatermark}`,
    )
  }
  return before <= log.logStartOffset
    ? log.logStartOffset
    : store.writer.deleteRecordsBefore(log, Offset(before))
}

function failed(partitionIndex: number, code: number): PartitionAnswer {
  return { partitionIndex, lowWatermark: -1, errorCode: code }
}
