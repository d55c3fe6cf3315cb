// Reads the batch headers of a segment file whose bad ranges are known. Read only.

import { strict as assert } from 'node:assert'
import {
  BATCH_OVERHEAD_BYTES,
  batchSizeBytes,
  lastOffsetDeltaOf,
  baseOffsetOf,
  maxTimestampOf,
  recordCountOf,
} from '../../protocol/batch/header.ts'
import { FileWindow } from '../file-window.ts'
import type { Fs } from '../fs.ts'

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

/** @param bad ranges to skip */
export function* batchPlaces(
  fs: Fs,
  fd: number,
  sizeBytes: number,
  bad: readonly ByteRange[],
): Generator<BatchPlace> {
  const window = new FileWindow(fs, fd, sizeBytes)
  for (let position = 0; position < sizeBytes;) {
    const skipped = bad.find(
      ({ startPosition, endPosition }) => startPosition <= position && position < endPosition,
    )
    if (skipped) {
      position = skipped.endPosition
      continue
    }
    const header = window.bytesAt(position, BATCH_OVERHEAD_BYTES)
    assert(header, 'what is known to be good is whole batches')
    const place = placeOf(header, position)
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
