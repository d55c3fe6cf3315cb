// Reads the batches of a sealed segment in order, each checked, and its offsets too: what is written anew must not make rot
// look sound. Cleaner thread.

import {
  BATCH_OVERHEAD_BYTES,
  crcMatches,
  MAGIC,
  magicOf,
  readBatchHeader,
  batchSizeBytes,
  type BatchHeader,
} from '../../../protocol/batch/header.ts'
import type { Fs } from '../../fs.ts'
import type { SourceSegment } from './compactor.ts'

const WINDOW_BYTES = 1024 * 1024

export interface ReadBatch {
  /** The whole batch; borrowed until the next one is asked for. */
  readonly bytes: Uint8Array
  readonly header: BatchHeader
  /** Where it ends in the file. */
  readonly endPosition: number
}

/** @throws {SegmentRotten} where no good batch lies */
export function* segmentBatches(
  fs: Fs,
  path: string,
  { baseOffset, endOffset, sizeBytes, isSparse }: SourceSegment,
  onRead: (bytes: number) => void,
): Generator<ReadBatch> {
  const fd = fs.open(path, 'read')
  try {
    let window = Buffer.alloc(0)
    let windowAt = 0
    const load = (position: number, wantedBytes: number) => {
      const length = Math.min(Math.max(WINDOW_BYTES, wantedBytes), sizeBytes - position)
      if (window.length < length) window = Buffer.allocUnsafe(length)
      const count = fs.read(fd, window.subarray(0, length), position)
      if (count < Math.min(wantedBytes, length))
        throw new Error(`${path} ends at ${position + count}`)
      windowAt = position
      filledTo = position + count
      onRead(count)
    }
    let filledTo = 0
    let nextOffset = baseOffset
    for (let position = 0; position < sizeBytes;) {
      if (position + BATCH_OVERHEAD_BYTES > filledTo) load(position, BATCH_OVERHEAD_BYTES)
      const batchBytes = batchSizeBytes(window, position - windowAt) ?? 0
      const isPlausible = batchBytes >= BATCH_OVERHEAD_BYTES && position + batchBytes <= sizeBytes
      if (!isPlausible) throw new SegmentRotten(path, baseOffset, position)
      if (position + batchBytes > filledTo) load(position, batchBytes)
      const bytes = window.subarray(position - windowAt, position - windowAt + batchBytes)
      if (magicOf(bytes) !== MAGIC || !crcMatches(bytes, 0, batchBytes))
        throw new SegmentRotten(path, baseOffset, position)
      const header = readBatchHeader(bytes)
      const isNext = isSparse ? header.baseOffset >= nextOffset : header.baseOffset === nextOffset
      nextOffset = header.baseOffset + header.lastOffsetDelta + 1
      if (!isNext || nextOffset > endOffset) throw new SegmentRotten(path, baseOffset, position)
      position += batchBytes
      yield { bytes, header, endPosition: position }
    }
  } finally {
    fs.close(fd)
  }
}

/** No good batch lies where one should. */
export class SegmentRotten extends Error {
  readonly baseOffset: number

  constructor(path: string, baseOffset: number, position: number) {
    super(`${path}: no good batch at ${position}`)
    this.baseOffset = baseOffset
  }
}
