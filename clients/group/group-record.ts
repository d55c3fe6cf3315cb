// Group records: what a member of a group gives for each record that it fetched, and what orders them in `run`.

import type { Fetched } from '../consumer/fetcher.ts'
import { fieldOf, type Given } from '../consumer/record-stream.ts'
import { partitionText, type ConsumerRecord } from '../topic.ts'
import type { GroupRecord } from './group-options.ts'

/** In one literal: properties that are added later double the cost of a record. @throws {KafkaError} as `recordOf` */
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

/** Records without a key have no order to keep. */
export function keyOf({ reading, view }: Given<unknown>): string | undefined {
  return view.key === null
    ? undefined
    : `${partitionText(reading.where)} ${view.key.toString('latin1')}`
}
