// PlacedRecord: a record for printers, with the positions of its key and value, so that a printer can copy bytes
// straight from the fetched batch. Pure.

import type { RawRecord } from './record-json.ts'

export interface PlacedRecord extends RawRecord {
  /** The buffer of the key, which begins at `keyAt`. */
  readonly keyIn: Buffer
  readonly keyAt: number
  /** -1 without a key. */
  readonly keyBytes: number
  /** The buffer of the value, which begins at `valueAt`. */
  readonly valueIn: Buffer
  readonly valueAt: number
  /** -1 for null. */
  readonly valueBytes: number
  readonly hasHeaders: boolean
}

const NOTHING = Buffer.alloc(0)

/** @returns a record whose key and value are whole buffers */
export function placed(record: RawRecord): PlacedRecord {
  const { topic, partition, offset, timestamp, key, value, headers } = record
  return {
    topic,
    partition,
    offset,
    timestamp,
    key,
    value,
    headers,
    keyIn: key ?? NOTHING,
    keyAt: 0,
    keyBytes: key?.length ?? -1,
    valueIn: value ?? NOTHING,
    valueAt: 0,
    valueBytes: value?.length ?? -1,
    hasHeaders: headers.length > 0,
  }
}
