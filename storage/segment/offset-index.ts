// OffsetIndex: relative offset -> file position, one 8-byte entry per ~4 KiB of log.
// Writer thread appends; the network thread reads the file. Format, Kafka's own: docs/formats/indexes.md

import { int32At, putInt32 } from '../../protocol/batch/header.ts'
import type { Fs } from '../fs.ts'
import { IndexFile } from './index-file.ts'

export const OFFSET_ENTRY_BYTES = 8

export class OffsetIndex {
  readonly file: IndexFile
  readonly #baseOffset: number

  constructor(fs: Fs, path: string, baseOffset: number, savedCount = 0) {
    this.file = new IndexFile(fs, path, OFFSET_ENTRY_BYTES, savedCount)
    this.#baseOffset = baseOffset
  }

  /** @param lastOffset last offset of the batch at `position`, in bytes from the start of the segment */
  append(lastOffset: number, position: number): void {
    const entry = this.file.extend()
    putInt32(entry, 0, lastOffset - this.#baseOffset)
    putInt32(entry, 4, position)
  }
}

export interface OffsetEntry {
  /** Last offset of the batch at `position`. */
  readonly lastOffset: number
  readonly position: number
}

/** @param entry its 8 bytes */
export function readOffsetEntry(entry: Uint8Array, baseOffset: number): OffsetEntry {
  return { lastOffset: baseOffset + int32At(entry, 0), position: int32At(entry, 4) }
}
