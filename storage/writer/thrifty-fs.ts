// ThriftyFs: where no further file can be opened, one that rests open is closed, and it is tried again. Writer thread.

import { isOutOfDescriptors } from '../disk-failure.ts'
import type { Fs, OpenMode } from '../fs.ts'

export class ThriftyFs implements Fs {
  readonly #fs: Fs
  readonly #closeOne: () => boolean

  /** @param closeOne frees a descriptor; false: there is none that it could */
  constructor(fs: Fs, closeOne: () => boolean) {
    this.#fs = fs
    this.#closeOne = closeOne
  }

  #thriftily<Result>(operation: () => Result): Result {
    for (;;) {
      try {
        return operation()
      } catch (error) {
        if (!isOutOfDescriptors(error) || !this.#closeOne()) throw error
      }
    }
  }

  open(path: string, mode: OpenMode): number {
    return this.#thriftily(() => this.#fs.open(path, mode))
  }

  syncDirectory(path: string): void {
    this.#thriftily(() => this.#fs.syncDirectory(path))
  }

  readDirectory(path: string): ReturnType<Fs['readDirectory']> {
    return this.#thriftily(() => this.#fs.readDirectory(path))
  }

  removeTree(path: string): void {
    this.#thriftily(() => this.#fs.removeTree(path))
  }

  // The others need no descriptor of their own.

  close(fd: number): void {
    this.#fs.close(fd)
  }

  read(fd: number, into: Uint8Array, position: number): number {
    return this.#fs.read(fd, into, position)
  }

  readAsync(fd: number, into: Uint8Array, position: number): Promise<number> {
    return this.#fs.readAsync(fd, into, position)
  }

  write(fd: number, bytes: Uint8Array, position: number): number {
    return this.#fs.write(fd, bytes, position)
  }

  writev(fd: number, pieces: readonly Uint8Array[], position: number): number {
    return this.#fs.writev(fd, pieces, position)
  }

  sync(fd: number): void {
    this.#fs.sync(fd)
  }

  truncate(fd: number, sizeBytes: number): void {
    this.#fs.truncate(fd, sizeBytes)
  }

  sizeBytes(fd: number): number {
    return this.#fs.sizeBytes(fd)
  }

  stat(path: string): ReturnType<Fs['stat']> {
    return this.#fs.stat(path)
  }

  makeDirectory(path: string): void {
    this.#fs.makeDirectory(path)
  }

  rename(from: string, to: string): void {
    this.#fs.rename(from, to)
  }

  removeFile(path: string): void {
    this.#fs.removeFile(path)
  }

  space(path: string): ReturnType<Fs['space']> {
    return this.#fs.space(path)
  }
}
