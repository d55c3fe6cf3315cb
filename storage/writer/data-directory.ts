// DataDirectory: the writer's files beside the logs: the recovery checkpoint, directories that wait for deletion, the
// note that the disk failed, and a ballast file for a full disk. Writer thread. See docs/formats/recovery.md

import { join } from 'node:path'
import type { Clock } from '../clock.ts'
import { isRefusal, orDiskFailure, syncOrDie } from '../disk-failure.ts'
import { errnoCode, type Fs } from '../fs.ts'
import { BALLAST_FILE, DELETED_SUFFIX, deletedDirectory, DISK_FAILURE_FILE } from '../layout.ts'
import { replaceText } from '../text-file.ts'
import type { PartitionLog } from './partition-log.ts'
import { RecoveryCheckpoint } from '../recovery/recovery-checkpoint.ts'

const BALLAST_BYTES_MIN = 64 * 1024
/** A timer takes 24 days at most; an hour is as good. */
const TIDY_WAIT_MS_MAX = 3_600_000
/** The most deletions of one turn: appends wait meanwhile, many milliseconds for a file of a gigabyte. */
const DELETES_A_TURN = 8

interface Deletion {
  readonly path: string
  /** Monotonic ms. */
  dueMs: number
}

export class DataDirectory {
  readonly path: string
  readonly checkpoint: RecoveryCheckpoint
  /** The previous process ended because the disk failed, and since then not all logs have been closed in order. */
  readonly hasFailed: boolean
  readonly #fs: Fs
  readonly #clock: Clock
  /** Renamed directories and files, to be deleted. */
  #deletions: Deletion[]
  /** True at the start, and whenever the disk may have room again. */
  #isBallastDue = true

  constructor(fs: Fs, clock: Clock, path: string) {
    this.#fs = fs
    this.#clock = clock
    this.path = path
    // The last process may have been killed between a rename and its sync: the start deletes segments by the checkpoint that
    // it reads, so this checkpoint must be durable first.
    syncOrDie(path, () => fs.syncDirectory(path))
    this.checkpoint = new RecoveryCheckpoint(fs, path)
    this.hasFailed = fs.stat(join(path, DISK_FAILURE_FILE)) !== undefined
    this.#deletions = fs
      .readDirectory(path)
      .filter(({ name, isDirectory }) => isDirectory && name.endsWith(DELETED_SUFFIX))
      .map(({ name }) => ({ path: join(path, name), dueMs: -Infinity }))
  }

  /** Makes the checkpoint durable, if necessary with the ballast's room. @throws when the disk refuses even so */
  writeCheckpoint(logs: Iterable<PartitionLog>): void {
    const lines = Array.from(logs, (log) => log.takeCheckpoint())
    try {
      this.checkpoint.write(lines)
    } catch (error) {
      const ballast = join(this.path, BALLAST_FILE)
      if (!isRefusal(error) || !this.#fs.stat(ballast)) throw error
      this.#fs.removeFile(ballast)
      this.checkpoint.write(lines)
    }
  }

  /** Renames directories for deletion, durably; missing ones are fine. */
  discard(directories: readonly string[]): void {
    const deletionsBefore = this.#deletions.length
    for (const directory of directories) {
      this.checkpoint.forget(directory)
      const from = join(this.path, directory)
      if (!this.#fs.stat(from)) continue
      let serial = 0
      const target = () => join(this.path, deletedDirectory(directory, serial))
      while (this.#fs.stat(target())) serial++
      orDiskFailure(from, () => this.#fs.rename(from, target()))
      this.#deletions.push({ path: target(), dueMs: -Infinity })
    }
    if (this.#deletions.length === deletionsBefore) return
    syncOrDie(this.path, () => this.#fs.syncDirectory(this.path))
  }

  /** Deletes these paths once `delayMs` have passed and no command waits. */
  deleteLater(paths: readonly string[], delayMs: number): void {
    const dueMs = this.#clock.monotonic() + delayMs
    this.#deletions.push(...paths.map((path) => ({ path, dueMs })))
  }

  /** The disk is nearly full: deletions are due at once. */
  hurry(): void {
    for (const each of this.#deletions) each.dueMs = -Infinity
  }

  /** ms until work is due, once no command waits; undefined: nothing is due. */
  get tidyDueInMs(): number | undefined {
    if (this.#isBallastDue) return 0
    if (this.#deletions.length === 0) return undefined
    const dueMs = this.#deletions.reduce((first, each) => Math.min(first, each.dueMs), Infinity)
    return Math.min(Math.max(0, dueMs - this.#clock.monotonic()), TIDY_WAIT_MS_MAX)
  }

  /** Deletes some of the due paths, and makes the ballast again. */
  tidy(): void {
    const nowMs = this.#clock.monotonic()
    const due = this.#deletions.filter(({ dueMs }) => dueMs <= nowMs).slice(0, DELETES_A_TURN)
    this.#deletions = this.#deletions.filter((each) => !due.includes(each))
    for (const { path } of due) {
      try {
        this.#fs.removeTree(path)
      } catch (error) {
        if (errnoCode(error) === undefined) throw error // the next start finds files that cannot be deleted now
      }
    }
    this.#layInBallast()
    this.#isBallastDue = false
  }

  #layInBallast(): void {
    const path = join(this.path, BALLAST_FILE)
    const wantedBytes = Math.max(BALLAST_BYTES_MIN, 2 * this.checkpoint.sizeBytes)
    if ((this.#fs.stat(path)?.sizeBytes ?? 0) >= wantedBytes) return
    try {
      replaceText(this.#fs, this.path, BALLAST_FILE, ' '.repeat(wantedBytes), { isDurable: false })
    } catch (error) {
      if (!isRefusal(error)) throw error
    }
  }

  /** Leaves a note for the next process. Best effort, because the disk is failing. */
  noteFailure(reason: string): void {
    try {
      replaceText(this.#fs, this.path, DISK_FAILURE_FILE, `${reason}\n`, { isDurable: false })
    } catch {
      // The reason is reported in any case, and a disk that takes no note cannot be started on either.
    }
  }

  /** All logs have been closed in order: the failure's losses are known and past. */
  forgetFailure(): void {
    if (!this.hasFailed || this.checkpoint.isAnyUnclean) return
    const path = join(this.path, DISK_FAILURE_FILE)
    if (this.#fs.stat(path)) this.#fs.removeFile(path)
    syncOrDie(this.path, () => this.#fs.syncDirectory(this.path))
  }
}
