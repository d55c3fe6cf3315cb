// The batches of a segment file whose good and bad parts are known, one header after the other. Read only.

import {
  BATCH_OVERHEAD_BYTES,
  batchSizeBytes,
  lastOffsetDeltaOf,
  baseOffsetOf,
  maxTimestampOf,
  recordCountOf,
} from '../../protocol/batch/header.ts'
import type { Fs } from '../fs.ts'

const WINDOW_BYTES = 1024 * 1024

/** Positions in a file; the end is exclusive. */
export interface ByteRange {
  readonly startPosition: number
  readonly endPosition: number
}

export interface BatchPlace {
  readonly position: number
  readonly sizeBytes: number
  readonly lastOffset: number
  /** -1 when it holds no record. */
  readonly maxTimestamp: number
}

/** @param bad passed over */
export function* batchPlaces(
  fs: Fs,
  fd: number,
  sizeBytes: number,
  bad: readonly ByteRange[],
): Generator<BatchPlace> {
  let window = Buffer.alloc(0)
  let windowPosition = 0
  for (let position = 0; position < sizeBytes;) {
    const skipped = bad.find(
      ({ startPosition, endPosition }) => startPosition <= position && position < endPosition,
    )
    if (skipped) {
      position = skipped.endPosition
      continue
    }
    const isThere =
      position >= windowPosition &&
      position + BATCH_OVERHEAD_BYTES <= windowPosition + window.length
    if (!isThere) {
      window = Buffer.alloc(Math.min(WINDOW_BYTES, sizeBytes - position))
      fs.read(fd, window, position)
      windowPosition = position
    }
    const place = placeOf(window.subarray(position - windowPosition), position)
    yield place
    position += place.sizeBytes
  }
}

function placeOf(header: Uint8Array, position: number): BatchPlace {
  return {
    position,
    sizeBytes: batchSizeBytes(header)!,
    lastOffset: baseOffsetOf(header) + lastOffsetDeltaOf(header),
    maxTimestamp: recordCountOf(header) === 0 ? -1 : maxTimestampOf(header),
  }
}
