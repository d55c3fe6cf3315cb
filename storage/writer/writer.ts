// LogWriter: writes, renames and deletes every log and index file. It gets the waiting commands turn by turn, and
// answers once per turn. Writer thread, or in-process in tests. See docs/decisions/0003-one-hop-out-one-back.md

import { join } from 'node:path'
import { KafkaError } from '../../protocol/errors.ts'
import type { Clock } from '../clock.ts'
import { DiskFailure, isRefusal, orDiskFailure } from '../disk-failure.ts'
import { errnoCode, type Fs } from '../fs.ts'
import { defaultProducerLimits, type ProducerLimits } from '../producers/producer-state.ts'
import { recoverLog } from '../recovery/recover-log.ts'
import { commitSwap, discardCleaned, finishSwap, takeBackSwap } from '../segment/segment-swap.ts'
import type { Command, OpenLog, Outcome, Swap, TurnResult } from './commands.ts'
import type { Opened, LogConfig, Quarantined, Slot } from '../log-facts.ts'
import { DataDirectory } from './data-directory.ts'
import { infoOf, PartitionLog } from './partition-log.ts'
import type { LogCheckpoint } from '../recovery/recovery-checkpoint.ts'
import { thriftyFs } from './thrifty-fs.ts'
import { TurnReport } from './turn-report.ts'
import { WrittenFiles } from './written-files.ts'

/** Receives results that need not wait for the end of the turn. */
export type ReportEarly = (result: TurnResult) => void

export interface LogWriterDeps {
  readonly fs: Fs
  readonly clock: Clock
  /** The directory exists. */
  readonly dataDir: string
  readonly openFilesMax?: number | undefined
  /** The most bytes appended between two recovery checkpoints, which a start after a crash must read. */
  readonly checkpointBytes?: number
  readonly producerLimits?: ProducerLimits
}

interface Trim {
  /** Id of the command; undefined when it was refused: the next checkpoint still makes its change durable. */
  readonly id: number | undefined
  readonly log: PartitionLog
  /** Base offsets of the segments before the new log start. */
  readonly dropped: readonly number[]
}

const OPEN_FILES_MAX = 500
const CHECKPOINT_BYTES = 64 * 1024 * 1024

export class LogWriter {
  readonly #deps: LogWriterDeps
  readonly #files: WrittenFiles
  readonly #checkpointBytes: number
  readonly #producerLimits: ProducerLimits
  readonly #logs = new Map<Slot, PartitionLog>()
  #openedDirectory: DataDirectory | undefined
  #bytesSinceCheckpoint = 0
  /** Moved log starts that wait for a checkpoint. */
  #trims: Trim[] = []
  /** The failure after which nothing is acknowledged any more. */
  #failure: DiskFailure | undefined

  constructor(deps: LogWriterDeps) {
    this.#files = new WrittenFiles(deps.openFilesMax ?? OPEN_FILES_MAX)
    this.#deps = { ...deps, fs: thriftyFs(deps.fs, () => this.#files.closeOne()) }
    this.#producerLimits = deps.producerLimits ?? defaultProducerLimits
    this.#checkpointBytes = deps.checkpointBytes ?? CHECKPOINT_BYTES
  }

  /** Opened with the first command: before it, the directory may still belong to another process. */
  get #directory(): DataDirectory {
    const { fs, clock, dataDir } = this.#deps
    this.#openedDirectory ??= new DataDirectory(fs, clock, dataDir)
    return this.#openedDirectory
  }

  /** Milliseconds until a turn is due without a command; undefined: never. */
  get tidyDueInMs(): number | undefined {
    return this.#failure ? undefined : this.#openedDirectory?.tidyDueInMs
  }

  /**
   * Runs the commands in order.
   *
   * @param commands given; their batches may be overwritten as soon as this returns
   * @param reportEarly gets results that need not wait for the end of the turn
   */
  turn(commands: readonly Command[], reportEarly?: ReportEarly): TurnResult {
    const report = new TurnReport(this.#deps.clock)
    const answered: Outcome[] = []
    const early =
      reportEarly &&
      ((result: TurnResult) => {
        answered.push(...result.outcomes)
        reportEarly(result)
      })
    try {
      if (this.#failure) throw this.#failure
      for (const command of commands) this.#run(command, report, early)
      this.#commit(report, early)
      this.#finishTrims(report)
      this.#tidy(report, early)
      return report.take()
    } catch (error) {
      if (!(error instanceof DiskFailure)) throw error
      if (!this.#failure) this.#directory.noteFailure(error.message)
      this.#failure = error
      const ids = new Set(answered.map(({ id }) => id))
      return report.takeFatal(
        error.message,
        commands.filter(({ id }) => !ids.has(id)),
      )
    }
  }

  #run(command: Command, report: TurnReport, early: ReportEarly | undefined): void {
    if (command.kind === 'append' || command.kind === 'endTransaction') {
      const log = this.#logs.get(command.slot)
      if (!log) return report.refuse(command.id, 'NOT_LEADER_OR_FOLLOWER', 'the log is not open')
      report.touched.add(log)
      this.#files.expect(log)
      if (command.kind === 'append') return log.stage(command, report)
      return log.stageMarker(command, report)
    }
    // The other commands are rare, and expect all earlier appends on the disk.
    this.#commit(report, early)
    if (command.kind !== 'trim') this.#finishTrims(report)
    switch (command.kind) {
      case 'open':
        return this.#open(command.id, command.logs, report)
      case 'producers':
        return this.#describeProducers(command.id, command.slot, report)
      case 'trim':
        return this.#trim(command.id, command.slot, command.logStartOffset, report)
      case 'swap':
        return this.#swap(command, report)
      case 'compacted':
        return this.#noteCompacted(command.id, command.slot, command.firstDirtyOffset, report)
      case 'quarantine':
        return this.#quarantine(command.id, command.slot, command.ranges, report)
      case 'configure':
        return this.#configure(command.id, command.slot, command.config, report)
      case 'remove':
        return this.#remove(command.id, command.slots, report)
      case 'discard':
        this.#directory.discard(command.directories)
        return report.done({ id: command.id })
      case 'hurry':
        this.#directory.hurry()
        return report.done({ id: command.id })
      case 'close':
        return this.#close(command.id, command.clean, report)
    }
  }

  /**
   * The group commit: one write per log and one sync per dirty file, for any number of batches.
   *
   * @param early receives appends that need not wait for the sync of others
   * @throws {DiskFailure}
   */
  #commit(report: TurnReport, early: ReportEarly | undefined): void {
    const logs = [...report.touched]
    for (const log of logs) {
      log.flush(report)
      this.#files.use(log)
    }
    const dirty = logs.filter((log) => log.isSyncDue)
    if (dirty.length > 0 && report.hasOutcomes) early?.(report.take())
    report.timeSync(() => {
      for (const log of dirty) log.sync()
    })
    report.touched.clear()
    report.commit()
  }

  #open(id: number, logs: readonly OpenLog[], report: TurnReport): void {
    const opened: PartitionLog[] = []
    try {
      const created = logs.filter(({ create }) => create).map(({ directory }) => directory)
      if (created.length > 0) this.#directory.discard(created)
      const answers = logs.map((log) => this.#openLog(log, opened))
      this.#directory.writeCheckpoint([...this.#logs.values(), ...opened])
      for (const log of opened) {
        log.finishSwaps()
        this.#logs.set(log.slot, log)
      }
      report.done({ id, opened: answers })
    } catch (error) {
      const isUnexpected = errnoCode(error) === undefined && !(error instanceof KafkaError)
      if (error instanceof DiskFailure || isUnexpected) throw error
      for (const log of opened) this.#directory.checkpoint.keep(log.close())
      report.refuse(id, 'KAFKA_STORAGE_ERROR', (error as Error).message)
    }
  }

  /** @param opened gets the log before a failure could leave it half open */
  #openLog({ slot, directory, config }: OpenLog, opened: PartitionLog[]): Opened {
    const { fs, clock, dataDir } = this.#deps
    const path = join(dataDir, directory)
    const checkpoint = this.#directory.checkpoint.get(directory)
    if (!fs.stat(path)) this.#makeDirectory(path, checkpoint)
    const distrustsCache = this.#directory.hasFailed
    const producerLimits = this.#producerLimits
    const deps = { fs, clock, path, config, checkpoint, distrustsCache, producerLimits }
    const start = recoverLog(deps)
    const log = new PartitionLog({ fs, clock, path }, slot, directory, config, start)
    this.#directory.checkpoint.forget(directory)
    opened.push(log)
    return {
      ...log.state,
      segments: log.segments,
      epochs: log.epochs,
      quarantined: log.quarantined,
      ...log.compacted,
      truncatedBytes: start.truncatedBytes,
      cleanStart: start.cleanStart,
      strays: start.strays,
    }
  }

  /** Durable with the checkpoint, which is in the same directory. */
  #makeDirectory(path: string, checkpoint: LogCheckpoint | undefined): void {
    if (checkpoint && checkpoint.durableOffset > 0) {
      const message = `${path} is gone, which held records up to ${checkpoint.durableOffset - 1}`
      throw new KafkaError('KAFKA_STORAGE_ERROR', message)
    }
    orDiskFailure(path, () => this.#deps.fs.makeDirectory(path))
  }

  #trim(id: number, slot: Slot, logStartOffset: number, report: TurnReport): void {
    const log = this.#logs.get(slot)
    if (!log) return report.refuse(id, 'NOT_LEADER_OR_FOLLOWER', 'the log is not open')
    const { highWatermark } = log.state
    if (logStartOffset > highWatermark) {
      const message = `${log.directory} ends at ${highWatermark}, before ${logStartOffset}`
      return report.refuse(id, 'OFFSET_OUT_OF_RANGE', message)
    }
    log.sync()
    if (logStartOffset === highWatermark) log.closeActive(report)
    this.#trims.push({ id, log, dropped: log.trim(logStartOffset) })
    report.changed.add(log)
  }

  /** One checkpoint for all trims of a turn; segments may go only after it. */
  #finishTrims(report: TurnReport): void {
    if (this.#trims.length === 0) return
    try {
      this.#directory.writeCheckpoint(this.#logs.values())
    } catch (error) {
      if (!isRefusal(error)) throw error
      for (const { id } of this.#trims) {
        if (id !== undefined) report.refuse(id, 'KAFKA_STORAGE_ERROR', (error as Error).message)
      }
      this.#trims = this.#trims.map((trim) => ({ ...trim, id: undefined }))
      return
    }
    for (const { id, log, dropped } of this.#trims.splice(0)) {
      if (dropped.length > 0) {
        this.#directory.deleteLater(log.discardSegments(dropped), log.config.fileDeleteDelayMs)
      }
      for (const baseOffset of dropped) report.dropped.push({ slot: log.slot, baseOffset })
      if (id !== undefined) report.done({ id })
    }
  }

  #swap({ id, slot, segment }: Swap, report: TurnReport): void {
    const log = this.#logs.get(slot)
    if (!log) return report.refuse(id, 'NOT_LEADER_OR_FOLLOWER', 'the log is not open')
    const { fs } = this.#deps
    const path = join(this.#deps.dataDir, log.directory)
    if (log.countSegmentsIn(segment) === undefined) {
      discardCleaned(fs, path, segment)
      return report.refuse(id, 'NOT_LEADER_OR_FOLLOWER', 'the segments are not what they were')
    }
    commitSwap(fs, path, segment)
    const { replaced, takeBack } = log.replaceSegments(segment)
    try {
      this.#directory.writeCheckpoint(this.#logs.values())
    } catch (error) {
      if (!isRefusal(error)) throw error
      takeBack()
      takeBackSwap(fs, path, segment)
      return report.refuse(id, 'KAFKA_STORAGE_ERROR', (error as Error).message)
    }
    const files = log.discardSegments(replaced.map(({ baseOffset }) => baseOffset))
    this.#directory.deleteLater(files, log.config.fileDeleteDelayMs)
    finishSwap(fs, path, segment)
    report.swapped.push({ slot, replacedCount: replaced.length, segment: infoOf(segment) })
    report.done({ id })
  }

  #noteCompacted(id: number, slot: Slot, firstDirtyOffset: number, report: TurnReport): void {
    this.#logs.get(slot)?.noteCompacted(firstDirtyOffset)
    report.done({ id })
  }

  #quarantine(id: number, slot: Slot, ranges: readonly Quarantined[], report: TurnReport): void {
    const log = this.#logs.get(slot)
    if (!log) return report.refuse(id, 'NOT_LEADER_OR_FOLLOWER', 'the log is not open')
    log.sync()
    if (!log.quarantine(ranges, report))
      return report.refuse(id, 'NOT_LEADER_OR_FOLLOWER', 'the segment is not what it was')
    report.changed.add(log)
    report.done({ id, quarantined: log.quarantined })
  }

  #describeProducers(id: number, slot: Slot, report: TurnReport): void {
    const log = this.#logs.get(slot)
    if (!log) return report.refuse(id, 'NOT_LEADER_OR_FOLLOWER', 'the log is not open')
    report.done({ id, producers: log.producers })
  }

  #configure(id: number, slot: Slot, config: LogConfig, report: TurnReport): void {
    const log = this.#logs.get(slot)
    if (!log) return report.refuse(id, 'NOT_LEADER_OR_FOLLOWER', 'the log is not open')
    log.sync() // so that a change of the flush policy never moves the high watermark back
    log.config = config
    report.changed.add(log)
    report.done({ id })
  }

  #remove(id: number, slots: readonly Slot[], report: TurnReport): void {
    const logs = slots.flatMap((slot) => this.#logs.get(slot) ?? [])
    for (const log of logs) {
      this.#take(log).abandon()
      report.changed.delete(log)
    }
    this.#directory.discard(logs.map(({ directory }) => directory))
    try {
      this.#directory.writeCheckpoint(this.#logs.values())
    } catch (error) {
      if (!isRefusal(error)) throw error // a log of the same name cannot be created before the next checkpoint
    }
    report.done({ id })
  }

  #close(id: number, isClean: boolean, report: TurnReport): void {
    for (const log of this.#logs.values()) {
      this.#take(log)
      if (!isClean) log.releaseFiles()
      this.#directory.checkpoint.keep(isClean ? log.close() : log.checkpoint(false))
    }
    try {
      this.#directory.writeCheckpoint([])
      if (isClean) this.#directory.forgetFailure()
      report.done({ id })
    } catch (error) {
      if (!isRefusal(error)) throw error
      report.refuse(id, 'KAFKA_STORAGE_ERROR', (error as Error).message)
    }
  }

  /** Stops serving the log. */
  #take(log: PartitionLog): PartitionLog {
    this.#logs.delete(log.slot)
    this.#files.forget(log)
    this.#trims = this.#trims.filter((trim) => trim.log !== log)
    return log
  }

  /** Work for which no command waits. */
  #tidy(report: TurnReport, early: ReportEarly | undefined): void {
    this.#bytesSinceCheckpoint += report.turnBytes
    if (report.hasStorageErrors) this.#directory.hurry()
    const isCheckpointDue = this.#bytesSinceCheckpoint >= this.#checkpointBytes
    if (!isCheckpointDue && this.#directory.tidyDueInMs !== 0) return
    early?.(report.take())
    if (isCheckpointDue) this.#checkpointIfRoom()
    this.#directory.tidy()
  }

  #checkpointIfRoom(): void {
    this.#bytesSinceCheckpoint = 0
    try {
      this.#directory.writeCheckpoint(this.#logs.values())
    } catch (error) {
      if (!isRefusal(error)) throw error // a start after a crash then reads more
    }
  }
}
