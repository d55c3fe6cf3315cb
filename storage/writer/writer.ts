// LogWriter: the one that writes every log and index file, and renames and deletes them. It is given what waits, turn by
// turn, and says once per turn what became of it; one sync per dirty file and turn, however many batches wait.
// Writer thread, or in-process in tests. See docs/decisions/0001-one-hop-out-one-back.md

import { join } from 'node:path'
import type { Clock } from '../clock.ts'
import { DiskFailure, orDiskFailure, syncOrDie } from '../disk-failure.ts'
import type { Fs } from '../fs.ts'
import { deletedDirectory } from '../layout.ts'
import { recoverLog } from '../segment/recover.ts'
import { Segment } from '../segment/segment.ts'
import type { Command, Opened, OpenLog, Slot, TurnResult } from './commands.ts'
import { PartitionLog } from './partition-log.ts'
import { TurnReport } from './turn-report.ts'

export interface LogWriterDeps {
  readonly fs: Fs
  readonly clock: Clock
  /** Exists. */
  readonly dataDir: string
}

/** Where results go that cannot wait for the end of the turn. */
export type ReportEarly = (result: TurnResult) => void

export class LogWriter {
  readonly #deps: LogWriterDeps
  readonly #logs = new Map<Slot, PartitionLog>()
  #failure: string | undefined

  constructor(deps: LogWriterDeps) {
    this.#deps = deps
  }

  /**
   * Does all that is asked, in order.
   *
   * @param commands given; batches may be overwritten as soon as this returns
   * @param reportEarly hears of appends that need not be durable, before a sync that others wait for
   */
  turn(commands: readonly Command[], reportEarly: ReportEarly = () => {}): TurnResult {
    const report = new TurnReport(this.#deps.clock)
    const answered = new Set<number>()
    const unanswered = () => commands.map(({ id }) => id).filter((id) => !answered.has(id))
    if (this.#failure !== undefined) return report.takeFatal(this.#failure, unanswered())
    try {
      for (const command of commands) this.#run(command, report)
      this.#commit(report, (result) => {
        for (const { id } of result.outcomes) answered.add(id)
        reportEarly(result)
      })
      return report.take()
    } catch (error) {
      if (!(error instanceof DiskFailure)) throw error
      this.#failure = error.message
      return report.takeFatal(error.message, unanswered())
    }
  }

  #run(command: Command, report: TurnReport): void {
    if (command.kind === 'append') {
      const log = this.#logs.get(command.slot)
      if (log) {
        report.touched.add(log)
        log.stage(command, report)
      } else report.refuse(command.id, 'NOT_LEADER_OR_FOLLOWER', `no open log ${command.slot}`)
      return
    }
    this.#commit(report)
    switch (command.kind) {
      case 'open':
        return report.done({ id: command.id, opened: command.logs.map((log) => this.#open(log)) })
      case 'close':
        this.#close()
        return report.done({ id: command.id })
      case 'configure': {
        const log = this.#logs.get(command.slot)!
        log.sync()
        log.config = command.config
        return report.done({ id: command.id })
      }
      case 'remove':
        for (const slot of command.slots) {
          const log = this.#logs.get(slot)!
          log.close()
          this.#logs.delete(slot)
          this.#discard(log.directory)
        }
        return report.done({ id: command.id })
      case 'discard':
        for (const directory of command.directories) this.#discard(directory)
        return report.done({ id: command.id })
      case 'trim':
        return report.refuse(command.id, 'UNKNOWN_SERVER_ERROR', 'trim')
    }
  }

  #open({ slot, directory, config, create }: OpenLog): Opened {
    const { fs, clock, dataDir } = this.#deps
    const path = join(dataDir, directory)
    if (create) this.#discard(directory)
    const isNew = !fs.stat(path)
    if (isNew) this.#create(path)
    const { truncatedBytes, ...start } = recoverLog(fs, clock, path, config)
    const log = new PartitionLog({ fs, clock, path }, slot, directory, config, start)
    this.#logs.set(slot, log)
    return {
      ...log.state,
      segments: log.segments,
      epochs: log.epochs,
      quarantined: log.quarantined,
      truncatedBytes,
      cleanStart: isNew,
    }
  }

  #create(path: string): void {
    const { fs, clock, dataDir } = this.#deps
    orDiskFailure(path, () => {
      fs.makeDirectory(path)
      Segment.create(fs, path, clock.now(), 0)
    })
    syncOrDie(path, () => fs.syncDirectory(path))
    syncOrDie(dataDir, () => fs.syncDirectory(dataDir))
  }

  #discard(directory: string): void {
    const { fs, dataDir } = this.#deps
    const path = join(dataDir, directory)
    if (!fs.stat(path)) return
    let serial = 0
    while (fs.stat(join(dataDir, deletedDirectory(directory, serial)))) serial++
    fs.rename(path, join(dataDir, deletedDirectory(directory, serial)))
    syncOrDie(dataDir, () => fs.syncDirectory(dataDir))
    fs.removeDirectory(join(dataDir, deletedDirectory(directory, serial)))
  }

  /** Writes what is staged and makes durable what must be. */
  #commit(report: TurnReport, reportEarly: ReportEarly = () => {}): void {
    for (const log of report.touched) log.flush(report)
    const dirty = [...report.touched].filter((log) => log.isSyncDue)
    if (dirty.length > 0 && report.hasOutcomes) reportEarly(report.take())
    report.timeSync(() => {
      for (const log of dirty) log.sync()
    })
    report.commit()
  }

  #close(): void {
    for (const log of this.#logs.values()) log.close()
    this.#logs.clear()
  }
}
