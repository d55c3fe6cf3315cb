// IndexFile: entries of one size behind one another, gathered in memory and written when there are many.
// Writer thread. What is not yet written is lost in a crash, and recovery makes it anew: an index is a hint.

import { syncOrDie } from '../disk-failure.ts'
import type { Fs } from '../fs.ts'

/** The writer saves when this many entries wait: one write per 64 or more index intervals of log. */
const SAVE_ENTRIES = 64

export class IndexFile {
  readonly path: string
  readonly entryBytes: number
  readonly #fs: Fs
  #savedCount: number
  #unsaved = Buffer.alloc(0)
  #unsavedCount = 0

  /** @param savedCount entries of the file to keep; what lies behind them is overwritten */
  constructor(fs: Fs, path: string, entryBytes: number, savedCount: number) {
    this.#fs = fs
    this.path = path
    this.entryBytes = entryBytes
    this.#savedCount = savedCount
  }

  get count(): number {
    return this.#savedCount + this.#unsavedCount
  }

  get isSaved(): boolean {
    return this.#unsavedCount === 0
  }

  get isSaveDue(): boolean {
    return this.#unsavedCount >= SAVE_ENTRIES
  }

  /** @returns where to put the fields of a new last entry */
  extend(): Buffer {
    const start = this.#unsavedCount * this.entryBytes
    if (start === this.#unsaved.length) {
      const larger = Buffer.alloc(Math.max(2 * start, SAVE_ENTRIES * this.entryBytes))
      this.#unsaved.copy(larger)
      this.#unsaved = larger
    }
    this.#unsavedCount++
    return this.#unsaved.subarray(start, start + this.entryBytes)
  }

  /** Forgets the entries behind the first `count`; the next ones take their place in the file. */
  cutTo(count: number): void {
    this.#savedCount = Math.min(this.#savedCount, count)
    this.#unsavedCount = count - this.#savedCount
  }

  /**
   * Writes what is new; readers see it.
   *
   * @throws when the disk refuses: the entries wait for the next time
   */
  save(): void {
    if (this.#unsavedCount > 0) this.#withFile((fd) => this.#write(fd))
  }

  /** The same, and cuts off what lies behind the last entry. */
  saveAndCut(): void {
    this.#withFile((fd) => this.#writeAndCut(fd))
  }

  /** The same, and makes the file durable. @throws {DiskFailure} when that fails */
  seal(): void {
    this.#withFile((fd) => {
      this.#writeAndCut(fd)
      syncOrDie(this.path, () => this.#fs.sync(fd))
    })
  }

  #withFile(use: (fd: number) => void): void {
    const fd = this.#fs.open(this.path, this.#fs.stat(this.path) ? 'write' : 'create')
    try {
      use(fd)
    } finally {
      this.#fs.close(fd)
    }
  }

  #writeAndCut(fd: number): void {
    this.#write(fd)
    this.#fs.truncate(fd, this.#savedCount * this.entryBytes)
  }

  #write(fd: number): void {
    const bytes = this.#unsaved.subarray(0, this.#unsavedCount * this.entryBytes)
    const start = this.#savedCount * this.entryBytes
    for (let at = 0; at < bytes.length;) at += this.#fs.write(fd, bytes.subarray(at), start + at)
    this.#savedCount += this.#unsavedCount
    this.#unsavedCount = 0
  }
}
