// Progress: what of one partition was given to the reader and what is done, hence what may be committed.

import type { Reading } from '../consumer/reading.ts'

/** `waits`: to be given again; `given`: that has happened; `buried`: it is becoming a dead letter. */
type Held = 'waits' | 'given' | 'buried'

export class Progress {
  readonly reading: Reading
  /** Offset that the group has committed, as far as we know; -1: none. */
  committed: number
  /** Given and not done, ascending. */
  readonly #open = new Set<number>()
  /** What has failed, or was put off. */
  readonly #held = new Map<number, Held>()
  #abandonedAt: number | undefined
  readonly #whenIdle: (() => void)[] = []

  constructor(reading: Reading, committed: number) {
    this.reading = reading
    this.committed = committed
  }

  given(offset: number): void {
    this.#abandonedAt = undefined
    if (this.#held.size > 0 && this.#held.has(offset)) this.#held.set(offset, 'given')
    else this.#open.add(offset)
  }

  /** It is not done, and asking for the next record does not make it so. */
  hold(offset: number, how: 'waits' | 'buried'): void {
    this.#open.delete(offset)
    this.#held.set(offset, how)
    this.#settle()
  }

  /** Done: in any order, so that records can be worked on side by side. */
  finished(offset: number): void {
    this.#open.delete(offset)
    this.#held.delete(offset)
    this.#settle()
  }

  finishedAll(): void {
    if (this.#open.size === 1) for (const offset of this.#open) this.#open.delete(offset)
    else this.#open.clear() // which takes new memory: too dear for a record at a time
    if (this.#held.size > 0)
      for (const [offset, how] of this.#held) if (how === 'given') this.#held.delete(offset)
    this.#settle()
  }

  /** The reader goes on elsewhere. */
  forget(): void {
    this.#held.clear()
    this.finishedAll()
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
    const inHand = this.#firstOf(this.#open, 'given')
    if (inHand < Infinity) this.#abandonedAt = Math.min(inHand, this.#abandonedAt ?? Infinity)
    this.finishedAll()
  }

  /** The same of one record. */
  leave(offset: number): void {
    this.#abandonedAt = Math.min(offset, this.#abandonedAt ?? Infinity)
    this.finished(offset)
  }

  /** Offset before which everything is done. */
  get committable(): number {
    const first = this.#firstOf(this.#open, 'waits', 'given', 'buried')
    return Math.min(first, this.#abandonedAt ?? Infinity, this.reading.position)
  }

  /** The first record that is not in hand and not done either; Infinity: there is none. */
  get heldFrom(): number {
    return this.#firstOf([], 'waits', 'buried')
  }

  get isIdle(): boolean {
    if (this.#open.size > 0) return false
    for (const how of this.#held.values()) if (how !== 'waits') return false
    return true
  }

  /** Resolves when nothing is being worked on. */
  idle(): Promise<void> {
    if (this.isIdle) return Promise.resolve()
    return new Promise((resolve) => this.#whenIdle.push(resolve))
  }

  /** @param open ascending */
  #firstOf(open: Iterable<number>, ...kinds: readonly Held[]): number {
    let [first = Infinity] = open
    for (const [offset, how] of this.#held)
      if (kinds.includes(how) && offset < first) first = offset
    return first
  }

  #settle(): void {
    if (this.#whenIdle.length > 0 && this.isIdle)
      for (const resolve of this.#whenIdle.splice(0)) resolve()
  }
}
