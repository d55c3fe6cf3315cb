// TimeIndex: timestamp -> relative offset, 12 bytes an entry; both ascend. The entry says: up to this offset the largest
// timestamp is this one. Writer thread appends; the network thread reads the file. Format, Kafka's own: docs/formats/indexes.md

import { int32At, int64At, putInt32, putInt64 } from '../../protocol/batch/header.ts'
import type { Fs } from '../fs.ts'
import { IndexFile } from './index-file.ts'

export const TIME_ENTRY_BYTES = 12

export class TimeIndex {
  readonly file: IndexFile
  readonly #baseOffset: number
  #lastTimestamp: number

  /** @param lastTimestamp that of the last saved entry, -1 when there is none */
  constructor(fs: Fs, path: string, baseOffset: number, savedCount = 0, lastTimestamp = -1) {
    this.file = new IndexFile(fs, path, TIME_ENTRY_BYTES, savedCount)
    this.#baseOffset = baseOffset
    this.#lastTimestamp = lastTimestamp
  }

  /** Of the last entry, -1 when there is none. */
  get lastTimestamp(): number {
    return this.#lastTimestamp
  }

  /** Does nothing unless `timestamp` (ms) is larger than that of every entry. @param offset last of the batch that holds it */
  appendIfLarger(timestamp: number, offset: number): void {
    if (timestamp <= this.#lastTimestamp) return
    const entry = this.file.extend()
    putInt64(entry, 0, timestamp)
    putInt32(entry, 8, offset - this.#baseOffset)
    this.#lastTimestamp = timestamp
  }
}

export interface TimeEntry {
  readonly timestamp: number
  readonly offset: number
}

/** @param entry the 12 bytes of one */
export function readTimeEntry(entry: Uint8Array, baseOffset: number): TimeEntry {
  return { timestamp: int64At(entry, 0), offset: baseOffset + int32At(entry, 8) }
}
