// DataDirectory: what the writer keeps beside the logs themselves: the recovery checkpoint, directories on their way out,
// the note that the disk failed, and a little room for the day when the disk is full. Writer thread.
// See docs/formats/recovery.md

import { join } from 'node:path'
import type { Clock } from '../clock.ts'
import { isRefusal, orDiskFailure, syncOrDie } from '../disk-failure.ts'
import { errnoCode, type Fs } from '../fs.ts'
import { BALLAST_FILE, DELETED_SUFFIX, deletedDirectory, DISK_FAILURE_FILE } from '../layout.ts'
import { replaceText } from '../text-file.ts'
import type { PartitionLog } from './partition-log.ts'
import { RecoveryCheckpoint } from '../recovery/recovery-checkpoint.ts'

const BALLAST_BYTES_MIN = 64 * 1024
/** The most that a timer takes is 24 days; an hour is as good. */
const TIDY_WAIT_MS_MAX = 3_600_000
/** Deleted in one turn: a file of a gigabyte may take many milliseconds, for which appends wait. */
const DELETES_A_TURN = 8

interface Doomed {
  readonly path: string
  /** Of the clock's monotonic time. */
  dueMs: number
}

export class DataDirectory {
  readonly path: string
  readonly checkpoint: RecoveryCheckpoint
  /** The last process ended because the disk failed, and not every log has been closed in order since. */
  readonly hasFailed: boolean
  readonly #fs: Fs
  readonly #clock: Clock
  /** Renamed already; what is in them is nobody's. */
  #doomed: Doomed[]
  /** At the start, and whenever there may be room again. */
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
    this.#doomed = fs
      .readDirectory(path)
      .filter(({ name, isDirectory }) => isDirectory && name.endsWith(DELETED_SUFFIX))
      .map(({ name }) => ({ path: join(path, name), dueMs: -Infinity }))
  }

  /** Makes the checkpoint durable, if need be with the room that was kept for it. @throws when the disk refuses even so */
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

  /** Puts directories out of the way, durably; missing ones are fine. */
  discard(directories: readonly string[]): void {
    const doomedBefore = this.#doomed.length
    for (const directory of directories) {
      this.checkpoint.forget(directory)
      const from = join(this.path, directory)
      if (!this.#fs.stat(from)) continue
      let serial = 0
      const target = () => join(this.path, deletedDirectory(directory, serial))
      while (this.#fs.stat(target())) serial++
      orDiskFailure(from, () => this.#fs.rename(from, target()))
      this.#doomed.push({ path: target(), dueMs: -Infinity })
    }
    if (this.#doomed.length === doomedBefore) return
    syncOrDie(this.path, () => this.#fs.syncDirectory(this.path))
  }

  /** These are to be deleted once `delayMs` have passed and nobody waits. */
  doom(paths: readonly string[], delayMs: number): void {
    const dueMs = this.#clock.monotonic() + delayMs
    this.#doomed.push(...paths.map((path) => ({ path, dueMs })))
  }

  /** Room is short: what is out of the way is deleted without delay. */
  hurry(): void {
    for (const each of this.#doomed) each.dueMs = -Infinity
  }

  /** How long what is to be done can wait, once everybody has been answered; undefined when there is nothing. */
  get tidyDueInMs(): number | undefined {
    if (this.#isBallastDue) return 0
    if (this.#doomed.length === 0) return undefined
    const dueMs = this.#doomed.reduce((first, each) => Math.min(first, each.dueMs), Infinity)
    return Math.min(Math.max(0, dueMs - this.#clock.monotonic()), TIDY_WAIT_MS_MAX)
  }

  /** Deletes some of what is due, and lays in ballast again. */
  tidy(): void {
    const nowMs = this.#clock.monotonic()
    const due = this.#doomed.filter(({ dueMs }) => dueMs <= nowMs).slice(0, DELETES_A_TURN)
    this.#doomed = this.#doomed.filter((each) => !due.includes(each))
    for (const { path } of due) {
      try {
        this.#fs.removeTree(path)
      } catch (error) {
        if (errnoCode(error) === undefined) throw error // what cannot be deleted now is found at the next start
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

  /** Leaves word for the next process; best effort, for the disk is failing. */
  noteFailure(reason: string): void {
    try {
      replaceText(this.#fs, this.path, DISK_FAILURE_FILE, `${reason}\n`, { isDurable: false })
    } catch {
      // The reason is reported in any case, and a disk that takes nothing more cannot be started on either.
    }
  }

  /** Every log has been closed in order: what was lost in the failure is behind us. */
  forgetFailure(): void {
    if (!this.hasFailed || this.checkpoint.isAnyUnclean) return
    const path = join(this.path, DISK_FAILURE_FILE)
    if (this.#fs.stat(path)) this.#fs.removeFile(path)
    syncOrDie(this.path, () => this.#fs.syncDirectory(this.path))
  }
}
