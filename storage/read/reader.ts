// LogReader: reads whole batches from segment files into pooled buffers, without a thread hop. Network thread.
// It reads likely cached bytes at once and others asynchronously, so that a cold disk never stalls the loop. Both
// ways share their code, generators that yield their requests to the disk (`DiskSteps`).

import { strict as assert } from 'node:assert'
import { BATCH_OVERHEAD_BYTES, crcMatches, recordCountOf } from '../../protocol/batch/header.ts'
import { KafkaError } from '../../protocol/errors.ts'
import { Offset } from '../../protocol/ids.ts'
import {
  BatchWalk,
  extentToRead,
  segmentIndexOf,
  type Extent,
  type FileOf,
  type Loan,
  type DiskSteps,
  type ReadableLog,
  type SegmentView,
  type ReadAt,
} from './batch-walk.ts'
import { BufferPool } from './buffer-pool.ts'
import { Continuity, RotFound } from './continuity.ts'
import { FileCache, SegmentMoving } from './file-cache.ts'
import { errnoCode, type Fs } from '../fs.ts'
import { lastEntryIn, type IndexFile } from './index-search.ts'
import { ownLog, type LogView } from './log-view.ts'
import type { SearchPort } from '../search/port.ts'
import { OFFSET_ENTRY_BYTES, readOffsetEntry } from '../segment/offset-index.ts'
import type {
  AbortedTransaction,
  Log,
  OffsetAndTimestamp,
  Reader,
  ReadLimits,
  ReadResult,
} from '../store.ts'
import { firstRecordSince, recordWithMaxTimestamp, timestampOfBatch } from './timestamp-search.ts'

/** The most bytes of one read, unless a single batch is larger. */
const READ_BYTES_MAX = 8 * 1024 * 1024
/** A read with more steps than this continues asynchronously. */
const SYNC_READS_MAX = 64
/** Bytes per read when it looks for a batch near an index entry. */
const LOCATE_BYTES = 16 * 1024
const POOL_FREE_BYTES_MAX = 64 * 1024 * 1024

const NO_BYTES = new Uint8Array(0)

/** Limits of the storage's own reads. */
interface OwnReadLimits extends ReadLimits {
  /** CRCs of cold batches are not checked: the caller does. */
  readonly isUnchecked?: boolean
}

export interface LogReaderDeps {
  readonly fs: Fs
  readonly search: SearchPort
  readonly openFilesMax: number
  readonly warn: (message: string) => void
  /** Called with a segment in which a read found rot, or whose file is gone. */
  readonly onRot: (segment: SegmentView) => void
}

export class LogReader implements Reader {
  readonly pool = new BufferPool(POOL_FREE_BYTES_MAX)
  readonly search: SearchPort
  readonly #fs: Fs
  readonly #files: FileCache
  readonly #warn: (message: string) => void
  readonly #onRot: (segment: SegmentView) => void
  /** Settles when the last loan ends. */
  #loans: Promise<void> = Promise.resolve()

  constructor(deps: LogReaderDeps) {
    this.search = deps.search
    this.#fs = deps.fs
    this.#files = new FileCache(deps.fs, deps.openFilesMax)
    this.#warn = deps.warn
    this.#onRot = deps.onRot
  }

  /** Closes the files whose path starts with `prefix`, once no read uses them. */
  forget(prefix: string): void {
    this.#files.forget(prefix)
  }

  /** Running reads are refused at their next step. */
  close(): void {
    this.#files.close()
  }

  read(log: Log, offset: Offset, limits: OwnReadLimits): ReadResult | Promise<ReadResult> {
    const own = readable(log)
    const { highWatermark, logStartOffset, logEndOffset } = own
    if (offset < logStartOffset || offset > logEndOffset) {
      const range = `${logStartOffset} to ${logEndOffset}`
      throw new KafkaError('OFFSET_OUT_OF_RANGE', `offset ${offset} is outside ${range}`)
    }
    if (offset < Math.min(highWatermark, limits.endOffset ?? Infinity))
      return this.run(() => this.#batchesFrom(own, offset, limits))
    if (offset === highWatermark)
      own.hints.set(offset, own.segments[segmentIndexOf(own.segments, offset)]!.endPosition)
    return emptyRead(offset)
  }

  abortedTransactions(
    log: Log,
    from: Offset,
    to: Offset,
  ): readonly AbortedTransaction[] | Promise<readonly AbortedTransaction[]> {
    const own = readable(log)
    if (!own.segments.some(({ abortedCount }) => abortedCount > 0)) return []
    return this.run(() => own.abortedSearch.between(own, from, to))
  }

  async offsetForTimestamp(log: Log, timestamp: number): Promise<OffsetAndTimestamp | undefined> {
    const own = readable(log)
    return this.run(() => firstRecordSince(this, own, timestamp))
  }

  async offsetForMaxTimestamp(log: Log): Promise<OffsetAndTimestamp | undefined> {
    const own = readable(log)
    return this.run(() => recordWithMaxTimestamp(this, own))
  }

  async timestampAt(log: Log, offset: Offset): Promise<number | undefined> {
    const own = readable(log)
    return this.run(() => timestampOfBatch(this, own, offset))
  }

  /**
   * Runs a reading to its end.
   *
   * @param begin called again if a compaction interferes
   * @throws {KafkaError} the reading's error; KAFKA_STORAGE_ERROR when the disk refuses
   */
  run<Result>(begin: () => DiskSteps<Result>): Result | Promise<Result> {
    const reading = begin()
    try {
      let step = reading.next()
      for (let reads = 0; !step.done; reads++) {
        if (step.value.isCold || reads === SYNC_READS_MAX)
          return this.#runAsync(begin, reading, step.value)
        step = this.#readNow(reading, step.value)
      }
      return step.value
    } catch (error) {
      if (error instanceof SegmentMoving) return this.#runAnew(begin, error)
      if (error instanceof RotFound) this.#onRot(error.segment)
      throw errorForClient(error)
    }
  }

  async #runAnew<Result>(
    begin: () => DiskSteps<Result>,
    { settled }: SegmentMoving,
  ): Promise<Result> {
    await settled
    return this.run(begin)
  }

  #readNow<Result>(
    reading: DiskSteps<Result>,
    want: ReadAt,
  ): IteratorResult<ReadAt | Loan, Result> {
    let count: number
    try {
      count = this.#fs.read(this.#files.descriptor(want), want.into, want.position)
    } catch (error) {
      this.#noteGone(want, error)
      return reading.throw(error)
    }
    return reading.next(count)
  }

  async #runAsync<Result>(
    begin: () => DiskSteps<Result>,
    reading: DiskSteps<Result>,
    first: ReadAt | Loan,
  ): Promise<Result> {
    try {
      let step = await this.#readLater(reading, first)
      while (!step.done) step = await this.#readLater(reading, step.value)
      return step.value
    } catch (error) {
      if (error instanceof SegmentMoving) return this.#runAnew(begin, error)
      if (error instanceof RotFound) this.#onRot(error.segment)
      throw errorForClient(error)
    }
  }

  async #readLater<Result>(
    reading: DiskSteps<Result>,
    want: ReadAt | Loan,
  ): Promise<IteratorResult<ReadAt | Loan, Result>> {
    let count = 0
    try {
      if ('lendTo' in want) await this.#lend(want)
      else {
        const { into, position } = want
        count = await this.#files.lend(want, (fd) => this.#fs.readAsync(fd, into, position))
      }
    } catch (error) {
      this.#noteGone(want, error)
      return reading.throw(error)
    }
    return reading.next(count)
  }

  /** Loans run one after the other, so that waiting ones keep no file open. */
  #lend(loan: Loan): Promise<void> {
    const done = this.#loans.then(() => this.#files.lend(loan, loan.lendTo))
    this.#loans = done.catch(() => {}) // the borrower gets the error
    return done
  }

  #noteGone({ segment, suffix }: FileOf, error: unknown): void {
    if (suffix === '.log' && errnoCode(error) === 'ENOENT') this.#onRot(segment)
  }

  *#batchesFrom(log: LogView, offset: number, limits: OwnReadLimits): DiskSteps<ReadResult> {
    const endOffset = limits.endOffset ?? Infinity
    const end = Math.min(log.highWatermark, endOffset)
    for (let from = offset; from < end;) {
      const extent = extentToRead(log, from)
      if (!extent) return emptyRead(offset)
      from = Math.max(from, extent.startOffset)
      const place = yield* this.#place(log, extent, from)
      if (place.position < extent.endPosition) {
        const isCold = from < log.hotOffset
        const read = yield* this.#batchesAt(extent, place, from, { ...limits, endOffset, isCold })
        if (!read) return emptyRead(offset)
        if (!extent.segment.isReplaced)
          log.hints.set(read.nextOffset, place.position + read.bytes.length)
        return read
      }
      // Only a compacted log may lack batches at the end of an extent.
      if (!extent.isSparse) throw new RotFound(extent.segment, `ends before offset ${from}`)
      from = extent.endOffset
    }
    return emptyRead(offset)
  }

  /** Position of the first batch that ends at `offset` or later; the extent's end if there is none. */
  *locate(log: ReadableLog, extent: Extent, offset: number): DiskSteps<number> {
    return (yield* this.#place(log, extent, offset)).position
  }

  *#place(log: ReadableLog, extent: Extent, offset: number): DiskSteps<Place> {
    const { startOffset, startPosition, endOffset, endPosition } = extent
    if (offset <= startOffset) return { position: startPosition, baseOffset: startOffset }
    const hint = log.hints.get(offset)
    if (hint !== undefined) return { position: hint, baseOffset: offset }
    const isCold = offset < log.hotOffset
    const start = yield* this.#startFromIndex(extent, offset, isCold)
    const walk = new BatchWalk(this.pool, extent, start, LOCATE_BYTES, isCold)
    try {
      while (yield* walk.next()) {
        if (walk.lastOffset >= offset) return walk
      }
      return { position: endPosition, baseOffset: endOffset }
    } finally {
      walk.release()
    }
  }

  /**
   * Reads up to the limits and cuts back to whole batches; reads again if the first batch alone is larger. @returns
   * undefined when none fits
   */
  *#batchesAt(
    extent: Extent,
    { position, baseOffset }: Place,
    offset: number,
    options: OwnReadLimits & { readonly endOffset: number; readonly isCold: boolean },
  ): DiskSteps<ReadResult | undefined> {
    const { atLeastOne, isCold, endOffset } = options
    const isChecked = isCold && !options.isUnchecked
    const wantedBatches = { offset, baseOffset, endOffset, isChecked }
    const bytesMax = Math.min(options.bytesMax, READ_BYTES_MAX)
    const wanted = Math.min(extent.endPosition - position, Math.max(bytesMax, BATCH_OVERHEAD_BYTES))
    for (let sizeBytes = wanted; ;) {
      const buffer = this.pool.take(sizeBytes)
      let isTaken = false
      try {
        const into = buffer.subarray(0, sizeBytes)
        const count = yield { segment: extent.segment, suffix: '.log', into, position, isCold }
        const found = into.subarray(0, count)
        const whole = wholeBatches(found, extent, position, wantedBatches)
        if (whole.firstBytes > count && count < sizeBytes)
          throw new RotFound(extent.segment, `ends at ${position + count}, within a batch`)
        const fits = whole.sizeBytes > 0 && (atLeastOne || whole.sizeBytes <= bytesMax)
        if (fits) {
          isTaken = true
          return this.#result(buffer, whole)
        }
        if (!atLeastOne || sizeBytes >= whole.firstBytes) return undefined
        sizeBytes = whole.firstBytes
      } finally {
        if (!isTaken) this.pool.give(buffer)
      }
    }
  }

  #result(buffer: Buffer, { sizeBytes, nextOffset, recordCount }: WholeBatches): ReadResult {
    let isReleased = false
    return {
      bytes: buffer.subarray(0, sizeBytes),
      nextOffset: Offset(nextOffset),
      recordCount,
      release: () => {
        assert(!isReleased, 'a read buffer is released once')
        isReleased = true
        this.pool.give(buffer)
      },
    }
  }

  /**
   * Position of a batch at or before the one with `offset`. An index is a hint: its entry is checked against the
   * batch.
   */
  *#startFromIndex(extent: Extent, offset: number, isCold: boolean): DiskSteps<number> {
    const { segment, startPosition, endPosition } = extent
    const index = { segment, suffix: '.index', entryBytes: OFFSET_ENTRY_BYTES, isCold } as const
    const parse = (bytes: Buffer) => readOffsetEntry(bytes, segment.baseOffset)
    const bytes = yield* this.lastEntry(index, (entry) => parse(entry).lastOffset <= offset)
    if (!bytes) return startPosition
    const { lastOffset, position } = parse(bytes)
    if (lastOffset < extent.startOffset) return startPosition
    if (position >= startPosition && position < endPosition) {
      const batch = yield* this.batchAt(extent, position, isCold)
      if (batch?.lastOffset === lastOffset) return position
    }
    this.#warn(
      `${segment.path}.index: no batch at ${position} ends at offset ${lastOffset}; the entry is passed over`,
    )
    return startPosition
  }

  /** The batch that starts at `position`; undefined when none does. */
  *batchAt(extent: Extent, position: number, isCold: boolean): DiskSteps<BatchWalk | undefined> {
    const walk = new BatchWalk(this.pool, extent, position, BATCH_OVERHEAD_BYTES, isCold)
    try {
      return (yield* walk.next()) ? walk : undefined
    } catch (error) {
      if (error instanceof KafkaError && error.code === 'CORRUPT_MESSAGE') return undefined
      throw error
    } finally {
      walk.release()
    }
  }

  /** The last entry of an index file for which `isBefore` is true; undefined: none, or no readable index. */
  *lastEntry(
    index: IndexFile,
    isBefore: (entry: Buffer) => boolean,
  ): DiskSteps<Buffer | undefined> {
    try {
      const sizeBytes = this.#fs.sizeBytes(this.#files.descriptor(index))
      return yield* lastEntryIn(index, sizeBytes, isBefore)
    } catch (error) {
      if (error instanceof SegmentMoving) throw error
      const name = index.segment.path + index.suffix
      if (errnoCode(error) !== 'ENOENT') this.#warn(`${name}: ${String(error)}; passed over`)
      return undefined
    }
  }
}

/** @throws {KafkaError} UNKNOWN_TOPIC_OR_PARTITION when the log is being deleted */
function readable(log: Log): LogView {
  const own = ownLog(log)
  if (!own.isRemoved) return own
  throw new KafkaError('UNKNOWN_TOPIC_OR_PARTITION', `${own.topic.name} is being deleted`)
}

/** An empty result, without a buffer. */
function emptyRead(offset: number): ReadResult {
  return { bytes: NO_BYTES, nextOffset: Offset(offset), recordCount: 0, release() {} }
}

/** The place of a batch. */
interface Place {
  readonly position: number
  /** In a sparse extent the batch may start later. */
  readonly baseOffset: number
}

/** Size of the whole batches at the start of `bytes`, and the offset after them. */
interface WholeBatches {
  readonly sizeBytes: number
  readonly nextOffset: number
  readonly recordCount: number
  /** Size of the first batch, even if it is not whole; 0 when it reaches the end offset. */
  readonly firstBytes: number
}

interface BatchesWanted {
  /** An offset in the first batch. */
  readonly offset: number
  /** Base offset of the first batch, or a lower bound in a sparse extent. */
  readonly baseOffset: number
  /** No batch may reach this offset. */
  readonly endOffset: number
  /** Check each batch's CRC: bytes from the disk may have rotted there. */
  readonly isChecked: boolean
}

/**
 * The batches that continue the extent.
 *
 * @param position of `bytes` in the segment
 * @throws {RotFound} when the first is not a good batch, or does not hold `offset`
 */
function wholeBatches(
  bytes: Buffer,
  extent: Extent,
  position: number,
  { offset, baseOffset, endOffset, isChecked }: BatchesWanted,
): WholeBatches {
  const continuity = new Continuity(extent, baseOffset)
  const firstBytes = continuity.take(bytes, 0, position)
  if (continuity.nextOffset! <= offset)
    throw new RotFound(extent.segment, `has a batch at ${position} that ends before ${offset}`)
  const isFirstWanted = continuity.nextOffset! <= endOffset
  let end = 0
  let nextOffset = offset
  let recordCount = 0
  for (let size: number | undefined = firstBytes; size !== undefined;) {
    if (end + size > bytes.length || continuity.nextOffset! > endOffset) break
    if (isChecked && !crcMatches(bytes, end, size)) {
      if (end > 0) break
      throw new RotFound(extent.segment, `has a batch at ${position} that its CRC does not match`)
    }
    recordCount += recordCountOf(bytes, end)
    end += size
    nextOffset = continuity.nextOffset!
    size = continuity.step(bytes, end, position + end)
  }
  return { sizeBytes: end, nextOffset, recordCount, firstBytes: isFirstWanted ? firstBytes : 0 }
}

/** The client's error for a failed read. */
function errorForClient(error: unknown): unknown {
  const code = errnoCode(error)
  if (code === undefined || error instanceof KafkaError) return error
  // A trim has just deleted the segment: the client asks again, and learns the log start.
  if (code === 'ENOENT')
    return new KafkaError('NOT_LEADER_OR_FOLLOWER', 'the segment is being deleted', {
      cause: error,
    })
  return new KafkaError('KAFKA_STORAGE_ERROR', `the disk refused a read: ${code}`, { cause: error })
}
