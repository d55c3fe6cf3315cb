// FileWindow: reads a file from front to back in large pieces. For threads that may wait for the disk.

import type { Fs } from './fs.ts'

const WINDOW_BYTES = 1024 * 1024

export class FileWindow {
  readonly #fs: Fs
  readonly #fd: number
  readonly #sizeBytes: number
  readonly #onRead: (bytes: number) => void
  #buffer = Buffer.alloc(0)
  /** The part of the file that the buffer holds. */
  #from = 0
  #to = 0

  /** @param sizeBytes how much of the file to read, from its start */
  constructor(fs: Fs, fd: number, sizeBytes: number, onRead: (bytes: number) => void = () => {}) {
    this.#fs = fs
    this.#fd = fd
    this.#sizeBytes = sizeBytes
    this.#onRead = onRead
  }

  /**
   * @returns a view, valid until the next call; undefined past `sizeBytes`
   * @throws {Error} when the file is shorter
   */
  bytesAt(position: number, length: number): Buffer | undefined {
    if (position + length > this.#sizeBytes) return undefined
    if (position < this.#from || position + length > this.#to) this.#load(position, length)
    const at = position - this.#from
    return this.#buffer.subarray(at, at + length)
  }

  #load(position: number, length: number): void {
    const wanted = Math.min(Math.max(length, WINDOW_BYTES), this.#sizeBytes - position)
    if (this.#buffer.length < wanted) this.#buffer = Buffer.allocUnsafe(wanted)
    const count = this.#fs.read(this.#fd, this.#buffer.subarray(0, wanted), position)
    this.#onRead(count)
    if (count < length) throw new Error(`the file ended at ${position + count} while it was read`)
    this.#from = position
    this.#to = position + count
  }
}
