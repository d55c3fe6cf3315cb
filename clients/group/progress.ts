// Progress: what of one partition was given to the reader and what is done, hence what may be committed.

import type { Reading } from '../reading.ts'

export class Progress {
  readonly reading: Reading
  /** Offset that the group has committed, as far as we know; -1: none. */
  committed: number
  /** Given and not done, ascending. */
  readonly #open = new Set<number>()
  #abandonedAt: number | undefined
  readonly #whenIdle: (() => void)[] = []

  constructor(reading: Reading, committed: number) {
    this.reading = reading
    this.committed = committed
  }

  given(offset: number): void {
    this.#abandonedAt = undefined
    this.#open.add(offset)
  }

  /** Done: in any order, so that records can be worked on side by side. */
  finished(offset: number): void {
    this.#open.delete(offset)
    this.#settle()
  }

  finishedAll(): void {
    if (this.#open.size === 1) for (const offset of this.#open) this.#open.delete(offset)
    else this.#open.clear() // which takes new memory: too dear for a record at a time
    this.#settle()
  }

  /** The reader has committed this itself: everything before it is done. */
  committedAt(offset: number): void {
    this.committed = offset
    for (const each of this.#open) if (each < offset) this.#open.delete(each)
    if (this.#abandonedAt !== undefined && this.#abandonedAt < offset) this.#abandonedAt = undefined
    this.#settle()
  }

  /** The reader has let go of what it was given: nobody works on it, and it is not done. */
  abandon(): void {
    this.#abandonedAt ??= this.#open.values().next().value
    this.finishedAll()
  }

  /** Offset before which everything is done. */
  get committable(): number {
    const first = this.#open.values().next()
    return this.#abandonedAt ?? (first.done ? this.reading.position : first.value)
  }

  get isIdle(): boolean {
    return this.#open.size === 0
  }

  /** Resolves when nothing is being worked on. */
  idle(): Promise<void> {
    if (this.isIdle) return Promise.resolve()
    return new Promise((resolve) => this.#whenIdle.push(resolve))
  }

  #settle(): void {
    if (this.#whenIdle.length > 0 && this.isIdle)
      for (const resolve of this.#whenIdle.splice(0)) resolve()
  }
}
