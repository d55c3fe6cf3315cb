// Fs: the storage's only way to the disk. Any thread. The other implementation is testing/faulty-fs.ts.
// Its errors are Node's; callers look at their `code` (ENOENT, EEXIST, ENOSPC, EIO, ...).

import * as nodeFs from 'node:fs'
import { dirname } from 'node:path'
import { types } from 'node:util'

/**
 * 'read' and 'write' (which reads too) want an existing file; 'create' wants none; 'replace' empties or creates.
 */
export type OpenMode = 'read' | 'write' | 'create' | 'replace'

export interface FileStat {
  readonly sizeBytes: number
  readonly modifiedMs: number
  readonly isDirectory: boolean
}

export interface DirectoryEntry {
  readonly name: string
  readonly isDirectory: boolean
}

export interface DiskSpace {
  /** The room for an unprivileged process. */
  readonly freeBytes: number
  readonly totalBytes: number
}

/**
 * Blocking, except where a promise is returned: the writer blocks on purpose, the network thread reads what is
 * cached.
 */
export interface Fs {
  /** @returns a file descriptor, the caller's to close */
  open(path: string, mode: OpenMode): number
  close(fd: number): void

  /** Fills `into` from `position` (bytes) on. @returns bytes read, fewer than asked only at the end of the file */
  read(fd: number, into: Uint8Array, position: number): number
  /** As `read`, for cold data, without stalling the thread. @param into borrowed until the promise settles */
  readAsync(fd: number, into: Uint8Array, position: number): Promise<number>

  /** @returns bytes written, perhaps fewer than given: a further write of the rest throws the reason */
  write(fd: number, bytes: Uint8Array, position: number): number
  /** One system call for many pieces. @returns bytes written in all, perhaps fewer than given */
  writev(fd: number, pieces: readonly Uint8Array[], position: number): number

  /** The file survives a power failure (fdatasync). After an error it is unknown what is durable: never retry. */
  sync(fd: number): void
  /** All creates, renames and deletes in the directory survive a power failure. */
  syncDirectory(path: string): void

  truncate(fd: number, sizeBytes: number): void
  sizeBytes(fd: number): number
  /** undefined when the path does not exist. */
  stat(path: string): FileStat | undefined

  /** In no particular order. */
  readDirectory(path: string): DirectoryEntry[]
  /** With its parents; no error when it exists. */
  makeDirectory(path: string): void
  /** Replaces a file at `to`. */
  rename(from: string, to: string): void
  removeFile(path: string): void
  /** Removes a file, or a directory with its contents; no error when there is none. */
  removeTree(path: string): void

  /** The room of the file system with `path`. */
  space(path: string): Promise<DiskSpace>
}

/** Only the broker's user may read new files. Windows ignores permissions; existing files keep theirs. */
const FILE_PERMISSIONS = 0o600
const DIRECTORY_PERMISSIONS = 0o700

const flagsByMode = { read: 'r', write: 'r+', create: 'wx+', replace: 'w+' } as const

/** The `code` of an error of an `Fs`; undefined for any other thrown value. */
export function errnoCode(error: unknown): string | undefined {
  return types.isNativeError(error) && 'code' in error && typeof error.code === 'string'
    ? error.code
    : undefined
}

export const realFs: Fs = {
  open: (path, mode) => nodeFs.openSync(path, flagsByMode[mode], FILE_PERMISSIONS),
  close: (fd) => nodeFs.closeSync(fd),

  read(fd, into, position) {
    let filled = 0
    while (filled < into.length) {
      const count = nodeFs.readSync(fd, into, filled, into.length - filled, position + filled)
      if (count === 0) break
      filled += count
    }
    return filled
  },

  readAsync(fd, into, position) {
    return new Promise((resolve, reject) => {
      const readFrom = (filled: number) => {
        nodeFs.read(fd, into, filled, into.length - filled, position + filled, (error, count) => {
          if (error) reject(error)
          else if (count === 0 || filled + count === into.length) resolve(filled + count)
          else readFrom(filled + count)
        })
      }
      readFrom(0)
    })
  },

  write: (fd, bytes, position) => nodeFs.writeSync(fd, bytes, 0, bytes.length, position),
  writev: (fd, pieces, position) => nodeFs.writevSync(fd, pieces, position),
  sync: (fd) => nodeFs.fdatasyncSync(fd),

  syncDirectory(path) {
    if (process.platform === 'win32') return // Windows cannot open a directory; NTFS journals its entries
    const fd = nodeFs.openSync(path, 'r')
    try {
      nodeFs.fsyncSync(fd)
    } finally {
      nodeFs.closeSync(fd)
    }
  },

  truncate: (fd, sizeBytes) => nodeFs.ftruncateSync(fd, sizeBytes),
  sizeBytes: (fd) => nodeFs.fstatSync(fd).size,

  stat(path) {
    const found = nodeFs.statSync(path, { throwIfNoEntry: false })
    if (!found) return undefined
    return {
      sizeBytes: found.size,
      modifiedMs: found.mtimeMs,
      isDirectory: found.isDirectory(),
    }
  },

  readDirectory: (path) =>
    nodeFs
      .readdirSync(path, { withFileTypes: true })
      .map((entry) => ({ name: entry.name, isDirectory: entry.isDirectory() })),

  makeDirectory,
  rename: (from, to) => nodeFs.renameSync(from, to),
  removeFile: (path) => nodeFs.unlinkSync(path),
  removeTree: (path) => nodeFs.rmSync(path, { recursive: true, force: true }),

  space: (path) =>
    new Promise((resolve, reject) => {
      nodeFs.statfs(path, (error, found) => {
        if (error) reject(error)
        else {
          const { bavail, blocks, bsize } = found
          resolve({ freeBytes: bavail * bsize, totalBytes: blocks * bsize })
        }
      })
    }),
}

/** Node's `recursive` never returns in a place where nothing can be created, such as /proc. */
function makeDirectory(path: string): void {
  const parent = dirname(path)
  try {
    makeOneDirectory(path)
  } catch (error) {
    if (errnoCode(error) !== 'ENOENT' || parent === path) throw error
    makeDirectory(parent)
    makeOneDirectory(path)
  }
}

function makeOneDirectory(path: string): void {
  try {
    nodeFs.mkdirSync(path, DIRECTORY_PERMISSIONS)
  } catch (error) {
    if (errnoCode(error) !== 'EEXIST' || !nodeFs.statSync(path).isDirectory()) throw error
  }
}

/** The operating system's id of the calling thread; undefined if the system does not tell it. */
export function currentThreadId(): number | undefined {
  if (process.platform !== 'linux') return undefined
  try {
    return Number(nodeFs.readlinkSync('/proc/thread-self').split('/').at(-1))
  } catch {
    return undefined
  }
}
