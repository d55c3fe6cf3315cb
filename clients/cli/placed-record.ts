// PlacedRecord: a record as printers take it: with the places of its key and value, so that what is only passed on is copied
// from where it lies. Pure.

import type { RawRecord } from './record-json.ts'

export interface PlacedRecord extends RawRecord {
  /** What holds the key, from `keyAt` on. */
  readonly keyIn: Buffer
  readonly keyAt: number
  /** -1: there is none. */
  readonly keyBytes: number
  /** What holds the value, from `valueAt` on. */
  readonly valueIn: Buffer
  readonly valueAt: number
  /** -1: it is null. */
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
