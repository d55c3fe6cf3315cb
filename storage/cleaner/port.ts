// CleanerPort: the network thread's end of the way to whoever compacts, in a thread of its own (thread.ts) or here.
// One pass at a time, one task of it at a time.

import type { Clock } from '../clock.ts'
import type { Fs } from '../fs.ts'
import { type Cleaned, Compactor, type Mapped, type Pass, type SourceSegment } from './compactor.ts'
import { Throttle } from './throttle.ts'

export type CleanerTask =
  /** Begins a pass. */
  | { readonly kind: 'map'; readonly pass: Pass; readonly bytesPerSecond: number }
  /** Of the pass that was begun last. */
  | { readonly kind: 'clean'; readonly segments: readonly SourceSegment[] }

export interface CleanerAnswer {
  readonly mapped?: Mapped
  readonly cleaned?: Cleaned
  /** Why not: a segment cannot be read, or the disk refuses. Nothing is left behind. */
  readonly failure?: string
  readonly readBytes: number
  readonly writtenBytes: number
}

export interface CleanerPort {
  ask(task: CleanerTask): Promise<CleanerAnswer>
  /** There is nothing more to do for now: its memory is given back. */
  rest(): void
  /** Whatever it is at, it is gone when this resolves; then nothing more is answered. */
  stop(): Promise<void>
}

/** Does the tasks. */
export class CleanerDesk {
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

  #outcomeOf(task: CleanerTask): Pick<CleanerAnswer, 'mapped' | 'cleaned' | 'failure'> {
    try {
      if (task.kind === 'clean') return { cleaned: this.#compactor!.clean(task.segments) }
      this.#compactor = undefined // before there is another map in memory
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
      return { failure: error instanceof Error ? error.message : String(error) }
    }
  }

  #note(readBytes: number, writtenBytes: number): void {
    this.#readBytes += readBytes
    this.#writtenBytes += writtenBytes
    this.#throttle.note(readBytes + writtenBytes)
  }
}

/** Compacts in this thread, in tests and simulations: it never sleeps. */
export class InlineCleanerPort implements CleanerPort {
  readonly #desk: CleanerDesk

  constructor(deps: { fs: Fs; clock: Clock; seed: Uint32Array }) {
    this.#desk = new CleanerDesk({ ...deps, sleep() {} })
  }

  async ask(task: CleanerTask): Promise<CleanerAnswer> {
    return this.#desk.answer(task)
  }

  rest(): void {}

  async stop(): Promise<void> {}
}
