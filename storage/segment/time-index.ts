// TimeIndex: timestamp -> relative offset, 12 bytes per entry; both ascend. An entry states the largest timestamp up
// to its offset. Writer thread appends; the network thread reads the file. Format, Kafka's own:
// docs/formats/indexes.md

import { int32At, int64At, putInt32, putInt64 } from '../../protocol/batch/header.ts'
import type { Fs } from '../fs.ts'
import { IndexFile } from './index-file.ts'

export const TIME_ENTRY_BYTES = 12

export class TimeIndex {
  readonly file: IndexFile
  readonly #baseOffset: number
  #lastTimestamp: number

  /** @param lastTimestamp of the last saved entry; -1: none */
  constructor(fs: Fs, path: string, baseOffset: number, savedCount = 0, lastTimestamp = -1) {
    this.file = new IndexFile(fs, path, TIME_ENTRY_BYTES, savedCount)
    this.#baseOffset = baseOffset
    this.#lastTimestamp = lastTimestamp
  }

  /** Timestamp of the last entry; -1: none. */
  get lastTimestamp(): number {
    return this.#lastTimestamp
  }

  /** Does nothing unless `timestamp` (ms) is larger than all entries'. @param offset last offset of its batch */
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

/** @param entry its 12 bytes */
export function readTimeEntry(entry: Uint8Array, baseOffset: number): TimeEntry {
  return { timestamp: int64At(entry, 0), offset: baseOffset + int32At(entry, 8) }
}
