// Progress: what of one partition was given to the reader and what is done, hence what may be committed.

import type { Reading } from '../consumer/reading.ts'

/** `waits`: to be given again; `given`: that has happened; `buried`: it is becoming a dead letter. */
type Held = 'waits' | 'given' | 'buried'

export class Progress {
  readonly reading: Reading
  /** Offset that the group has committed, as far as we know; -1: none. */
  committed: number
  /** Given and not done. */
  readonly #open = new OpenOffsets()
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
    this.#open.clear()
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
    this.#open.deleteBelow(offset)
    if (this.#abandonedAt !== undefined && this.#abandonedAt < offset) this.#abandonedAt = undefined
    this.#settle()
  }

  /** The reader has let go of what it was given: nobody works on it, and it is not done. */
  abandon(): void {
    const inHand = Math.min(this.#open.first, this.#firstHeld('given'))
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
    const first = Math.min(this.#open.first, this.#firstHeld('waits', 'given', 'buried'))
    return Math.min(first, this.#abandonedAt ?? Infinity, this.reading.position)
  }

  /** The first record that is not in hand and not done either; Infinity: there is none. */
  get heldFrom(): number {
    return this.#firstHeld('waits', 'buried')
  }

  get isIdle(): boolean {
    if (this.#open.first < Infinity) return false
    for (const how of this.#held.values()) if (how !== 'waits') return false
    return true
  }

  /** Resolves when nothing is being worked on. */
  idle(): Promise<void> {
    if (this.isIdle) return Promise.resolve()
    return new Promise((resolve) => this.#whenIdle.push(resolve))
  }

  #firstHeld(...kinds: readonly Held[]): number {
    let first = Infinity
    for (const [offset, how] of this.#held)
      if (kinds.includes(how) && offset < first) first = offset
    return first
  }

  #settle(): void {
    if (this.#whenIdle.length > 0 && this.isIdle)
      for (const resolve of this.#whenIdle.splice(0)) resolve()
  }
}

/** Offsets that are added in ascending order and mostly deleted in that order, too: a set would cost more than the rest. */
class OpenOffsets {
  /** Ascending; those before `#head` are deleted. */
  readonly #offsets: number[] = []
  #head = 0
  /** Deleted behind `#head`. */
  readonly #deleted = new Set<number>()

  /** Infinity: there is none. */
  get first(): number {
    return this.#offsets[this.#head] ?? Infinity
  }

  add(offset: number): void {
    this.#offsets.push(offset)
  }

  delete(offset: number): void {
    if (offset !== this.first) {
      if (this.#has(offset)) this.#deleted.add(offset)
      return
    }
    this.#head++
    while (this.#deleted.size > 0 && this.#deleted.delete(this.first)) this.#head++
    this.#compact()
  }

  deleteBelow(offset: number): void {
    while (this.first < offset) this.delete(this.first)
  }

  clear(): void {
    this.#head = this.#offsets.length
    if (this.#deleted.size > 0) this.#deleted.clear()
    this.#compact()
  }

  #has(offset: number): boolean {
    let from = this.#head
    let to = this.#offsets.length
    while (from < to) {
      const middle = (from + to) >>> 1
      if (this.#offsets[middle]! < offset) from = middle + 1
      else to = middle
    }
    return this.#offsets[from] === offset
  }

  #compact(): void {
    if (this.#head < this.#offsets.length && this.#head < COMPACT_MIN) return
    if (2 * this.#head < this.#offsets.length) return
    if (this.#head === 1 && this.#offsets.length === 1) this.#offsets.pop()
    else this.#offsets.splice(0, this.#head)
    this.#head = 0
  }
}

/** Below this many, deleted offsets may stay where they are. */
const COMPACT_MIN = 1024
