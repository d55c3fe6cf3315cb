// Segment: one .log file with its two indexes, from the appending side. Bytes go to the end, or the file stays as it was.
// Writer thread; readers open the files by themselves. Format: docs/formats/segments.md

import { strict as assert } from 'node:assert'
import { join } from 'node:path'
import { DiskFailure, orDiskFailure, syncOrDie } from '../disk-failure.ts'
import type { Fs } from '../fs.ts'
import { segmentFile } from '../layout.ts'
import type { LogConfig, SegmentInfo } from '../writer/commands.ts'
import { OFFSET_ENTRY_BYTES, OffsetIndex } from './offset-index.ts'
import { TIME_ENTRY_BYTES, TimeIndex } from './time-index.ts'

/** Relative offsets and positions are int32 in the indexes. */
const INT32_MAX = 0x7fffffff

/** What a segment must know of a batch that it holds. */
export interface BatchFacts {
  readonly lastOffset: number
  readonly sizeBytes: number
  /** ms; -1 none */
  readonly maxTimestamp: number
}

export interface PendingBatches {
  readonly batches: readonly BatchFacts[]
  readonly sizeBytes: number
}

/** What recovery found out about a segment that is to be appended to. */
export interface SegmentStart {
  readonly baseOffset: number
  readonly sizeBytes: number
  readonly maxTimestamp: number
  readonly maxTimestampOffset: number
  /** Largest timestamp of the first batch; undefined in an empty segment. */
  readonly firstTimestamp: number | undefined
  readonly offsetEntryCount: number
  readonly timeEntryCount: number
  readonly lastTimeEntryTimestamp: number
  /** Bytes since the batch of the last index entry. */
  readonly bytesSinceIndexEntry: number
}

export class Segment {
  readonly baseOffset: number
  readonly path: string
  readonly createdMs: number
  readonly #fs: Fs
  readonly #offsetIndex: OffsetIndex
  readonly #timeIndex: TimeIndex
  #fd: number | undefined
  #isDirty = false
  #sizeBytes: number
  #maxTimestamp: number
  #maxTimestampOffset: number
  #firstTimestamp: number | undefined
  #bytesSinceIndexEntry: number

  constructor(fs: Fs, directoryPath: string, createdMs: number, start: SegmentStart) {
    const { baseOffset } = start
    this.baseOffset = baseOffset
    this.path = join(directoryPath, segmentFile(baseOffset, '.log'))
    this.createdMs = createdMs
    this.#fs = fs
    const indexPath = join(directoryPath, segmentFile(baseOffset, '.index'))
    const timePath = join(directoryPath, segmentFile(baseOffset, '.timeindex'))
    this.#offsetIndex = new OffsetIndex(fs, indexPath, baseOffset, start.offsetEntryCount)
    this.#timeIndex = new TimeIndex(
      fs,
      timePath,
      baseOffset,
      start.timeEntryCount,
      start.lastTimeEntryTimestamp,
    )
    this.#sizeBytes = start.sizeBytes
    this.#maxTimestamp = start.maxTimestamp
    this.#maxTimestampOffset = start.maxTimestampOffset
    this.#firstTimestamp = start.firstTimestamp
    this.#bytesSinceIndexEntry = start.bytesSinceIndexEntry
  }

  /** Makes the three files of an empty segment; the caller syncs the directory. Files in the way are emptied. */
  static create(fs: Fs, directoryPath: string, createdMs: number, baseOffset: number): Segment {
    for (const suffix of ['.log', '.index', '.timeindex'] as const) {
      const path = join(directoryPath, segmentFile(baseOffset, suffix))
      fs.close(fs.open(path, 'replace'))
    }
    return new Segment(fs, directoryPath, createdMs, {
      baseOffset,
      sizeBytes: 0,
      maxTimestamp: -1,
      maxTimestampOffset: -1,
      firstTimestamp: undefined,
      offsetEntryCount: 0,
      timeEntryCount: 0,
      lastTimeEntryTimestamp: -1,
      bytesSinceIndexEntry: 0,
    })
  }

  get sizeBytes(): number {
    return this.#sizeBytes
  }

  get info(): SegmentInfo {
    return {
      baseOffset: this.baseOffset,
      sizeBytes: this.#sizeBytes,
      maxTimestamp: this.#maxTimestamp,
    }
  }

  /** Written since the last sync? */
  get isDirty(): boolean {
    return this.#isDirty
  }

  /**
   * Must a new segment begin before this batch is appended? By size, by time (between timestamps of records where there are
   * any, as Kafka does), or because an index is full.
   *
   * @param pending batches to be written before this one. With any, yes may mean perhaps: write them and ask again
   */
  mustRoll(batch: BatchFacts, pending: PendingBatches, config: LogConfig, nowMs: number): boolean {
    const sizeBytes = this.#sizeBytes + pending.sizeBytes
    if (sizeBytes === 0) return false
    if (sizeBytes + batch.sizeBytes > config.segmentBytesMax) return true
    if (batch.lastOffset - this.baseOffset > INT32_MAX) return true
    const firstTimestamp = this.#firstTimestamp ?? pending.batches[0]?.maxTimestamp ?? -1
    const ageMs = firstTimestamp < 0 ? nowMs - this.createdMs : batch.maxTimestamp - firstTimestamp
    if (ageMs > config.segmentMs) return true
    const newEntries = pending.batches.length + 1
    const entriesMax = (entryBytes: number) => Math.floor(config.indexBytesMax / entryBytes)
    return (
      this.#offsetIndex.file.count + newEntries > entriesMax(OFFSET_ENTRY_BYTES) ||
      this.#timeIndex.file.count + newEntries > entriesMax(TIME_ENTRY_BYTES) - 1
    )
  }

  /**
   * Writes whole batches at the end.
   *
   * @param pieces borrowed; their bytes in order, `sizeBytes` in all
   * @throws when the disk refuses: the file is as before
   * @throws {DiskFailure} when the disk fails
   */
  write(pieces: readonly Uint8Array[], sizeBytes: number): void {
    orDiskFailure(this.path, () => {
      this.#fd ??= this.#fs.open(this.path, 'write')
    })
    this.#isDirty = true
    try {
      this.#writeAll(pieces, sizeBytes)
    } catch (error) {
      this.#cutBack()
      throw error
    }
    this.#sizeBytes += sizeBytes
  }

  #writeAll(pieces: readonly Uint8Array[], sizeBytes: number): void {
    const fd = this.#fd!
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

  /** Takes back a partial write. */
  #cutBack(): void {
    try {
      this.#fs.truncate(this.#fd!, this.#sizeBytes)
    } catch (error) {
      throw new DiskFailure(`${this.path}: cannot take back a partial write`, { cause: error })
    }
  }

  /** Notes a batch that was written, in its order. @param position of its first byte */
  note(batch: BatchFacts, position: number, indexIntervalBytes: number): void {
    this.#firstTimestamp ??= batch.maxTimestamp
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

  /** Lets readers see the index entries, once enough of them wait. Without room on the disk they wait on. */
  saveIndexesIfDue(): void {
    if (this.#offsetIndex.file.isSaveDue) this.saveIndexes()
  }

  saveIndexes(): void {
    this.#offsetIndex.file.save()
    this.#timeIndex.file.save()
  }

  /** @throws {DiskFailure} nothing that was written since the last sync is known to be durable */
  sync(): void {
    if (!this.#isDirty) return
    assert(this.#fd !== undefined, 'a file with unsynced bytes is open')
    const fd = this.#fd
    syncOrDie(this.path, () => this.#fs.sync(fd))
    this.#isDirty = false
  }

  /** Everything durable, the time index ending in the largest timestamp. The segment is complete, or the process ends. */
  seal(): void {
    this.sync()
    this.#timeIndex.appendIfLarger(this.#maxTimestamp, this.#maxTimestampOffset)
    for (const { file } of [this.#offsetIndex, this.#timeIndex]) {
      orDiskFailure(file.path, () => file.seal())
    }
  }

  /** Frees the descriptor; the next write opens the file again. */
  release(): void {
    assert(!this.#isDirty, 'a file is synced before it is closed')
    if (this.#fd !== undefined) this.#fs.close(this.#fd)
    this.#fd = undefined
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
