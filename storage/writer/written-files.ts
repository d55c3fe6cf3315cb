// WrittenFiles: the logs that hold a file open for writing, and a bound on their number. Writer thread.

import type { PartitionLog } from './partition-log.ts'

export class WrittenFiles {
  readonly #openFilesMax: number
  /** Logs that may hold an open file, least recently used first. */
  readonly #recent = new Set<PartitionLog>()

  constructor(openFilesMax: number) {
    this.#openFilesMax = openFilesMax
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

  /** The log was written. */
  use(log: PartitionLog): void {
    this.#recent.delete(log)
    this.#recent.add(log)
    while (this.#recent.size > this.#openFilesMax) this.closeOne()
  }
}
