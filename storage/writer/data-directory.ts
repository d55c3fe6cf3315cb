// DataDirectory: what the writer keeps beside the logs themselves: the recovery checkpoint, directories on their way out,
// the note that the disk failed, and a little room for the day when the disk is full. Writer thread.
// See docs/formats/recovery.md

import { join } from 'node:path'
import { isRefusal, orDiskFailure, syncOrDie } from '../disk-failure.ts'
import { errnoCode, type Fs } from '../fs.ts'
import { BALLAST_FILE, DELETED_SUFFIX, deletedDirectory, DISK_FAILURE_FILE } from '../layout.ts'
import { replaceText } from '../text-file.ts'
import type { PartitionLog } from './partition-log.ts'
import { RecoveryCheckpoint } from './recovery-checkpoint.ts'

const BALLAST_BYTES_MIN = 64 * 1024

export class DataDirectory {
  readonly path: string
  readonly checkpoint: RecoveryCheckpoint
  /** The last process ended because the disk failed, and not every log has been closed in order since. */
  readonly hasFailed: boolean
  readonly #fs: Fs
  /** Renamed already; what is in them is nobody's. */
  readonly #doomed: string[]
  /** At the start, and whenever there may be room again. */
  #isBallastDue = true

  constructor(fs: Fs, path: string) {
    this.#fs = fs
    this.path = path
    this.checkpoint = new RecoveryCheckpoint(fs, path)
    this.hasFailed = fs.stat(join(path, DISK_FAILURE_FILE)) !== undefined
    this.#doomed = fs
      .readDirectory(path)
      .filter(({ name, isDirectory }) => isDirectory && name.endsWith(DELETED_SUFFIX))
      .map(({ name }) => join(path, name))
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
      this.#doomed.push(target())
    }
    if (this.#doomed.length === doomedBefore) return
    syncOrDie(this.path, () => this.#fs.syncDirectory(this.path))
  }

  /** These are to be deleted, when nobody waits. */
  doom(paths: readonly string[]): void {
    this.#doomed.push(...paths)
  }

  /** Is there anything that can wait until everybody has been answered? */
  get isTidyDue(): boolean {
    return this.#doomed.length > 0 || this.#isBallastDue
  }

  /** Deletes what was put out of the way, and lays in ballast again. */
  tidy(): void {
    for (const path of this.#doomed.splice(0)) {
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
    this.#fs.removeFile(join(this.path, DISK_FAILURE_FILE))
    syncOrDie(this.path, () => this.#fs.syncDirectory(this.path))
  }
}
