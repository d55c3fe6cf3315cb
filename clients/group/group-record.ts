// Group records: what a member of a group gives for each record that it fetched, and what orders them in `run`.

import type { Fetched } from '../consumer/fetcher.ts'
import { recordOf, type Given } from '../consumer/record-stream.ts'
import { partitionText, type ConsumerRecord } from '../topic.ts'
import type { GroupRecord } from './group-options.ts'

export function withSignal(fetched: Fetched): GroupRecord<ConsumerRecord> {
  const record = recordOf(fetched) as { signal?: AbortSignal; attempt?: number } & ConsumerRecord
  record.signal = fetched.reading.signal
  record.attempt = 1
  return record as GroupRecord<ConsumerRecord>
}

/** Records without a key have no order to keep. */
export function keyOf({ reading, view }: Given<unknown>): string | undefined {
  return view.key === null
    ? undefined
    : `${partitionText(reading.where)} ${view.key.toString('latin1')}`
}
