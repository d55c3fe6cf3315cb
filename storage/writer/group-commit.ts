// GroupCommit: one write per log and one sync per dirty file and turn, for any number of batches; and a bound on open
// files. Writer thread.

import type { TurnResult } from './commands.ts'
import type { PartitionLog } from './partition-log.ts'
import type { TurnReport } from './turn-report.ts'

/** Receives results that need not wait for the end of the turn. */
export type ReportEarly = (result: TurnResult) => void

export class GroupCommit {
  readonly #openFilesMax: number
  /** Logs that may hold an open file, least recently used first. */
  readonly #recent = new Set<PartitionLog>()

  constructor(openFilesMax: number) {
    this.#openFilesMax = openFilesMax
  }

  /**
   * Writes the staged batches, and syncs as the flush policies demand.
   *
   * @param reportEarly receives appends that need not wait for the sync of others
   * @throws {DiskFailure}
   */
  commit(report: TurnReport, reportEarly: ReportEarly | undefined): void {
    const logs = [...report.touched]
    for (const log of logs) {
      log.flush(report)
      this.#use(log)
    }
    const dirty = logs.filter((log) => log.isSyncDue)
    if (dirty.length > 0 && report.hasOutcomes) reportEarly?.(report.take())
    report.timeSync(() => {
      for (const log of dirty) log.sync()
    })
    report.touched.clear()
    report.commit()
  }

  /** The log is about to be written: it may open its file. */
  expect(log: PartitionLog): void {
    this.#recent.add(log)
  }

  /** Closes the least recently used file, written and synced. @returns false when no file is open */
  closeOne(): boolean {
    for (const log of this.#recent) {
      log.releaseFiles()
      this.#recent.delete(log)
      return true
    }
    return false
  }

  /** The log's files are closed. */
  forget(log: PartitionLog): void {
    this.#recent.delete(log)
  }

  #use(log: PartitionLog): void {
    this.#recent.delete(log)
    this.#recent.add(log)
    while (this.#recent.size > this.#openFilesMax) this.closeOne()
  }
}
