// DirectoryLock: lets one process at a time own a data directory. Network thread, at start and stop.
// Where there is `flock` (Linux) the kernel holds the lock, so a killed process leaves none behind; elsewhere a file
// names the owner.

import { spawnSync } from 'node:child_process'
import { join, resolve } from 'node:path'
import { setImmediate as nextLoopTurn } from 'node:timers/promises'
import type { Clock } from './clock.ts'
import { errnoCode, type Fs } from './fs.ts'
import { LOCK_FILE } from './layout.ts'

/** The owner writes its pid a moment after it gets the lock; on a busy machine that moment is long. */
const PID_WAIT_MS = 5_000
/** A start needs this file for microseconds: an older one is left from a crash. */
const ABANDONED_MS = 10_000
/** Descriptor of the lock file in the `flock` child. */
const CHILD_FD = 3
/** Without `flock`: the owner's name, and the process that is removing a dead owner. */
export const OWNER_FILE = `${LOCK_FILE}.owner`
export const TAKEOVER_FILE = `${LOCK_FILE}.takeover`

/** Owner files of this process: an earlier process may have had the same pid. */
const ownedHere = new Set<string>()

export interface DirectoryLock {
  release(): void
}

export interface LockDeps {
  /** The real disk: the kernel must know its descriptors. */
  readonly fs: Fs
  readonly clock: Clock
  /** 'flock': the kernel holds the lock. 'file': a file names the owner. Default: 'flock' where it works. */
  readonly kind?: 'flock' | 'file'
}

/** @throws {Error} with the owner's pid when this or another process owns the directory */
export async function lockDirectory(dataDir: string, deps: LockDeps): Promise<DirectoryLock> {
  const byKernel = deps.kind === 'file' ? undefined : lockByKernel(resolve(dataDir), deps.fs)
  const lock = byKernel ?? lockByFile(resolve(dataDir), deps)
  if ('release' in lock) return lock
  throw await inUse(dataDir, lock.takenPath, deps)
}

/** The file with the owner's name. */
interface Taken {
  readonly takenPath: string
}

/**
 * Keeps other processes out of a directory that is only read, and writes nothing for it. A directory that was never
 * locked is a copy without an owner.
 *
 * @throws {Error} with the owner's pid when the directory is taken
 */
export async function lockForReading(dataDir: string, deps: LockDeps): Promise<DirectoryLock> {
  const { fs } = deps
  const path = join(resolve(dataDir), LOCK_FILE)
  const owner = join(resolve(dataDir), OWNER_FILE)
  if (fs.stat(owner) && !isLeftBehind(owner, deps)) throw await inUse(dataDir, owner, deps)
  if (process.platform !== 'linux' || !fs.stat(path)) return { release() {} }
  const fd = fs.open(path, 'read')
  if (flock(fd) === 1) {
    fs.close(fd)
    throw await inUse(dataDir, path, deps)
  }
  return { release: () => fs.close(fd) }
}

async function inUse(dataDir: string, takenPath: string, deps: LockDeps): Promise<Error> {
  const pid = await livePidIn(takenPath, deps)
  return new Error(
    `${dataDir} is in use by process ${pid ?? '(unknown)'}: stop that one, or use another data directory.`,
  )
}

/**
 * The lock belongs to our open file, not to the child: it stays until the file is closed or the process dies.
 *
 * @returns 0: this process has the lock; 1: another has it; any other value: there is no `flock` here
 */
function flock(fd: number): number | null {
  return spawnSync('flock', ['-n', '-x', String(CHILD_FD)], {
    stdio: ['ignore', 'ignore', 'ignore', fd],
  }).status
}

/** @returns undefined when there is no `flock` here */
function lockByKernel(dataDir: string, fs: Fs): DirectoryLock | Taken | undefined {
  if (process.platform !== 'linux') return undefined
  const path = join(dataDir, LOCK_FILE)
  const fd = openOrCreate(path, fs)
  const status = flock(fd)
  if (status !== 0) {
    fs.close(fd)
    return status === 1 ? { takenPath: path } : undefined
  }
  fs.truncate(fd, 0)
  fs.write(fd, Buffer.from(`${process.pid}\n`), 0)
  return { release: () => fs.close(fd) }
}

function openOrCreate(path: string, fs: Fs): number {
  return create(path, fs) ?? fs.open(path, 'write')
}

/** @returns undefined when the file exists */
function create(path: string, fs: Fs): number | undefined {
  try {
    return fs.open(path, 'create')
  } catch (error) {
    if (errnoCode(error) === 'EEXIST') return undefined
    throw error
  }
}

function lockByFile(dataDir: string, deps: LockDeps): DirectoryLock | Taken {
  const { fs } = deps
  const path = join(dataDir, OWNER_FILE)
  if (!createWithPid(path, fs) && !(isLeftBehind(path, deps) && takeOver(dataDir, path, deps))) {
    return { takenPath: path }
  }
  ownedHere.add(path)
  return {
    release() {
      ownedHere.delete(path)
      fs.removeFile(path)
    },
  }
}

/** Removes a dead owner: one process at a time, because a slow one could remove the next owner. */
function takeOver(dataDir: string, path: string, deps: LockDeps): boolean {
  const { fs } = deps
  const guard = join(dataDir, TAKEOVER_FILE)
  if (!createWithPid(guard, fs)) {
    if (isOld(guard, deps)) removeIfThere(guard, fs)
    return false
  }
  try {
    if (!isLeftBehind(path, deps)) return false
    removeIfThere(path, fs)
    return createWithPid(path, fs)
  } finally {
    fs.removeFile(guard)
  }
}

function createWithPid(path: string, fs: Fs): boolean {
  const fd = create(path, fs)
  if (fd === undefined) return false
  try {
    fs.write(fd, Buffer.from(`${process.pid}\n`), 0)
  } finally {
    fs.close(fd)
  }
  return true
}

function isLeftBehind(path: string, deps: LockDeps): boolean {
  const pid = pidIn(path, deps.fs)
  if (pid === undefined) return isOld(path, deps)
  return pid === process.pid ? !ownedHere.has(path) : !isAlive(pid)
}

function isOld(path: string, { fs, clock }: LockDeps): boolean {
  const found = fs.stat(path)
  return found !== undefined && clock.now() - found.modifiedMs > ABANDONED_MS
}

function removeIfThere(path: string, fs: Fs): void {
  if (fs.stat(path)) fs.removeFile(path)
}

async function livePidIn(path: string, { fs, clock }: LockDeps): Promise<number | undefined> {
  const deadline = clock.monotonic() + PID_WAIT_MS
  while (clock.monotonic() < deadline) {
    const pid = pidIn(path, fs)
    if (pid !== undefined && isAlive(pid)) return pid
    await nextLoopTurn()
  }
  return undefined
}

function pidIn(path: string, fs: Fs): number | undefined {
  const bytes = Buffer.alloc(16)
  let count: number
  try {
    const fd = fs.open(path, 'read')
    try {
      count = fs.read(fd, bytes, 0)
    } finally {
      fs.close(fd)
    }
  } catch (error) {
    if (errnoCode(error) === 'ENOENT') return undefined
    throw error
  }
  const pid = /^(\d+)\n/.exec(bytes.toString('latin1', 0, count))?.[1]
  return pid === undefined ? undefined : Number(pid)
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return errnoCode(error) === 'EPERM'
  }
}
