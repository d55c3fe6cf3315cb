// OverlayFs: a disk that is only read. Writes, renames and deletions stay in memory and are visible here, so that a
// recovery can run on it and show what it would change. Main thread of `verify`.

import { dirname, join } from 'node:path'
import type { DirectoryEntry, DiskSpace, FileStat, Fs, OpenMode } from '../fs.ts'

/** A changed or new file; it may begin with the bytes of a real one. */
interface Changed {
  /** undefined: it has no bytes of a real file. */
  readonly realPath: string | undefined
  /** Unchanged bytes of the real file. */
  realBytes: number
  /** The bytes after them. */
  memory: Buffer
}

interface OpenFile {
  readonly path: string
  /** Descriptor of the real file while it is unchanged. */
  readonly fd: number | undefined
}

export class OverlayFs implements Fs {
  readonly #real: Fs
  readonly #changed = new Map<string, Changed>()
  /** Real files and directories that are deleted here. */
  readonly #removed = new Set<string>()
  readonly #directories = new Set<string>()
  readonly #open = new Map<number, OpenFile>()
  #nextFd = 1

  constructor(real: Fs) {
    this.#real = real
  }

  /** Paths of real files that would be deleted or renamed. */
  get removed(): readonly string[] {
    return [...this.#removed]
  }

  open(path: string, mode: OpenMode): number {
    const exists = this.stat(path) !== undefined
    if (exists ? mode === 'create' : mode === 'read' || mode === 'write')
      throw Object.assign(new Error(`${mode} ${path}`), { code: exists ? 'EEXIST' : 'ENOENT' })
    if (mode === 'create' || mode === 'replace')
      this.#changed.set(path, { realPath: undefined, realBytes: 0, memory: Buffer.alloc(0) })
    const fd = this.#changed.has(path) ? undefined : this.#real.open(path, 'read')
    this.#open.set(this.#nextFd, { path, fd })
    return this.#nextFd++
  }

  close(fd: number): void {
    const { fd: realFd } = this.#file(fd)
    if (realFd !== undefined) this.#real.close(realFd)
    this.#open.delete(fd)
  }

  read(fd: number, into: Uint8Array, position: number): number {
    const { path, fd: realFd } = this.#file(fd)
    const changed = this.#changed.get(path)
    if (!changed) return this.#real.read(realFd!, into, position)
    const { realPath, realBytes, memory } = changed
    let filled = 0
    if (position < realBytes) {
      const wanted = into.subarray(0, Math.min(into.length, realBytes - position))
      filled = readReal(this.#real, realPath!, wanted, position)
    }
    const from = position + filled - realBytes
    return filled + memory.copy(into, filled, Math.min(from, memory.length))
  }

  async readAsync(fd: number, into: Uint8Array, position: number): Promise<number> {
    return this.read(fd, into, position)
  }

  write(fd: number, bytes: Uint8Array, position: number): number {
    const changed = this.#change(this.#file(fd).path, position)
    const at = position - changed.realBytes
    if (at + bytes.length > changed.memory.length) {
      const larger = Buffer.alloc(Math.max(at + bytes.length, 0))
      changed.memory.copy(larger)
      changed.memory = larger
    }
    changed.memory.set(bytes, at)
    return bytes.length
  }

  writev(fd: number, pieces: readonly Uint8Array[], position: number): number {
    return this.write(fd, Buffer.concat(pieces), position)
  }

  sync(): void {}
  syncDirectory(): void {}

  truncate(fd: number, sizeBytes: number): void {
    const { path } = this.#file(fd)
    if (this.sizeBytes(fd) === sizeBytes) return
    const changed = this.#change(path, sizeBytes)
    const memoryBytes = sizeBytes - changed.realBytes
    const memory = Buffer.alloc(memoryBytes)
    changed.memory.copy(memory)
    changed.memory = memory
  }

  sizeBytes(fd: number): number {
    return this.stat(this.#file(fd).path)!.sizeBytes
  }

  stat(path: string): FileStat | undefined {
    const changed = this.#changed.get(path)
    if (changed) {
      const sizeBytes = changed.realBytes + changed.memory.length
      return { sizeBytes, modifiedMs: 0, isDirectory: false }
    }
    if (this.#directories.has(path)) return { sizeBytes: 0, modifiedMs: 0, isDirectory: true }
    return this.#removed.has(path) ? undefined : this.#real.stat(path)
  }

  readDirectory(path: string): DirectoryEntry[] {
    const entries = new Map<string, boolean>()
    if (this.#real.stat(path)) {
      for (const { name, isDirectory } of this.#real.readDirectory(path)) {
        if (!this.#removed.has(join(path, name))) entries.set(name, isDirectory)
      }
    }
    for (const each of this.#changed.keys())
      if (dirname(each) === path) entries.set(each.slice(path.length + 1), false)
    for (const each of this.#directories)
      if (dirname(each) === path) entries.set(each.slice(path.length + 1), true)
    return Array.from(entries, ([name, isDirectory]) => ({ name, isDirectory }))
  }

  makeDirectory(path: string): void {
    if (!this.stat(path)) this.#directories.add(path)
  }

  rename(from: string, to: string): void {
    const changed = this.#changed.get(from) ?? this.#change(from, this.stat(from)!.sizeBytes)
    this.removeFile(from)
    this.#changed.set(to, changed)
  }

  removeFile(path: string): void {
    this.#changed.delete(path)
    if (this.#real.stat(path)) this.#removed.add(path)
  }

  removeTree(path: string): void {
    this.#directories.delete(path)
    this.removeFile(path)
  }

  space(path: string): Promise<DiskSpace> {
    return this.#real.space(path)
  }

  #file(fd: number): OpenFile {
    const file = this.#open.get(fd)
    if (file) return file
    throw Object.assign(new Error(`descriptor ${fd}`), { code: 'EBADF' })
  }

  /** Moves the file's bytes from `position` on to memory. */
  #change(path: string, position: number): Changed {
    let changed = this.#changed.get(path)
    if (!changed) {
      const realBytes = this.#real.stat(path)!.sizeBytes
      changed = { realPath: path, realBytes, memory: Buffer.alloc(0) }
      this.#changed.set(path, changed)
    }
    const { realPath, realBytes, memory } = changed
    if (position < realBytes) {
      const copied = Buffer.alloc(realBytes - position)
      readReal(this.#real, realPath!, copied, position)
      changed.memory = Buffer.concat([copied, memory])
      changed.realBytes = position
    }
    return changed
  }
}

function readReal(fs: Fs, path: string, into: Uint8Array, position: number): number {
  const fd = fs.open(path, 'read')
  try {
    return fs.read(fd, into, position)
  } finally {
    fs.close(fd)
  }
}
