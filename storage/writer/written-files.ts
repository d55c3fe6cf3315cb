// WrittenFiles: which logs hold a file open for writing, so that no more are open than may be. Writer thread.

import type { PartitionLog } from './partition-log.ts'

export class WrittenFiles {
  readonly #openFilesMax: number
  /** Logs that may hold a descriptor, the one used longest ago first. */
  readonly #recent = new Set<PartitionLog>()

  constructor(openFilesMax: number) {
    this.#openFilesMax = openFilesMax
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

  /** The log has been written to. */
  use(log: PartitionLog): void {
    this.#recent.delete(log)
    this.#recent.add(log)
    while (this.#recent.size > this.#openFilesMax) this.closeOne()
  }
}
