// Rewrites the records of an earlier release in the current format of a table's log. Network thread.

import { BatchBuilder } from '../../protocol/batch/build.ts'
import type { RecordFormat, TableProducer } from '../record-format.ts'
import type { OldRecord } from './replay.ts'
import type { TableState } from './table-state.ts'

/** Records per batch. */
const RECORDS_MAX = 1000

/**
 * Batches that delete the old records and hold their values under the new keys: a start that dies between two of them
 * leaves the other records unchanged. A pending value stays pending, in its producer's transaction if that is known.
 */
export function* migratingBatches<Key extends string, Value>(
  old: readonly OldRecord<Key>[],
  state: TableState<Key, Value>,
  format: RecordFormat<Key, Value>,
  timestamp: number,
): Generator<Uint8Array> {
  for (const [producer, records] of byProducer(old)) {
    const isPending = producer !== undefined && producer.producerEpoch >= 0
    for (let i = 0; i < records.length; i += RECORDS_MAX) {
      const batch = new BatchBuilder()
      for (const { key, rawKey } of records.slice(i, i + RECORDS_MAX)) {
        const value = producer ? state.pendingValue(producer.producerId, key) : state.get(key)
        const isGone = value === undefined || (producer !== undefined && !isPending)
        batch.append({ timestamp, key: rawKey, value: null })
        if (!isGone) batch.append({ timestamp, ...format.encode(key, value) })
      }
      yield batch.finish(isPending ? { ...producer, isTransactional: true } : {})
    }
  }
}

function byProducer<Key extends string>(
  old: readonly OldRecord<Key>[],
): Iterable<[TableProducer | undefined, OldRecord<Key>[]]> {
  const groups = new Map<number | undefined, OldRecord<Key>[]>()
  for (const record of old) {
    const id = record.producer?.producerId
    const group = groups.get(id)
    if (group) group.push(record)
    else groups.set(id, [record])
  }
  return Array.from(groups.values(), (records) => [records[0]!.producer, records])
}
