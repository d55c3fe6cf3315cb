// Segment: one .log file with its indexes, from the appending side. A write appends all its bytes, or leaves the file
// as it was.
// Writer thread; readers open the files by themselves. Format: docs/formats/segments.md

import { strict as assert } from 'node:assert'
import { join } from 'node:path'
import { isRefusal, orDiskFailure, syncOrDie } from '../disk-failure.ts'
import {
  BATCH_OVERHEAD_BYTES,
  baseOffsetOf,
  MAGIC,
  magicOf,
  maxTimestampOf,
} from '../../protocol/batch/header.ts'
import { murmur2 } from '../../protocol/murmur2.ts'
import type { Clock } from '../clock.ts'
import type { Fs } from '../fs.ts'
import { segmentFile, type SegmentSuffix, segmentSuffixes } from '../layout.ts'
import type { LogConfig, SegmentStart } from '../log-facts.ts'
import { headHash, noHeads, sumOfHeads } from './heads.ts'
import type { IndexFile } from './index-file.ts'
import { OFFSET_ENTRY_BYTES, OffsetIndex } from './offset-index.ts'
import { TIME_ENTRY_BYTES, TimeIndex } from './time-index.ts'
import { type TxnEntry, TxnIndex } from './txn-index.ts'

/** Relative offsets and positions are int32 in the indexes. */
const INT32_MAX = 0x7fffffff

/** A segment's facts about one of its batches. */
export interface BatchFacts {
  readonly lastOffset: number
  readonly sizeBytes: number
  /** ms; -1: none */
  readonly maxTimestamp: number
  /** Its CRC. */
  readonly checksum: number
}

export interface PendingBatches {
  readonly batches: readonly BatchFacts[]
  readonly sizeBytes: number
}

export function emptySegment(baseOffset: number): SegmentStart {
  return {
    baseOffset,
    endOffset: baseOffset,
    sizeBytes: 0,
    maxTimestamp: -1,
    maxTimestampOffset: -1,
    offsetEntryCount: 0,
    timeEntryCount: 0,
    lastTimeEntryTimestamp: -1,
    abortedCount: 0,
    abortedChecksum: 0,
    heads: noHeads,
  }
}

export class Segment {
  readonly baseOffset: number
  readonly path: string
  readonly createdMs: number
  /** Transactions that markers in this segment aborted. */
  readonly txnIndex: TxnIndex
  readonly #fs: Fs
  readonly #offsetIndex: OffsetIndex
  readonly #timeIndex: TimeIndex
  #fd: number | undefined
  #isDirty = false
  #hasFinishedIndexes: boolean
  #endOffset: number
  #sizeBytes: number
  #maxTimestamp: number
  #maxTimestampOffset: number
  #heads: { first: number; sum: number } | undefined
  /** Largest timestamp of the first batch; undefined: not read yet. */
  #firstTimestamp: number | undefined
  #bytesSinceIndexEntry = 0
  /** A number derived from the segment's name, the same after a restart; undefined until first needed. */
  #chance: number | undefined

  /** @param nameOf its files' names, by suffix; a segment to be swapped in has other names */
  constructor(
    fs: Fs,
    directoryPath: string,
    createdMs: number,
    start: SegmentStart,
    nameOf = (suffix: SegmentSuffix) => segmentFile(start.baseOffset, suffix),
  ) {
    const { baseOffset } = start
    this.baseOffset = baseOffset
    this.path = join(directoryPath, nameOf('.log'))
    this.createdMs = createdMs
    this.#fs = fs
    const indexPath = join(directoryPath, nameOf('.index'))
    const timePath = join(directoryPath, nameOf('.timeindex'))
    this.#offsetIndex = new OffsetIndex(fs, indexPath, baseOffset, start.offsetEntryCount)
    this.#timeIndex = new TimeIndex(
      fs,
      timePath,
      baseOffset,
      start.timeEntryCount,
      start.lastTimeEntryTimestamp,
    )
    const txnPath = join(directoryPath, nameOf('.txnindex'))
    this.txnIndex = new TxnIndex(fs, txnPath, start)
    this.#hasFinishedIndexes = start.lastTimeEntryTimestamp === start.maxTimestamp
    this.#endOffset = start.endOffset
    this.#sizeBytes = start.sizeBytes
    this.#maxTimestamp = start.maxTimestamp
    this.#maxTimestampOffset = start.maxTimestampOffset
    this.#heads = start.heads && { ...start.heads }
  }

  /** Creates the files of an empty segment; the caller syncs the directory. Existing files are emptied. */
  static create(fs: Fs, directoryPath: string, createdMs: number, baseOffset: number): Segment {
    for (const suffix of segmentSuffixes) {
      const path = join(directoryPath, segmentFile(baseOffset, suffix))
      const isWanted = suffix !== '.txnindex' || fs.stat(path)
      if (isWanted) fs.close(fs.open(path, 'replace'))
    }
    return new Segment(fs, directoryPath, createdMs, emptySegment(baseOffset))
  }

  /** Offset after the last noted record. */
  get endOffset(): number {
    return this.#endOffset
  }

  get sizeBytes(): number {
    return this.#sizeBytes
  }

  get info(): SegmentStart {
    return {
      baseOffset: this.baseOffset,
      endOffset: this.#endOffset,
      sizeBytes: this.#sizeBytes,
      maxTimestamp: this.#maxTimestamp,
      maxTimestampOffset: this.#maxTimestampOffset,
      offsetEntryCount: this.#offsetIndex.file.count,
      timeEntryCount: this.#timeIndex.file.count,
      lastTimeEntryTimestamp: this.#timeIndex.lastTimestamp,
      ...this.txnIndex.info,
      heads: this.#heads && { ...this.#heads },
    }
  }

  get abortedCount(): number {
    return this.txnIndex.file.count
  }

  /** The facts for a later process; undefined while some of the segment is not on disk. */
  get checkpoint(): SegmentStart | undefined {
    const isSaved = !this.#isDirty && this.#indexes.every(({ file }) => file.isSaved)
    return isSaved ? this.info : undefined
  }

  get #indexes(): readonly { readonly file: IndexFile }[] {
    const sparse = [this.#offsetIndex, this.#timeIndex]
    return this.abortedCount > 0 ? [...sparse, this.txnIndex] : sparse
  }

  /** Written since the last sync? */
  get isDirty(): boolean {
    return this.#isDirty
  }

  /** The file ends here now, and so do its offsets. */
  growTo(sizeBytes: number, endOffset: number): void {
    assert(sizeBytes >= this.#sizeBytes && endOffset >= this.#endOffset, 'a segment only grows')
    this.#sizeBytes = sizeBytes
    this.#endOffset = endOffset
  }

  /**
   * Must a new segment start before this batch? By size, by time (by record timestamps if there are any, as in
   * Kafka), or because an index is full.
   *
   * @param pending batches to be written first. If there are any, true may be wrong: write them and ask again
   */
  mustRoll(batch: BatchFacts, pending: PendingBatches, config: LogConfig, clock: Clock): boolean {
    const sizeBytes = this.#sizeBytes + pending.sizeBytes
    if (sizeBytes === 0) return false
    if (sizeBytes + batch.sizeBytes > config.segmentBytesMax) return true
    if (batch.lastOffset - this.baseOffset > INT32_MAX) return true
    if (this.#sizeBytes > 0) this.#firstTimestamp ??= this.#readFirstTimestamp()
    const firstTimestamp = this.#firstTimestamp ?? pending.batches[0]?.maxTimestamp ?? -1
    const ageMs =
      firstTimestamp < 0 ? clock.now() - this.createdMs : batch.maxTimestamp - firstTimestamp
    if (ageMs > config.segmentMs - this.#jitterMs(config)) return true
    const newEntries = pending.batches.length + 1
    const offsetEntries = this.#offsetIndex.file.count + newEntries
    // Kafka keeps room for the last entry that a time index gets when it is sealed.
    const timeEntries = this.#timeIndex.file.count + newEntries + 1
    return (
      offsetEntries * OFFSET_ENTRY_BYTES > config.indexBytesMax ||
      timeEntries * TIME_ENTRY_BYTES > config.indexBytesMax
    )
  }

  #jitterMs({ segmentMs, segmentJitterMs }: LogConfig): number {
    const mostMs = Math.min(segmentJitterMs, segmentMs)
    if (mostMs === 0) return 0
    this.#chance ??= murmur2(Buffer.from(this.path)) & 0x7fffffff
    return this.#chance % mostMs
  }

  /** @returns -1, as for a batch without timestamps, when the first batch is not whole */
  #readFirstTimestamp(): number {
    const header = Buffer.alloc(BATCH_OVERHEAD_BYTES)
    orDiskFailure(this.path, () => this.#fs.read(this.#open(), header, 0))
    const isSound = magicOf(header) === MAGIC && baseOffsetOf(header) === this.baseOffset
    return isSound ? maxTimestampOf(header) : -1
  }

  /**
   * Writes whole batches at the end.
   *
   * @param pieces borrowed; their bytes in order, `sizeBytes` in all
   * @param aborted transactions that markers among them abort: indexed first, so that no reader misses them
   * @throws when the disk refuses: the file is unchanged
   * @throws {DiskFailure} when the disk fails
   */
  write(pieces: readonly Uint8Array[], sizeBytes: number, aborted: readonly TxnEntry[] = []): void {
    const indexed = this.txnIndex.info
    this.txnIndex.appendAndSave(aborted)
    try {
      // Last, because opening another file may close this one.
      this.#append(
        orDiskFailure(this.path, () => this.#open()),
        pieces,
        sizeBytes,
      )
    } catch (error) {
      this.txnIndex.cutTo(indexed)
      throw error
    }
  }

  #append(fd: number, pieces: readonly Uint8Array[], sizeBytes: number): void {
    this.#isDirty = true
    try {
      this.#writeAll(fd, pieces, sizeBytes)
    } catch (error) {
      this.#cutBack(fd)
      throw error
    }
    this.#sizeBytes += sizeBytes
  }

  #open(): number {
    this.#fd ??= this.#fs.open(this.path, 'write')
    return this.#fd
  }

  #writeAll(fd: number, pieces: readonly Uint8Array[], sizeBytes: number): void {
    const position = this.#sizeBytes
    orDiskFailure(this.path, () => {
      let written =
        pieces.length === 1
          ? this.#fs.write(fd, pieces[0]!, position)
          : this.#fs.writev(fd, pieces, position)
      while (written < sizeBytes) {
        written += this.#fs.writev(fd, piecesFrom(pieces, written), position + written)
      }
    })
  }

  /** Removes a partial write, durably: after a power failure it could mix with the next write. */
  #cutBack(fd: number): void {
    syncOrDie(this.path, () => {
      this.#fs.truncate(fd, this.#sizeBytes)
      this.#fs.sync(fd)
    })
  }

  /** Notes a written batch, in order. @param position of its first byte */
  note(batch: BatchFacts, position: number, indexIntervalBytes: number): void {
    assert(batch.lastOffset >= this.#endOffset, 'batches are noted in the order of their offsets')
    this.#endOffset = batch.lastOffset + 1
    this.#hasFinishedIndexes = false
    if (position === 0) this.#firstTimestamp = batch.maxTimestamp
    this.#noteHead(batch, position)
    if (batch.maxTimestamp > this.#maxTimestamp) {
      this.#maxTimestamp = batch.maxTimestamp
      this.#maxTimestampOffset = batch.lastOffset
    }
    if (this.#bytesSinceIndexEntry > indexIntervalBytes) {
      this.#offsetIndex.append(batch.lastOffset, position)
      this.#timeIndex.appendIfLarger(this.#maxTimestamp, this.#maxTimestampOffset)
      this.#bytesSinceIndexEntry = 0
    }
    this.#bytesSinceIndexEntry += batch.sizeBytes
  }

  #noteHead({ checksum, lastOffset, sizeBytes }: BatchFacts, position: number): void {
    const heads = this.#heads
    if (!heads) return
    if (position === 0) heads.first = checksum
    heads.sum = sumOfHeads(heads.sum, headHash(checksum, lastOffset, sizeBytes))
  }

  /** Makes the index entries visible to readers, once enough of them wait. */
  saveIndexesIfDue(): void {
    if (this.#offsetIndex.file.isSaveDue) this.saveIndexes()
  }

  /** On a full disk the entries keep waiting: they are hints. */
  saveIndexes(): void {
    try {
      for (const { file } of this.#indexes) orDiskFailure(file.path, () => file.save())
    } catch (error) {
      if (!isRefusal(error)) throw error
    }
  }

  /** Makes the transaction index durable, unless the disk is full. */
  syncTxnIndex(): void {
    try {
      this.txnIndex.sync()
    } catch (error) {
      if (!isRefusal(error)) throw error
    }
  }

  /** @throws {DiskFailure} then nothing written since the last sync is known to be durable */
  sync(): void {
    if (!this.#isDirty) return
    assert(this.#fd !== undefined, 'a file with unsynced bytes is open')
    const fd = this.#fd
    syncOrDie(this.path, () => this.#fs.sync(fd))
    this.#isDirty = false
  }

  /** Has no batch been noted since `finishIndexes`? */
  get hasFinishedIndexes(): boolean {
    return this.#hasFinishedIndexes
  }

  /**
   * Writes the index files, with all entries and nothing else; the time index ends with the largest timestamp, as
   * Kafka's does.
   */
  finishIndexes(): void {
    this.#timeIndex.appendIfLarger(this.#maxTimestamp, this.#maxTimestampOffset)
    for (const { file } of this.#indexes) orDiskFailure(file.path, () => file.saveAndCut())
    this.#hasFinishedIndexes = true
  }

  /** Makes everything durable and complete: nothing is appended any more. */
  seal(): void {
    this.sync()
    this.#timeIndex.appendIfLarger(this.#maxTimestamp, this.#maxTimestampOffset)
    for (const { file } of this.#indexes) orDiskFailure(file.path, () => file.seal())
  }

  /** Closes the file; the next write opens it again. */
  release(): void {
    assert(!this.#isDirty, 'a file is synced before it is closed')
    if (this.#fd !== undefined) this.#fs.close(this.#fd)
    this.#fd = undefined
  }

  /** As `release`, for files that are deleted next: their contents need not be durable. */
  abandon(): void {
    this.#isDirty = false
    this.release()
  }
}

function piecesFrom(pieces: readonly Uint8Array[], start: number): Uint8Array[] {
  const rest: Uint8Array[] = []
  let pieceStart = 0
  for (const piece of pieces) {
    const skip = Math.max(0, start - pieceStart)
    if (skip < piece.length) rest.push(piece.subarray(skip))
    pieceStart += piece.length
  }
  return rest
}
