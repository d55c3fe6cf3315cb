// SegmentScan: walks the batches of a segment file and checks each; behind a bad one it looks for the next good one.
// Writer thread, in recovery. See docs/formats/recovery.md

import {
  attributesOf,
  BATCH_OVERHEAD_BYTES,
  baseOffsetOf,
  batchSizeBytes,
  checksumOf,
  CONTROL_BIT,
  crcMatches,
  fittingBatchBytes,
  lastOffsetDeltaOf,
  leaderEpochOf,
  MAGIC,
  maxTimestampOf,
  recordCountOf,
  position as field,
  putInt64,
} from '../../protocol/batch/header.ts'
import { FileWindow } from '../file-window.ts'
import type { Fs } from '../fs.ts'
import { placedMarkerOf, type Replayed, sequencedBatchOf } from '../producers/producer-batch.ts'
import type { BatchFacts } from '../segment/segment.ts'

const WINDOW_BYTES = 1024 * 1024
/** A batch that claims more is read only if the bytes behind it look like a batch too. */
const UNCHECKED_BYTES_MAX = 16 * 1024 * 1024
/** A disk writes sectors whole: a partly written batch lacks whole sectors. */
const SECTOR_BYTES = 512

export interface ScannedBatch extends BatchFacts, Replayed {
  readonly kind: 'batch'
  readonly baseOffset: number
  readonly leaderEpoch: number
  readonly position: number
}

/** Bytes that are not the expected batch. Ends are exclusive. */
export interface BadRange {
  readonly kind: 'bad'
  readonly startOffset: number
  /** Base offset of the next good batch; undefined: none. */
  readonly endOffset: number | undefined
  readonly startPosition: number
  readonly endPosition: number
  /** Holds a sector that was never written: a sign of a power failure, because rot leaves most of a batch. */
  readonly isTorn: boolean
}

export interface ScanBounds {
  /** Of the file. */
  readonly sizeBytes: number
  /** Base offset of the next segment, else Infinity: no batch reaches beyond it. */
  readonly offsetMax: number
  /** Offsets may be missing between batches, because compaction removed records. */
  readonly isSparse: boolean
  /** The expected epoch of the batch at an offset; undefined: unknown. */
  readonly epochAt: (offset: number) => number | undefined
}

export class SegmentScan {
  readonly #bounds: ScanBounds
  readonly #window: FileWindow

  constructor(fs: Fs, fd: number, bounds: ScanBounds) {
    this.#bounds = bounds
    this.#window = new FileWindow(fs, fd, bounds.sizeBytes)
  }

  /**
   * Everything from `position` on, where the batch with `offset` should start. Each byte is in a batch or in a bad
   * range.
   */
  *from(position: number, offset: number): Generator<ScannedBatch | BadRange> {
    while (position < this.#bounds.sizeBytes) {
      const batch = this.#batchAt(position, offset, this.#latest(offset))
      const next = batch ?? this.#badFrom(position, offset)
      yield next
      if (next.kind === 'batch') {
        position += next.sizeBytes
        offset = next.lastOffset + 1
      } else {
        if (next.endOffset === undefined) return
        position = next.endPosition
        offset = next.endOffset
      }
    }
  }

  /** The largest possible base offset of a batch expected at `offset`. */
  #latest(offset: number): number {
    return this.#bounds.isSparse ? this.#bounds.offsetMax : offset
  }

  /** The batch at `position`, if it is whole, its checksum right and its base offset within these bounds. */
  #batchAt(position: number, offsetMin: number, offsetMax: number): ScannedBatch | undefined {
    const header = this.#window.bytesAt(position, BATCH_OVERHEAD_BYTES)
    if (!header || !this.#isPlausible(header, 0, position, offsetMin, offsetMax)) return undefined
    const sizeBytes = batchSizeBytes(header)!
    if (sizeBytes > UNCHECKED_BYTES_MAX && !this.#isFollowed(header, position + sizeBytes)) {
      return undefined
    }
    const bytes = this.#window.bytesAt(position, sizeBytes)
    if (!bytes || !crcMatches(bytes, 0, sizeBytes)) return undefined
    const baseOffset = baseOffsetOf(bytes)
    const isControl = (attributesOf(bytes) & CONTROL_BIT) !== 0
    return {
      kind: 'batch',
      baseOffset,
      lastOffset: baseOffset + lastOffsetDeltaOf(bytes),
      leaderEpoch: leaderEpochOf(bytes),
      position,
      sizeBytes,
      checksum: checksumOf(bytes),
      maxTimestamp: recordCountOf(bytes) === 0 ? -1 : maxTimestampOf(bytes),
      sequenced: isControl ? undefined : sequencedBatchOf(bytes),
      marker: isControl ? placedMarkerOf(bytes) : undefined,
    }
  }

  /** Checks all of a header but its checksum. @param at its position in `bytes` */
  #isPlausible(
    bytes: Uint8Array,
    at: number,
    position: number,
    offsetMin: number,
    offsetMax: number,
  ): boolean {
    const { sizeBytes, offsetMax: endOffset, epochAt } = this.#bounds
    const bytesMax = sizeBytes - position
    if (fittingBatchBytes(bytes, at, bytesMax, offsetMin, offsetMax, endOffset) === undefined)
      return false
    const epoch = epochAt(baseOffsetOf(bytes, at))
    return epoch === undefined || epoch === leaderEpochOf(bytes, at)
  }

  /** Does the file end at `position`, or does a header there continue the given one? */
  #isFollowed(header: Uint8Array, position: number): boolean {
    if (position === this.#bounds.sizeBytes) return true
    const nextOffset = baseOffsetOf(header) + lastOffsetDeltaOf(header) + 1
    const next = this.#window.bytesAt(position, BATCH_OVERHEAD_BYTES)
    const latest = this.#latest(nextOffset)
    return next !== undefined && this.#isPlausible(next, 0, position, nextOffset, latest)
  }

  #badFrom(position: number, offset: number): BadRange {
    const next = this.#batchAfter(position, offset)
    const endPosition = next?.position ?? this.#bounds.sizeBytes
    return {
      kind: 'bad',
      startOffset: offset,
      endOffset: next?.baseOffset,
      startPosition: position,
      endPosition,
      isTorn: this.#isTorn(position, endPosition, offset),
    }
  }

  /**
   * The next good batch behind a bad one: at the end that the bad one states, else the first one found. Records may
   * contain whole batches; so the stated end goes first, if the offsets confirm it.
   */
  #batchAfter(position: number, offset: number): ScannedBatch | undefined {
    const { sizeBytes, offsetMax } = this.#bounds
    const header = this.#window.bytesAt(position, BATCH_OVERHEAD_BYTES)
    if (header) {
      const nextPosition = position + batchSizeBytes(header)!
      const nextOffset = offset + lastOffsetDeltaOf(header) + 1
      const isAhead = nextPosition > position && nextOffset > offset
      const latest = this.#latest(nextOffset)
      const next = isAhead ? this.#batchAt(nextPosition, nextOffset, latest) : undefined
      if (next) return next
    }
    for (let start = position + 1; start + BATCH_OVERHEAD_BYTES <= sizeBytes;) {
      const length = Math.min(WINDOW_BYTES, sizeBytes - start)
      const bytes = Buffer.from(this.#window.bytesAt(start, length)!)
      for (let at = 0; at + BATCH_OVERHEAD_BYTES <= length; at++) {
        if (bytes[at + field.magic] !== MAGIC) continue
        if (!this.#isPlausible(bytes, at, start + at, offset + 1, offsetMax)) continue
        const next = this.#batchAt(start + at, offset + 1, offsetMax)
        if (next) return next
      }
      start += length - BATCH_OVERHEAD_BYTES + 1
    }
    return undefined
  }

  /**
   * Is a sector of the range all zeros, and so never written? Of the range's first sector only the rest counts, and
   * only if the expected base offset and size are not zeros themselves. A good batch may start in the last sector:
   * its base offset starts with zeros.
   */
  #isTorn(startPosition: number, endPosition: number, offset: number): boolean {
    const expected = Buffer.alloc(BATCH_OVERHEAD_BYTES, 0xff)
    putInt64(expected, 0, offset)
    for (let at = startPosition; at < endPosition;) {
      const sectorEnd = at + SECTOR_BYTES - (at % SECTOR_BYTES)
      const mayBeZero = at === startPosition && isZero(expected.subarray(0, sectorEnd - at))
      if (!mayBeZero && this.#isUnwritten(at, sectorEnd)) return true
      at = sectorEnd
    }
    return false
  }

  #isUnwritten(startPosition: number, sectorEnd: number): boolean {
    const end = Math.min(sectorEnd, this.#bounds.sizeBytes)
    return isZero(this.#window.bytesAt(startPosition, end - startPosition)!)
  }
}

function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0)
}
