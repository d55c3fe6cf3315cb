// CleanerWorker: runs the tasks of compaction and of the scrubber, one after the other. Loaded only when there is a
// task.
// Cleaner thread, or in-process.

import { types } from 'node:util'
import type { Clock } from '../../clock.ts'
import type { Fs } from '../../fs.ts'
import { SCRUB_FILE } from '../../layout.ts'
import { readTxnIndex } from '../../segment/txn-index.ts'
import { replaceText } from '../../text-file.ts'
import { Compactor } from './compactor.ts'
import type { CleanerAnswer, CleanerPort, CleanerTask } from '../port.ts'
import { blame } from './scrub-blame.ts'
import { scrubPiece } from './scrub-piece.ts'
import { SegmentRotten } from './segment-batches.ts'
import { Throttle } from './throttle.ts'

export class CleanerWorker {
  readonly #fs: Fs
  readonly #seed: Uint32Array
  readonly #throttle: Throttle
  #compactor: Compactor | undefined
  #readBytes = 0
  #writtenBytes = 0

  constructor(deps: { fs: Fs; clock: Clock; seed: Uint32Array; sleep: (ms: number) => void }) {
    this.#fs = deps.fs
    this.#seed = deps.seed
    this.#throttle = new Throttle(deps.clock, deps.sleep)
  }

  answer(task: CleanerTask): CleanerAnswer {
    this.#readBytes = 0
    this.#writtenBytes = 0
    const outcome = this.#outcomeOf(task)
    return { ...outcome, readBytes: this.#readBytes, writtenBytes: this.#writtenBytes }
  }

  #outcomeOf(task: CleanerTask): Omit<CleanerAnswer, 'readBytes' | 'writtenBytes'> {
    try {
      if (task.kind === 'scrub') return { scrubbed: scrubPiece(this.#fs, task.piece) }
      if (task.kind === 'blame') return { blamed: blame(this.#fs, task.whole, task.excess) }
      if (task.kind === 'scrubTxnIndex') {
        return { isSound: readTxnIndex(this.#fs, task.path, task.start) !== undefined }
      }
      if (task.kind === 'keepPlace') {
        replaceText(this.#fs, task.dataDir, SCRUB_FILE, task.text, { isDurable: false })
        return {}
      }
      if (task.kind === 'clean') return { cleaned: this.#compactor!.clean(task.segments) }
      this.#compactor = undefined // frees the old map before the new one is made
      this.#throttle.bytesPerSecond = task.bytesPerSecond
      this.#compactor = new Compactor(
        {
          fs: this.#fs,
          seed: this.#seed,
          onBytes: (readBytes, writtenBytes) => this.#note(readBytes, writtenBytes),
        },
        task.pass,
      )
      return { mapped: this.#compactor.map() }
    } catch (error) {
      const failure = types.isNativeError(error) ? error.message : String(error)
      return error instanceof SegmentRotten
        ? { failure, rottenBaseOffset: error.baseOffset }
        : { failure }
    }
  }

  #note(readBytes: number, writtenBytes: number): void {
    this.#readBytes += readBytes
    this.#writtenBytes += writtenBytes
    this.#throttle.note(readBytes + writtenBytes)
  }
}

/** Compacts in-process, for tests and simulations: it never sleeps. */
export class InlineCleanerPort implements CleanerPort {
  readonly #worker: CleanerWorker

  constructor(deps: { fs: Fs; clock: Clock; seed: Uint32Array }) {
    this.#worker = new CleanerWorker({ ...deps, sleep() {} })
  }

  async ask(task: CleanerTask): Promise<CleanerAnswer> {
    return this.#worker.answer(task)
  }

  endThread(): void {}

  async stop(): Promise<void> {}
}
