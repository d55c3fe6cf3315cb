// IndexFile: consecutive entries of one size, collected in memory and written many at a time.
// Writer thread. A crash loses unwritten entries, and recovery rebuilds them: an index is a hint.

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

  /** @param savedCount entries of the file to keep; later ones are overwritten */
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

  /** @returns the place for the fields of a new last entry */
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

  /** Forgets the entries behind the first `count`; new ones take their place in the file. */
  cutTo(count: number): void {
    this.#savedCount = Math.min(this.#savedCount, count)
    this.#unsavedCount = count - this.#savedCount
  }

  /**
   * Writes new entries, which readers then see.
   *
   * @throws when the disk refuses: the entries wait for the next call
   */
  save(): void {
    if (this.#unsavedCount > 0) this.#withFile((fd) => this.#write(fd))
  }

  /** As `save`, and cuts the file off behind the last entry. */
  saveAndCut(): void {
    this.#withFile((fd) => this.#writeAndCut(fd))
  }

  /** As `saveAndCut`, and makes the file durable. @throws {DiskFailure} when that fails */
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
