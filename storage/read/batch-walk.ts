// The readable ranges of a segment, and a walk over their batches. Network thread.
// A reading is a generator that yields its requests to the disk; reader.ts feeds it.

import {
  attributesOf,
  BATCH_OVERHEAD_BYTES,
  baseOffsetOf,
  CODEC_MASK,
  maxTimestampOf,
  recordCountOf,
} from '../../protocol/batch/header.ts'
import { KafkaError } from '../../protocol/errors.ts'
import type { BufferPool } from './buffer-pool.ts'
import { Continuity, RotFound } from './continuity.ts'
import type { SegmentSuffix } from '../layout.ts'
import type { EpochStart, Heads, Quarantined } from '../log-facts.ts'

/** A segment as readers see it. */
export interface SegmentView {
  readonly baseOffset: number
  /** End of the readable bytes: those below the high watermark. */
  readonly endPosition: number
  /** Largest record timestamp; Infinity while unknown: in the active segment. */
  readonly maxTimestamp: number
  /** Entries of its transaction index. */
  readonly abortedCount: number
  /** Checksum of these entries; undefined while unknown: in the active segment. */
  readonly abortedChecksum: number | undefined
  /** The scrubber found that the index has changed. */
  readonly isTxnIndexRotten: boolean
  /** The batches as written; undefined if unknown, as in the active segment. */
  readonly heads: Heads | undefined
  /** Path of its files without the suffix. */
  readonly path: string
  /** `path`, made unique: a segment that replaces this one has another key, because files of both may be open. */
  readonly fileKey: string
  /** While the writer may be replacing the segment: settles when it is known whether it did. */
  readonly swap: Promise<void> | undefined
  /** Another segment has replaced it and has its name. */
  readonly isReplaced: boolean
}

/** A file of a segment. */
export interface FileOf {
  readonly segment: SegmentView
  readonly suffix: SegmentSuffix
}

/** A reading's view of a log. */
export interface ReadableLog {
  /** Ascending, the last one active; never empty. */
  readonly segments: readonly SegmentView[]
  readonly quarantined: readonly Quarantined[]
  /** With `quarantine.policy=skip` readers pass over quarantined ranges instead of getting an error. */
  readonly skipsQuarantined: boolean
  /** Segments before it may have gaps between their batches, because compaction removed records. */
  readonly sparseEndOffset: number
  readonly epochs: readonly EpochStart[]
  readonly logStartOffset: number
  readonly highWatermark: number
  /** Records from here on are likely to be in the page cache. */
  readonly hotOffset: number
  readonly hints: Hints
}

/** Consecutive readable batches: a whole segment, or the part between two quarantined ranges. Ends are exclusive. */
export interface Extent {
  readonly segment: SegmentView
  readonly startOffset: number
  readonly endOffset: number
  readonly startPosition: number
  readonly endPosition: number
  /** Offsets may be missing between its batches. */
  readonly isSparse: boolean
  readonly epochs: readonly EpochStart[]
}

/** One positional read; the answer is the number of bytes read, fewer only at the end of the file. */
export interface ReadAt extends FileOf {
  readonly into: Uint8Array
  readonly position: number
  /** Probably not in the page cache. */
  readonly isCold: boolean
}

/** A file that another thread reads for longer than the network thread should: open until the promise settles. */
export interface Loan extends FileOf {
  readonly lendTo: (fd: number) => Promise<void>
  readonly isCold: true
}

export type DiskSteps<Result> = Generator<ReadAt | Loan, Result, number>

/** Enough for readers that tail one log at different offsets. */
const HINTS_MAX = 32

/**
 * Offset -> position of its batch, for batches that a reader is likely to ask for next, so that tailing never
 * searches.
 */
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

/** Index of the segment with `offset`; the first one for an offset before all of them. */
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

/** Upper bound of the bytes from `offset` to the visible end; exact for a reader that tails. */
export function bytesAvailable(log: ReadableLog, from: number): number {
  const offset = log.skipsQuarantined ? firstReadable(log, from) : from
  if (offset >= log.highWatermark) return 0
  const index = segmentIndexOf(log.segments, offset)
  let bytes = -(offset === log.segments[index]!.baseOffset ? 0 : (log.hints.get(offset) ?? 0))
  for (let i = index; i < log.segments.length; i++) bytes += log.segments[i]!.endPosition
  return bytes
}

/** The first offset from `offset` on outside quarantined ranges. */
function firstReadable(log: ReadableLog, offset: number): number {
  const isWithin = (rot: Quarantined) => rot.startOffset <= offset && offset < rot.endOffset
  const rot = log.quarantined.find(isWithin)
  return rot ? firstReadable(log, rot.endOffset) : offset
}

/**
 * @returns the extent from `offset` on, past quarantined ranges; undefined when there is none
 * @throws {KafkaError} CORRUPT_MESSAGE when `offset` is in a quarantined range that readers must not skip
 */
export function extentToRead(log: ReadableLog, offset: number): Extent | undefined {
  if (log.skipsQuarantined) return extentsFrom(log, offset).next().value ?? undefined
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
  const isSparse = segment.baseOffset < log.sparseEndOffset
  const { epochs } = log
  let startOffset = segment.baseOffset
  let startPosition = 0
  for (const rot of log.quarantined) {
    if (rot.segmentBaseOffset !== segment.baseOffset) continue
    if (offset < rot.startOffset) {
      const { startOffset: endOffset, startPosition: endPosition } = rot
      return { segment, startOffset, endOffset, startPosition, endPosition, isSparse, epochs }
    }
    if (offset < rot.endOffset) return rot
    startOffset = rot.endOffset
    startPosition = rot.endPosition
  }
  const endOffset = Math.min(log.segments[index + 1]?.baseOffset ?? Infinity, log.highWatermark)
  const { endPosition } = segment
  return { segment, startOffset, endOffset, startPosition, endPosition, isSparse, epochs }
}

/** Reads one batch header after the other, from a position where a batch starts. `release` returns its buffer. */
export class BatchWalk {
  /** Position of the batch that `next` moved to. */
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
  readonly #continuity: Continuity
  #nextPosition: number
  /** The part of the file that the buffer holds. */
  #filledFrom = 0
  #filledTo = 0

  /** @param chunkBytes bytes per read */
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
    const isFirst = position === extent.startPosition
    this.#continuity = new Continuity(extent, isFirst ? extent.startOffset : undefined)
  }

  release(): void {
    this.#pool.give(this.#buffer)
  }

  /**
   * @returns false at the end of the extent
   * @throws {RotFound} where no batch continues the extent
   */
  *next(): DiskSteps<boolean> {
    const position = this.#nextPosition
    if (position >= this.#extent.endPosition) return false
    if (position < this.#filledFrom || position + BATCH_OVERHEAD_BYTES > this.#filledTo)
      yield* this.#fill(position)
    const at = position - this.#filledFrom
    const bytes = this.#buffer.subarray(0, this.#filledTo - this.#filledFrom)
    this.sizeBytes = this.#continuity.take(bytes, at, position)
    this.position = position
    this.baseOffset = baseOffsetOf(bytes, at)
    this.lastOffset = this.#continuity.nextOffset! - 1
    this.maxTimestamp = recordCountOf(bytes, at) === 0 ? -1 : maxTimestampOf(bytes, at)
    this.isCompressed = (attributesOf(bytes, at) & CODEC_MASK) !== 0
    this.#nextPosition = position + this.sizeBytes
    return true
  }

  *#fill(position: number): DiskSteps<void> {
    const { segment, endPosition } = this.#extent
    const into = this.#buffer.subarray(0, Math.min(this.#buffer.length, endPosition - position))
    const count = yield { segment, suffix: '.log', into, position, isCold: this.#isCold }
    this.#filledFrom = position
    this.#filledTo = position + count
  }
}

/** @throws {KafkaError} KAFKA_STORAGE_ERROR when an index is shorter than it should be; {RotFound} when a log is */
export function* readFully(want: ReadAt): DiskSteps<void> {
  const count = yield want
  if (count === want.into.length) return
  const { segment, suffix } = want
  const ends = `ends at ${want.position + count}, before ${want.position + want.into.length}`
  if (suffix === '.log') throw new RotFound(segment, ends)
  throw new KafkaError('KAFKA_STORAGE_ERROR', `${segment.path}${suffix} ${ends}`)
}
