// PartitionLog: one partition's log from the writing side. Gathers the batches of a turn, gives them their offsets, rolls
// segments, and knows what is durable. Offsets are dense: the next batch starts where the last one ended.
// Writer thread. See docs/formats/segments.md

import { strict as assert } from 'node:assert'
import { join } from 'node:path'
import { buildEndMarker } from '../../protocol/batch/control.ts'
import {
  baseOffsetOf,
  checksumOf,
  lastOffsetDeltaOf,
  maxTimestampOf,
  stampBatch,
  stampLogAppendTime,
} from '../../protocol/batch/header.ts'
import type { ErrorName } from '../../protocol/errors.ts'
import type { Clock } from '../clock.ts'
import { isRefusal, orDiskFailure, syncOrDie } from '../disk-failure.ts'
import type { Fs } from '../fs.ts'
import { DELETED_SUFFIX, segmentFile, segmentSuffixes, type SwapRange } from '../layout.ts'
import { type SequencedBatch, sequencedBatchOf } from '../producers/producer-batch.ts'
import type { ProducerSnapshots } from '../producers/producer-snapshot.ts'
import type { ProducerState } from '../producers/producer-state.ts'
import { type BatchRefusal, batchRefusal } from '../record-rules.ts'
import { writeEpochFile } from '../segment/epoch-file.ts'
import { epochsFrom } from '../segment/epochs.ts'
import type { LogStart } from '../recovery/recover-log.ts'
import { isWithin, withQuarantined } from '../segment/quarantined.ts'
import { removeSegmentFiles } from '../segment/segment-files.ts'
import { finishSwap } from '../segment/segment-swap.ts'
import { assertOrder } from '../watermarks.ts'
import { type BatchFacts, Segment } from '../segment/segment.ts'
import type { Append, EndTransaction } from './commands.ts'
import {
  checkpointLine,
  type Compacted,
  type LogCheckpoint,
} from '../recovery/recovery-checkpoint.ts'
import { type PendingAppend, type Duplicate, Staged, type StagedBatch } from './staged.ts'
import type { TurnReport } from './turn-report.ts'
import type {
  EpochStart,
  LogConfig,
  LogState,
  ProducerInfo,
  Quarantined,
  SegmentInfo,
  SegmentStart,
  Slot,
} from '../log-facts.ts'

export interface PartitionLogDeps {
  readonly fs: Fs
  readonly clock: Clock
  /** Of the partition. */
  readonly path: string
}

export class PartitionLog {
  readonly slot: Slot
  readonly directory: string
  config: LogConfig
  readonly #deps: PartitionLogDeps
  #sealed: SegmentStart[]
  #active: Segment
  #epochs: EpochStart[]
  #quarantined: Quarantined[]
  #compacted: Compacted
  #swaps: readonly SwapRange[]
  #logStartOffset: number
  /** Offset of the next record: after the staged, after the written, and after the durable records. */
  #nextOffset: number
  #writtenOffset: number
  #durableOffset: number
  #durableBytes: number
  #staged = new Staged()
  readonly #producers: ProducerState
  readonly #snapshots: ProducerSnapshots
  #lastAppendTimeMs: number
  /** Does leader-epoch-checkpoint name every epoch with a record? */
  #areEpochsSaved = true
  /** The last checkpoint line, as long as nothing has changed since. */
  #checkpointLine: string | undefined

  constructor(
    deps: PartitionLogDeps,
    slot: Slot,
    directory: string,
    config: LogConfig,
    start: LogStart,
  ) {
    this.#deps = deps
    this.slot = slot
    this.directory = directory
    this.config = config
    this.#sealed = [...start.sealed]
    this.#active = start.active
    this.#epochs = [...start.epochs]
    this.#quarantined = [...start.quarantined]
    this.#compacted = start.compacted
    this.#swaps = start.swaps
    this.#logStartOffset = start.logStartOffset
    this.#nextOffset = start.active.endOffset
    this.#writtenOffset = start.active.endOffset
    this.#durableOffset = start.active.endOffset
    this.#durableBytes = start.active.sizeBytes
    this.#producers = start.producers.state
    this.#snapshots = start.producers.snapshots
    this.#lastAppendTimeMs = this.segments.reduce((ms, each) => Math.max(ms, each.maxTimestamp), -1)
  }

  get segments(): SegmentInfo[] {
    return [...this.#sealed, this.#active.info].map(infoOf)
  }

  get epochs(): readonly EpochStart[] {
    return this.#epochs
  }

  get quarantined(): readonly Quarantined[] {
    return this.#quarantined
  }

  get compacted(): Compacted {
    return this.#compacted
  }

  get logStartOffset(): number {
    return this.#logStartOffset
  }

  get producers(): readonly ProducerInfo[] {
    return this.#producers.describe()
  }

  get leaderEpoch(): number {
    return this.#epochs.at(-1)!.epoch
  }

  get state(): LogState {
    const logStartOffset = this.#logStartOffset
    const logEndOffset = this.#writtenOffset
    const highWatermark = this.#isSynced ? this.#durableOffset : logEndOffset
    const stableOffset = this.#producers.lastStableOffset(highWatermark)
    const lastStableOffset = Math.max(logStartOffset, stableOffset)
    assertOrder(logStartOffset, lastStableOffset, highWatermark, logEndOffset)
    return {
      slot: this.slot,
      logStartOffset,
      logEndOffset,
      highWatermark,
      lastStableOffset,
      activeBytesVisible: this.#isSynced ? this.#durableBytes : this.#active.sizeBytes,
      activeAbortedCount: this.#active.abortedCount,
    }
  }

  /** The state that a later process may rely on, as a line of the recovery checkpoint. */
  takeCheckpoint(): string {
    this.#active.saveIndexes()
    this.#saveEpochs()
    this.#active.syncTxnIndex()
    if (this.#snapshots.isDue) this.#saveProducers()
    this.#snapshots.pin()
    this.#checkpointLine ??= checkpointLine(this.checkpoint(false))
    return this.#checkpointLine
  }

  /** @param isClosed the log is closed in order, and not written before it is opened again */
  checkpoint(isClosed: boolean): LogCheckpoint {
    const active = this.#active.checkpoint
    return {
      directory: this.directory,
      isClosed: isClosed && active !== undefined,
      logStartOffset: this.#logStartOffset,
      durableOffset: this.#durableOffset,
      segments: active ? [...this.#sealed, active] : this.#sealed,
      epochs: this.#epochs,
      quarantined: this.#quarantined,
      ...(this.#hasBeenCompacted && { compacted: this.#compacted }),
      hasProducers: this.#hasProducers,
    }
  }

  get #hasBeenCompacted(): boolean {
    return this.#compacted.firstDirtyOffset > 0 || this.#compacted.sparseEndOffset > 0
  }

  get #hasProducers(): boolean {
    const hasAborts = ({ abortedCount }: { readonly abortedCount: number }) => abortedCount > 0
    return !this.#producers.isEmpty || hasAborts(this.#active) || this.#sealed.some(hasAborts)
  }

  /**
   * Saves the producers' state, if everything written is durable: the snapshot must not name batches that a power
   * failure removes. Call it only while nothing is staged.
   */
  #saveProducers(): void {
    const offset = this.#writtenOffset
    if (offset <= this.#snapshots.newestOffset || offset > this.#durableOffset) return
    if (!this.#hasProducers) return
    this.#producers.expire(this.#deps.clock.now())
    const { baseOffset: segmentBaseOffset, sizeBytes: position } = this.#active
    const producers = [...this.#producers.entries()]
    this.#snapshots.write({ offset, place: { segmentBaseOffset, position }, producers })
  }

  /** Does a batch become acknowledged and visible only once it is on disk? */
  get #isSynced(): boolean {
    return this.config.flushPolicy === 'fsync'
  }

  /** Does the flush policy want a sync before the turn ends? */
  get isSyncDue(): boolean {
    return this.#isSynced && this.#active.isDirty
  }

  /** Gives the batch its offsets after all earlier ones; `flush` writes it. A refusal goes to the report at once. */
  stage(append: Append, report: TurnReport): void {
    const { batch } = append
    if (batch.length > this.config.segmentBytesMax) {
      const message = `${batch.length} bytes are more than segment.bytes, ${this.config.segmentBytesMax}`
      return this.#refuse(append, 'RECORD_LIST_TOO_LARGE', message, report)
    }
    const refusal = append.isChecked ? undefined : this.#refusalByRules(batch)
    if (refusal) {
      const { error, message, recordErrors } = refusal
      return report.refuse(append.id, error, message, recordErrors)
    }
    const logAppendTimeMs = this.#stampAppendTime(batch)
    const hasRoom = this.#makeRoomFor(append, report)
    stampBatch(batch, 0, this.#nextOffset, this.leaderEpoch)
    const sequenced = sequencedBatchOf(batch)
    if (!hasRoom) return sequenced && this.#producers.turnAway(sequenced)
    if (sequenced && !this.#admit(append, sequenced, report)) return
    this.#place(append, logAppendTimeMs)
  }

  #refusalByRules(batch: Uint8Array): BatchRefusal | undefined {
    const { records } = this.config
    return batchRefusal(batch, records, this.#deps.clock.now(), this.directory, 'writer')
  }

  /** Checks a batch against its producer's earlier ones. @returns false when it must not be written */
  #admit(append: Append, batch: SequencedBatch, report: TurnReport): boolean {
    const verdict = this.#producers.take(batch, append.isTransactionV2)
    if (!verdict) return true
    if ('error' in verdict) this.#refuse(append, verdict.error, verdict.message, report)
    else this.#staged.duplicates.push({ append, of: verdict })
    return false
  }

  /** Stages the control batch that ends a transaction, as `stage` does a producer's batch. */
  stageMarker(command: EndTransaction, report: TurnReport): void {
    const { id, producerId, producerEpoch, isCommit, coordinatorEpoch } = command
    const batch = buildEndMarker({
      kind: isCommit ? 'commit' : 'abort',
      coordinatorEpoch,
      producerId,
      producerEpoch,
      timestamp: this.#deps.clock.now(),
    })
    const append: PendingAppend = { id, batch }
    const logAppendTimeMs = this.#stampAppendTime(batch)
    if (!this.#makeRoomFor(append, report)) return
    const refusal = this.#producers.refusalOfMarker(command)
    if (refusal) return this.#refuse(append, refusal.error, refusal.message, report)
    stampBatch(batch, 0, this.#nextOffset, this.leaderEpoch)
    const placed = { ...command, offset: this.#nextOffset, timestampMs: maxTimestampOf(batch) }
    const ended = this.#producers.stageMarker(placed)
    if (ended && !isCommit) this.#staged.aborted.push(ended)
    this.#place(append, logAppendTimeMs)
  }

  #place(append: PendingAppend, logAppendTimeMs: number): void {
    const { batch } = append
    const baseOffset = this.#nextOffset
    const lastOffset = baseOffset + lastOffsetDeltaOf(batch)
    this.#staged.batches.push({
      append,
      baseOffset,
      lastOffset,
      sizeBytes: batch.length,
      maxTimestamp: maxTimestampOf(batch),
      checksum: checksumOf(batch),
      position: this.#active.sizeBytes + this.#staged.sizeBytes,
      logAppendTimeMs,
    })
    this.#staged.sizeBytes += batch.length
    this.#nextOffset = lastOffset + 1
  }

  #refuse({ id }: PendingAppend, error: ErrorName, message: string, report: TurnReport): void {
    report.refuse(id, error, `${this.directory} at ${this.#nextOffset}: ${message}`)
  }

  #stampAppendTime(batch: Uint8Array): number {
    if (this.config.timestampType !== 'LogAppendTime') return -1
    this.#lastAppendTimeMs = Math.max(this.#lastAppendTimeMs, this.#deps.clock.now())
    stampLogAppendTime(batch, 0, batch.length, this.#lastAppendTimeMs)
    return this.#lastAppendTimeMs
  }

  /** Rolls if necessary. @returns false when the append was refused */
  #makeRoomFor(append: PendingAppend, report: TurnReport): boolean {
    try {
      if (!this.#mustRoll(append.batch)) return true
      this.flush(report)
      if (this.#mustRoll(append.batch)) this.#roll(report)
      return true
    } catch (error) {
      if (!isRefusal(error)) throw error
      this.#refuse(append, 'KAFKA_STORAGE_ERROR', (error as Error).message, report)
      return false
    }
  }

  #mustRoll(batch: Uint8Array): boolean {
    const facts: BatchFacts = {
      lastOffset: this.#nextOffset + lastOffsetDeltaOf(batch),
      sizeBytes: batch.length,
      maxTimestamp: maxTimestampOf(batch),
      checksum: 0,
    }
    return this.#active.mustRoll(facts, this.#staged, this.config, this.#deps.clock)
  }

  /**
   * Starts a new segment, so that the active one can be deleted; a full disk leaves it. Call it only while nothing is
   * staged.
   */
  closeActive(report: TurnReport): void {
    if (this.#active.sizeBytes === 0) return
    try {
      this.#roll(report)
    } catch (error) {
      if (!isRefusal(error)) throw error
    }
  }

  /** Seals the active segment and starts one at the end offset. Call it only while nothing is staged. */
  #roll(report: TurnReport): void {
    const { fs, clock, path } = this.#deps
    report.timeSync(() => {
      this.sync() // the durable offset is noted now, because a full disk may stop the roll here
      this.#active.seal()
    })
    const closed = this.#active.info
    const next = orDiskFailure(path, () => this.#createSegment(fs, clock.now()))
    syncOrDie(path, () => fs.syncDirectory(path))
    this.#active.release()
    this.#sealed.push(closed)
    this.#active = next
    this.#durableBytes = 0
    this.#checkpointLine = undefined
    this.#saveProducers()
    report.changed.add(this)
    report.rolled.push({
      slot: this.slot,
      closed: infoOf(closed),
      activeBaseOffset: next.baseOffset,
    })
  }

  #createSegment(fs: Fs, nowMs: number): Segment {
    try {
      return Segment.create(fs, this.#deps.path, nowMs, this.#nextOffset)
    } catch (error) {
      removeSegmentFiles(fs, this.#deps.path, this.#nextOffset)
      throw error
    }
  }

  /** Writes the staged batches with one system call: all of them, or none, and then every append of them is refused. */
  flush(report: TurnReport): void {
    const staged = this.#staged
    if (staged.batches.length === 0 && staged.duplicates.length === 0) return
    this.#staged = new Staged()
    try {
      if (staged.batches.length > 0) this.#write(staged, report)
    } catch (error) {
      this.#nextOffset = this.#writtenOffset
      this.#producers.drop()
      if (!isRefusal(error)) throw error
      const { message } = error as Error
      const unwritten = staged.duplicates.filter(({ of }) => of.baseOffset >= this.#writtenOffset)
      for (const { append } of [...staged.batches, ...unwritten])
        this.#refuse(append, 'KAFKA_STORAGE_ERROR', message, report)
    }
    for (const each of staged.duplicates) this.#answerDuplicate(each, report)
  }

  #write(staged: Staged, report: TurnReport): void {
    const { batches, sizeBytes, aborted } = staged
    const pieces = batches.map(({ append }) => append.batch)
    assert(batches[0]!.position === this.#active.sizeBytes, 'a batch is written at its position')
    report.timeWrite(() => this.#active.write(pieces, sizeBytes, aborted))
    for (const each of batches) this.#noteWritten(each, report)
    this.#writtenOffset = this.#nextOffset
    this.#snapshots.bytesBehind += sizeBytes
    this.#producers.keep(this.#deps.clock.now())
    if (this.#epochs.at(-1)!.startOffset === batches[0]!.baseOffset) this.#areEpochsSaved = false
    this.#active.saveIndexesIfDue()
    report.changed.add(this)
    report.wrote(batches.length, sizeBytes)
  }

  /** A duplicate is as durable as the batch that it repeats: this turn's sync covers both. */
  #answerDuplicate({ append, of }: Duplicate, report: TurnReport): void {
    if (of.baseOffset >= this.#writtenOffset) return
    const logAppendTimeMs = this.config.timestampType === 'LogAppendTime' ? of.timestampMs : -1
    const { baseOffset } = of
    report.appended({ id: append.id, baseOffset, logAppendTimeMs }, this.#isSynced)
  }

  #noteWritten(each: StagedBatch, report: TurnReport): void {
    const { append, baseOffset, logAppendTimeMs } = each
    const isDense =
      baseOffset === this.#active.endOffset && baseOffset === baseOffsetOf(append.batch)
    assert(isDense, 'offsets are dense')
    this.#active.note(each, each.position, this.config.indexIntervalBytes)
    report.appended({ id: append.id, baseOffset, logAppendTimeMs }, this.#isSynced)
  }

  /** Makes everything written durable. @throws {DiskFailure} */
  sync(): void {
    this.#active.sync()
    if (this.#durableOffset === this.#writtenOffset) return
    this.#durableOffset = this.#writtenOffset
    this.#durableBytes = this.#active.sizeBytes
    this.#checkpointLine = undefined
  }

  /**
   * Moves the log start up in memory; durable with the next checkpoint. Call it only while nothing is staged.
   *
   * @returns base offsets of the segments before it, whose files are still there
   */
  trim(logStartOffset: number): number[] {
    if (logStartOffset <= this.#logStartOffset) return []
    assert(logStartOffset <= this.#durableOffset, 'a log starts at or before its end')
    this.#logStartOffset = logStartOffset
    this.#epochs = epochsFrom(this.#epochs, logStartOffset)
    this.#areEpochsSaved = false
    this.#quarantined = this.#quarantined.filter(({ endOffset }) => endOffset > logStartOffset)
    const kept = this.#sealed.findIndex(({ endOffset }) => endOffset > logStartOffset)
    const dropped = this.#sealed.splice(0, kept < 0 ? this.#sealed.length : kept)
    this.#checkpointLine = undefined
    return dropped.map(({ baseOffset }) => baseOffset)
  }

  /**
   * How many sealed segments fill the range; undefined when they do not fill it, or hold rot. Call it only while
   * nothing is staged.
   */
  countSegmentsIn({ baseOffset, endOffset }: SwapRange): number | undefined {
    const found = this.#sealed.filter(
      (each) => each.baseOffset >= baseOffset && each.endOffset <= endOffset,
    )
    const isFilled = found[0]?.baseOffset === baseOffset && found.at(-1)?.endOffset === endOffset
    const isRotten = this.#quarantined.some(
      (rot) => rot.startOffset < endOffset && rot.endOffset > baseOffset,
    )
    return isFilled && !isRotten ? found.length : undefined
  }

  /**
   * Replaces all segments in the range of `segment`, in memory; durable with the next checkpoint.
   *
   * @returns the replaced segments, and a function that undoes the step
   */
  replaceSegments(segment: SegmentStart): { replaced: SegmentStart[]; takeBack: () => void } {
    const before = this.#sealed
    const compactedBefore = this.#compacted
    const first = before.findIndex(({ baseOffset }) => baseOffset === segment.baseOffset)
    const last = before.findIndex(({ endOffset }) => endOffset === segment.endOffset)
    this.#sealed = before.toSpliced(first, last - first + 1, segment)
    const sparseEndOffset = Math.max(compactedBefore.sparseEndOffset, segment.endOffset)
    this.#compacted = { ...compactedBefore, sparseEndOffset }
    this.#checkpointLine = undefined
    return {
      replaced: before.slice(first, last + 1),
      takeBack: () => {
        this.#sealed = before
        this.#compacted = compactedBefore
        this.#checkpointLine = undefined
      },
    }
  }

  /**
   * Takes ranges of one segment out of the readable part, in memory. Nothing is appended behind rot in the active
   * segment: a new one begins, if there is room. Call it only while nothing is staged.
   *
   * @returns false when the segment has changed meanwhile; the log is then unchanged
   */
  quarantine(ranges: readonly Quarantined[], report: TurnReport): boolean {
    const segments = [...this.#sealed, this.#active.info]
    if (!ranges.every((rot) => segments.some((segment) => isWithin(rot, segment)))) return false
    const { baseOffset } = this.#active
    if (ranges.some(({ segmentBaseOffset }) => segmentBaseOffset === baseOffset))
      this.closeActive(report)
    this.#quarantined = withQuarantined(this.#quarantined, ranges).filter(
      ({ endOffset }) => endOffset > this.#logStartOffset,
    )
    this.#checkpointLine = undefined
    return true
  }

  /** A checkpoint has been written since the log was opened: removes what a crash left of swaps. */
  finishSwaps(): void {
    for (const range of this.#swaps) finishSwap(this.#deps.fs, this.#deps.path, range)
    this.#swaps = []
  }

  /** Everything before `firstDirtyOffset` is compacted. */
  noteCompacted(firstDirtyOffset: number): void {
    this.#compacted = { ...this.#compacted, firstDirtyOffset }
    this.#checkpointLine = undefined
  }

  /** Renames segments that nobody reads any more, durably. @returns the files that are left to delete */
  discardSegments(baseOffsets: readonly number[]): string[] {
    const { fs, path } = this.#deps
    const discarded: string[] = []
    for (const base of baseOffsets) {
      for (const suffix of segmentSuffixes) {
        const file = join(path, segmentFile(base, suffix))
        if (!fs.stat(file)) continue
        orDiskFailure(file, () => fs.rename(file, file + DELETED_SUFFIX))
        discarded.push(file + DELETED_SUFFIX)
      }
    }
    syncOrDie(path, () => fs.syncDirectory(path))
    return discarded
  }

  /**
   * Makes everything durable and closes the files.
   *
   * @returns the state that the next process may rely on
   */
  close(): LogCheckpoint {
    this.sync()
    try {
      if (!this.#active.hasFinishedIndexes) this.#active.finishIndexes()
    } catch (error) {
      if (!isRefusal(error)) throw error // the next start rebuilds index entries that find no room
    }
    this.#saveEpochs()
    this.#saveProducers()
    this.#active.release()
    return this.checkpoint(true)
  }

  /** Gives up the file descriptor until the next write. */
  releaseFiles(): void {
    this.sync()
    this.#active.release()
  }

  /** Closes the files as they are: the log is deleted next. */
  abandon(): void {
    this.#active.abandon()
  }

  #saveEpochs(): void {
    if (this.#areEpochsSaved) return
    try {
      const epochs = this.#epochs.filter(({ startOffset }) => startOffset < this.#writtenOffset)
      writeEpochFile(this.#deps.fs, this.#deps.path, epochs)
      this.#areEpochsSaved = true
    } catch (error) {
      if (!isRefusal(error)) throw error // millrace itself reads the recovery checkpoint, not this file
    }
  }
}

/** The network thread's view of a segment. */
export function infoOf(segment: SegmentStart): SegmentInfo {
  const { baseOffset, sizeBytes, maxTimestamp, abortedCount, abortedChecksum, heads } = segment
  return { baseOffset, sizeBytes, maxTimestamp, abortedCount, abortedChecksum, heads }
}
