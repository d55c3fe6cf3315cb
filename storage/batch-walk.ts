// Which bytes of a segment may be read, and a walk over the batches in them. Network thread.
// A reading is a generator that yields what it wants of the disk; reader.ts says how it is fed.

import {
  attributesOf,
  BATCH_OVERHEAD_BYTES,
  baseOffsetOf,
  batchSizeBytes,
  CODEC_MASK,
  lastOffsetDeltaOf,
  MAGIC,
  magicOf,
  maxTimestampOf,
  recordCountOf,
} from '../protocol/batch/header.ts'
import { KafkaError } from '../protocol/errors.ts'
import type { BufferPool } from './buffer-pool.ts'
import type { SegmentSuffix } from './layout.ts'
import type { Quarantined } from './writer/commands.ts'

/** A segment as readers see it. */
export interface SegmentView {
  readonly baseOffset: number
  /** Bytes that may be read: those below the high watermark. */
  readonly endPosition: number
  /** Largest record timestamp; Infinity while that is not known: in the active segment. */
  readonly maxTimestamp: number
  /** Entries of its transaction index. */
  readonly abortedCount: number
  /** Path of its files without the suffix. */
  readonly path: string
  /** The same, but another for the segment that takes its place: files of both may be open. */
  readonly fileKey: string
  /** While the writer may be putting another segment in its place: settles when it is known whether it did. */
  readonly swap: Promise<void> | undefined
  /** Another one has taken its place, and its name. */
  readonly isReplaced: boolean
}

/** A file of a segment. */
export interface FileOf {
  readonly segment: SegmentView
  readonly suffix: SegmentSuffix
}

/** What a reading must know of a log. */
export interface ReadableLog {
  /** Ascending, the last one active; never empty. */
  readonly segments: readonly SegmentView[]
  readonly quarantined: readonly Quarantined[]
  readonly logStartOffset: number
  readonly highWatermark: number
  /** Records from here on are likely to be in the page cache. */
  readonly hotOffset: number
  readonly hints: Hints
}

/** A run of readable batches: a segment, or what lies between the quarantined ranges of one. Ends are exclusive. */
export interface Extent {
  readonly segment: SegmentView
  readonly startOffset: number
  readonly endOffset: number
  readonly startPosition: number
  readonly endPosition: number
}

/** One positional read; the answer is the number of bytes read, fewer only at the end of the file. */
export interface Want extends FileOf {
  readonly into: Uint8Array
  readonly position: number
  /** Hardly in the page cache. */
  readonly isCold: boolean
}

/** A file lent to another thread, which looks at it for longer than this one should: open until the promise settles. */
export interface Loan extends FileOf {
  readonly lendTo: (fd: number) => Promise<void>
  readonly isCold: true
}

export type Reading<Result> = Generator<Want | Loan, Result, number>

/** Readers that tail one log at different places. */
const HINTS_MAX = 32

/** Offset -> position in its segment of the batch that a reader is likely to ask for next, so that tailing never searches. */
export class Hints {
  readonly #positions = new Map<number, number>()

  get(offset: number): number | undefined {
    return this.#positions.get(offset)
  }

  clear(): void {
    this.#positions.clear()
  }

  set(offset: number, position: number): void {
    this.#positions.delete(offset)
    this.#positions.set(offset, position)
    if (this.#positions.size <= HINTS_MAX) return
    const [oldest] = this.#positions.keys()
    this.#positions.delete(oldest!)
  }
}

/** The segment that `offset` belongs to; the first one for an offset before all of them. */
export function segmentIndexOf(segments: readonly SegmentView[], offset: number): number {
  let low = 0
  let high = segments.length - 1
  while (low < high) {
    const middle = (low + high + 1) >>> 1
    if (segments[middle]!.baseOffset <= offset) low = middle
    else high = middle - 1
  }
  return low
}

/** @throws {KafkaError} CORRUPT_MESSAGE when `offset` lies in a quarantined range */
export function extentOf(log: ReadableLog, offset: number): Extent {
  const extent = extentOrRot(log, offset)
  if ('segment' in extent) return extent
  const range = `${extent.startOffset} to ${extent.endOffset - 1}`
  throw new KafkaError(
    'CORRUPT_MESSAGE',
    `offsets ${range} cannot be read: their bytes have rotted`,
  )
}

/** Every extent from `offset` to the high watermark. */
export function* extentsFrom(log: ReadableLog, offset: number): Generator<Extent> {
  for (let from = offset; from < log.highWatermark;) {
    const extent = extentOrRot(log, from)
    if ('segment' in extent) yield extent
    from = extent.endOffset
  }
}

function extentOrRot(log: ReadableLog, offset: number): Extent | Quarantined {
  const index = segmentIndexOf(log.segments, offset)
  const segment = log.segments[index]!
  let startOffset = segment.baseOffset
  let startPosition = 0
  for (const rot of log.quarantined) {
    if (rot.segmentBaseOffset !== segment.baseOffset) continue
    if (offset < rot.startOffset) {
      const { startOffset: endOffset, startPosition: endPosition } = rot
      return { segment, startOffset, endOffset, startPosition, endPosition }
    }
    if (offset < rot.endOffset) return rot
    startOffset = rot.endOffset
    startPosition = rot.endPosition
  }
  const endOffset = Math.min(log.segments[index + 1]?.baseOffset ?? Infinity, log.highWatermark)
  return { segment, startOffset, endOffset, startPosition, endPosition: segment.endPosition }
}

/** Looks at one batch after the other, from a position on where one starts. `release` gives its buffer back. */
export class BatchWalk {
  /** Of the batch that `next` moved to. */
  position = 0
  sizeBytes = 0
  baseOffset = 0
  lastOffset = -1
  maxTimestamp = -1
  isCompressed = false

  readonly #pool: BufferPool
  readonly #extent: Extent
  readonly #isCold: boolean
  readonly #buffer: Buffer
  #nextPosition: number
  /** The part of the file that the buffer holds. */
  #filledFrom = 0
  #filledTo = 0

  /** @param chunkBytes read at a time */
  constructor(
    pool: BufferPool,
    extent: Extent,
    position: number,
    chunkBytes: number,
    isCold: boolean,
  ) {
    this.#pool = pool
    this.#extent = extent
    this.#isCold = isCold
    this.#buffer = pool.take(chunkBytes)
    this.#nextPosition = position
  }

  release(): void {
    this.#pool.give(this.#buffer)
  }

  /**
   * @returns false at the end of the extent
   * @throws {KafkaError} CORRUPT_MESSAGE where no batch starts
   */
  *next(): Reading<boolean> {
    const position = this.#nextPosition
    if (position >= this.#extent.endPosition) return false
    if (position < this.#filledFrom || position + BATCH_OVERHEAD_BYTES > this.#filledTo)
      yield* this.#fill(position)
    const at = position - this.#filledFrom
    const bytes = this.#buffer.subarray(0, this.#filledTo - this.#filledFrom)
    this.sizeBytes = checkedSize(bytes, at, this.#extent, position)
    this.position = position
    this.baseOffset = baseOffsetOf(bytes, at)
    this.lastOffset = this.baseOffset + lastOffsetDeltaOf(bytes, at)
    this.maxTimestamp = recordCountOf(bytes, at) === 0 ? -1 : maxTimestampOf(bytes, at)
    this.isCompressed = (attributesOf(bytes, at) & CODEC_MASK) !== 0
    this.#nextPosition = position + this.sizeBytes
    return true
  }

  *#fill(position: number): Reading<void> {
    const { segment, endPosition } = this.#extent
    const into = this.#buffer.subarray(0, Math.min(this.#buffer.length, endPosition - position))
    yield* readFully({ segment, suffix: '.log', into, position, isCold: this.#isCold })
    this.#filledFrom = position
    this.#filledTo = position + into.length
  }
}

/** @throws {KafkaError} KAFKA_STORAGE_ERROR when the file is shorter than it should be */
export function* readFully(want: Want): Reading<void> {
  const count = yield want
  if (count === want.into.length) return
  const end = want.position + want.into.length
  throw new KafkaError(
    'KAFKA_STORAGE_ERROR',
    `${want.segment.path}${want.suffix} ends at ${want.position + count}, before ${end}`,
  )
}

/** The whole batches at the start of `bytes`, in bytes, and the offset after them. */
export interface WholeBatches {
  readonly sizeBytes: number
  readonly nextOffset: number
  /** Of the first batch, also when it is not all there; 0 when it reaches the end offset. */
  readonly firstBytes: number
}

/**
 * @param position of `bytes` in the segment
 * @param range where the first batch should be, and the offset that no batch may reach
 * @throws {KafkaError} CORRUPT_MESSAGE when not even the first is a batch, or it does not hold `offset`
 */
export function wholeBatches(
  bytes: Buffer,
  extent: Extent,
  position: number,
  { offset, endOffset }: { readonly offset: number; readonly endOffset: number },
): WholeBatches {
  const firstBytes = checkedSize(bytes, 0, extent, position)
  const lastOffset = baseOffsetOf(bytes) + lastOffsetDeltaOf(bytes)
  if (lastOffset < offset)
    throw corrupt(extent, position, `a batch that ends at offset ${lastOffset}, before ${offset}`)
  if (position + bytes.length === extent.endPosition && endOffset >= extent.endOffset) {
    return { sizeBytes: bytes.length, nextOffset: extent.endOffset, firstBytes }
  }
  let lastAt = -1
  let end = 0
  while (end + BATCH_OVERHEAD_BYTES <= bytes.length) {
    const next = end + checkedSize(bytes, end, extent, position + end)
    if (
      next > bytes.length ||
      baseOffsetOf(bytes, end) + lastOffsetDeltaOf(bytes, end) >= endOffset
    )
      break
    lastAt = end
    end = next
  }
  if (lastAt < 0) {
    return { sizeBytes: 0, nextOffset: offset, firstBytes: lastOffset < endOffset ? firstBytes : 0 }
  }
  const nextOffset = baseOffsetOf(bytes, lastAt) + lastOffsetDeltaOf(bytes, lastAt) + 1
  return { sizeBytes: end, nextOffset, firstBytes }
}

/** Size of the batch at `at`, which is `position` in the segment, after a look at whether one starts there. */
function checkedSize(bytes: Uint8Array, at: number, extent: Extent, position: number): number {
  const bytesLeft = extent.endPosition - position
  if (bytes.length - at < BATCH_OVERHEAD_BYTES)
    throw corrupt(extent, position, `${bytesLeft} bytes`)
  const sizeBytes = batchSizeBytes(bytes, at)!
  if (magicOf(bytes, at) !== MAGIC || sizeBytes < BATCH_OVERHEAD_BYTES || sizeBytes > bytesLeft) {
    throw corrupt(extent, position, `${sizeBytes} bytes, magic ${magicOf(bytes, at)}`)
  }
  const baseOffset = baseOffsetOf(bytes, at)
  if (baseOffset < extent.startOffset || baseOffset >= extent.endOffset) {
    throw corrupt(extent, position, `base offset ${baseOffset}`)
  }
  return sizeBytes
}

function corrupt(extent: Extent, position: number, what: string): KafkaError {
  return new KafkaError(
    'CORRUPT_MESSAGE',
    `${extent.segment.path}.log: no batch at ${position}: ${what}`,
  )
}
