// Reads the batches of a sealed segment in order, and checks each, offsets included: a new copy must not make rot
// look sound. Cleaner thread.

import {
  BATCH_OVERHEAD_BYTES,
  crcMatches,
  fittingBatchBytes,
  readBatchHeader,
  type BatchHeader,
} from '../../../protocol/batch/header.ts'
import { FileWindow } from '../../file-window.ts'
import type { Fs } from '../../fs.ts'
import type { SourceSegment } from './compactor.ts'

export interface ReadBatch {
  /** The whole batch; borrowed until the next one. */
  readonly bytes: Uint8Array
  readonly header: BatchHeader
  /** Position after it in the file. */
  readonly endPosition: number
}

/** @throws {SegmentRotten} at the position of a missing or bad batch */
export function* segmentBatches(
  fs: Fs,
  path: string,
  { baseOffset, endOffset, sizeBytes, isSparse }: SourceSegment,
  onRead: (bytes: number) => void,
): Generator<ReadBatch> {
  const fd = fs.open(path, 'read')
  try {
    const window = new FileWindow(fs, fd, sizeBytes, onRead)
    let nextOffset = baseOffset
    for (let position = 0; position < sizeBytes;) {
      const latest = isSparse ? endOffset : nextOffset
      const bytes = batchAt(window, position, sizeBytes - position, nextOffset, latest, endOffset)
      if (!bytes) throw new SegmentRotten(path, baseOffset, position)
      const header = readBatchHeader(bytes)
      nextOffset = header.baseOffset + header.lastOffsetDelta + 1
      position += bytes.length
      yield { bytes, header, endPosition: position }
    }
  } finally {
    fs.close(fd)
  }
}

function batchAt(
  window: FileWindow,
  position: number,
  ...bounds: readonly [bytesMax: number, baseMin: number, baseMax: number, endOffset: number]
): Buffer | undefined {
  const header = window.bytesAt(position, BATCH_OVERHEAD_BYTES)
  const sizeBytes = header && fittingBatchBytes(header, 0, ...bounds)
  const bytes = sizeBytes === undefined ? undefined : window.bytesAt(position, sizeBytes)
  return bytes && crcMatches(bytes, 0, bytes.length) ? bytes : undefined
}

/** There is no good batch where one should be. */
export class SegmentRotten extends Error {
  readonly baseOffset: number

  constructor(path: string, baseOffset: number, position: number) {
    super(`${path}: no good batch at ${position}`)
    this.baseOffset = baseOffset
  }
}
