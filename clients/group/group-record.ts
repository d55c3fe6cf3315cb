// Group records: the records that a member gives for those that it fetched, and the key that orders them in `run`.

import type { Fetched } from '../consumer/fetcher.ts'
import { fieldOf, type Delivery } from '../consumer/record-stream.ts'
import { partitionText, type ConsumerRecord } from '../topic.ts'
import type { GroupRecord } from './group-options.ts'

/** One literal, because properties added later double the cost of a record. @throws {KafkaError} as `recordOf` */
export function withSignal({ reading, view }: Fetched): GroupRecord<ConsumerRecord> {
  const { topic, partition, signal } = reading
  const { offset, timestamp, headers } = view
  const key = fieldOf(reading, offset, 'key', view.key)
  const value = fieldOf(reading, offset, 'value', view.value)
  return {
    topic: topic.name,
    partition,
    offset,
    timestamp,
    key,
    value,
    headers,
    signal,
    attempt: 1,
  }
}

/** undefined: a record without a key has no order to keep. */
export function keyOf({ reading, view }: Delivery<unknown>): string | undefined {
  return view.key === null
    ? undefined
    : `${partitionText(reading.where)} ${view.key.toString('latin1')}`
}
