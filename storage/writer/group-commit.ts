// GroupCommit: one write per log and one sync per dirty file and turn, however many batches wait; and no more files open
// than there may be. Writer thread.

import type { TurnResult } from './commands.ts'
import type { PartitionLog } from './partition-log.ts'
import type { TurnReport } from './turn-report.ts'

/** Where results go that need not wait for the end of the turn. */
export type ReportEarly = (result: TurnResult) => void

export class GroupCommit {
  readonly #openFilesMax: number
  /** Logs that may hold a descriptor, the one used longest ago first. */
  readonly #recent = new Set<PartitionLog>()

  constructor(openFilesMax: number) {
    this.#openFilesMax = openFilesMax
  }

  /**
   * Writes what is staged and makes durable what the flush policies want durable.
   *
   * @param reportEarly hears of appends that need not wait for the sync which others wait for
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

  /** The log is about to be written to: it may open its file. */
  expect(log: PartitionLog): void {
    this.#recent.add(log)
  }

  /** Closes the file used longest ago, written and synced. @returns false when none is open */
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
