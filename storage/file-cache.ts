// FileCache: files open for reading, the least recently used closed first, so that 10,000 partitions need few descriptors.
// Network thread. A file that an asynchronous read still uses is closed when that read is done, never under it.

import { KafkaError } from '../protocol/errors.ts'
import { errnoCode, type Fs } from './fs.ts'

interface OpenFile {
  readonly fd: number
  /** Asynchronous reads in progress. */
  pins: number
  isForgotten: boolean
}

export class FileCache {
  readonly #fs: Fs
  readonly #openFilesMax: number
  /** By path, least recently used first. */
  readonly #files = new Map<string, OpenFile>()
  #isClosed = false

  constructor(fs: Fs, openFilesMax: number) {
    this.#fs = fs
    this.#openFilesMax = openFilesMax
  }

  /** Fills `into` from `position` on. @returns bytes read, fewer only at the end of the file */
  read(path: string, into: Uint8Array, position: number): number {
    return this.#fs.read(this.#use(path).fd, into, position)
  }

  /** @param into borrowed until the promise settles */
  async readAsync(path: string, into: Uint8Array, position: number): Promise<number> {
    const file = this.#use(path)
    file.pins++
    try {
      return await this.#fs.readAsync(file.fd, into, position)
    } finally {
      file.pins--
      this.#closeIfDone(file)
    }
  }

  sizeBytes(path: string): number {
    return this.#fs.sizeBytes(this.#use(path).fd)
  }

  /** Closes every file whose path starts with `prefix`: a directory and its separator, or one segment. */
  forget(prefix: string): void {
    for (const [path, file] of this.#files) {
      if (path.startsWith(prefix)) this.#evict(path, file)
    }
  }

  /** Nothing is opened any more. */
  close(): void {
    this.#isClosed = true
    this.forget('')
  }

  #use(path: string): OpenFile {
    if (this.#isClosed) throw new KafkaError('NOT_LEADER_OR_FOLLOWER', 'the store is closed')
    const known = this.#files.get(path)
    const file = known ?? { fd: this.#open(path), pins: 0, isForgotten: false }
    if (known) this.#files.delete(path)
    else if (this.#files.size >= this.#openFilesMax) this.#evictOldest()
    this.#files.set(path, file)
    return file
  }

  #open(path: string): number {
    try {
      return this.#fs.open(path, 'read')
    } catch (error) {
      if (errnoCode(error) !== 'EMFILE' || !this.#evictOldest()) throw error
      return this.#open(path)
    }
  }

  #evictOldest(): boolean {
    for (const [path, file] of this.#files) {
      if (file.pins > 0) continue
      this.#evict(path, file)
      return true
    }
    return false
  }

  #evict(path: string, file: OpenFile): void {
    this.#files.delete(path)
    file.isForgotten = true
    this.#closeIfDone(file)
  }

  #closeIfDone(file: OpenFile): void {
    if (file.isForgotten && file.pins === 0) this.#fs.close(file.fd)
  }
}
