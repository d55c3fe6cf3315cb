// FileCache: files open for reading, the least recently used closed first, so that 10,000 partitions need few
// descriptors.
// Network thread. A file that an asynchronous read or another thread uses is closed only after that use.

import { strict as assert } from 'node:assert'
import type { FileOf } from './batch-walk.ts'
import { isOutOfDescriptors } from '../disk-failure.ts'
import type { Fs } from '../fs.ts'
import { StoreClosed } from '../store-closed.ts'

interface OpenFile {
  readonly fd: number
  /** Asynchronous reads and loans to other threads in progress. */
  pins: number
  isForgotten: boolean
}

/**
 * The file cannot be opened, because its name may belong to another segment by now: read the log's view again once
 * `settled` has resolved. Files that are already open stay valid.
 */
export class SegmentMoving extends Error {
  readonly settled: Promise<void> | undefined

  constructor(settled: Promise<void> | undefined) {
    super('the segment is being replaced')
    this.settled = settled
  }
}

export class FileCache {
  readonly #fs: Fs
  readonly #openFilesMax: number
  /** By the segment's key and suffix, least recently used first. */
  readonly #files = new Map<string, OpenFile>()
  #isClosed = false

  constructor(fs: Fs, openFilesMax: number) {
    this.#fs = fs
    this.#openFilesMax = openFilesMax
  }

  /** @returns a descriptor that is open until the next call, for a synchronous operation */
  descriptor(file: FileOf): number {
    return this.#use(file).fd
  }

  /** The file stays open until the promise of `use` settles. */
  async lend<Result>(of: FileOf, use: (fd: number) => Promise<Result>): Promise<Result> {
    const file = this.#use(of)
    file.pins++
    try {
      return await use(file.fd)
    } finally {
      file.pins--
      assert(file.pins >= 0, 'a file is pinned as often as it is let go')
      this.#closeIfDone(file)
    }
  }

  /** Closes every file whose path starts with `prefix`: a directory and its separator, or one segment. */
  forget(prefix: string): void {
    for (const [key, file] of this.#files) {
      if (key.startsWith(prefix)) this.#evict(key, file)
    }
  }

  /** No further file is opened. */
  close(): void {
    this.#isClosed = true
    this.forget('')
  }

  /** @throws {SegmentMoving} */
  #use({ segment, suffix }: FileOf): OpenFile {
    if (this.#isClosed) throw new StoreClosed()
    const key = segment.fileKey + suffix
    const known = this.#files.get(key)
    if (!known && (segment.swap || segment.isReplaced)) throw new SegmentMoving(segment.swap)
    const file = known ?? { fd: this.#open(segment.path + suffix), pins: 0, isForgotten: false }
    if (known) this.#files.delete(key)
    else if (this.#files.size >= this.#openFilesMax) this.#evictOldest()
    this.#files.set(key, file)
    return file
  }

  #open(path: string): number {
    try {
      return this.#fs.open(path, 'read')
    } catch (error) {
      if (!isOutOfDescriptors(error) || !this.#evictOldest()) throw error
      return this.#open(path)
    }
  }

  #evictOldest(): boolean {
    for (const [key, file] of this.#files) {
      if (file.pins > 0) continue
      this.#evict(key, file)
      return true
    }
    return false
  }

  #evict(key: string, file: OpenFile): void {
    this.#files.delete(key)
    file.isForgotten = true
    this.#closeIfDone(file)
  }

  #closeIfDone(file: OpenFile): void {
    if (file.isForgotten && file.pins === 0) this.#fs.close(file.fd)
  }
}
