// Progress: which records of one partition the reader got and which are done, and so which offset to commit.

import type { Reading } from '../consumer/reading.ts'

/** `waits`: for redelivery; `given`: redelivered; `buried`: it is becoming a dead letter. */
type Held = 'waits' | 'given' | 'buried'

export class Progress {
  readonly reading: Reading
  /** The group's committed offset, as far as the member knows; -1: none. */
  committed: number
  /** Offsets of records that are given and not done. */
  readonly #open = new OpenOffsets()
  /** Offsets of records that failed or were postponed. */
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

  /** The record is not done, even when the reader asks for the next one. */
  hold(offset: number, how: 'waits' | 'buried'): void {
    this.#open.delete(offset)
    this.#held.set(offset, how)
    this.#settle()
  }

  /** The record is done. Records may finish in any order, because they are handled side by side. */
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

  /** The position was moved: forgets all records. */
  forget(): void {
    this.#held.clear()
    this.finishedAll()
  }

  /** The reader has committed this offset itself: all records before it are done. */
  committedAt(offset: number): void {
    this.committed = offset
    this.#open.deleteBelow(offset)
    if (this.#abandonedAt !== undefined && this.#abandonedAt < offset) this.#abandonedAt = undefined
    this.#settle()
  }

  /** No record is being handled any more; those without an outcome are not done. */
  abandon(): void {
    const inHand = Math.min(this.#open.first, this.#firstHeld('given'))
    if (inHand < Infinity) this.#abandonedAt = Math.min(inHand, this.#abandonedAt ?? Infinity)
    this.finishedAll()
  }

  /** As `abandon`, for one record. */
  leave(offset: number): void {
    this.#abandonedAt = Math.min(offset, this.#abandonedAt ?? Infinity)
    this.finished(offset)
  }

  /** All records before this offset are done. */
  get committable(): number {
    const first = Math.min(this.#open.first, this.#firstHeld('waits', 'given', 'buried'))
    return Math.min(first, this.#abandonedAt ?? Infinity, this.reading.position)
  }

  /** The first record that is neither in hand nor done; Infinity: none. */
  get heldFrom(): number {
    return this.#firstHeld('waits', 'buried')
  }

  get isIdle(): boolean {
    if (this.#open.first < Infinity) return false
    for (const how of this.#held.values()) if (how !== 'waits') return false
    return true
  }

  /** Resolves when no record is being handled. */
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

/**
 * Offsets that are added in ascending order and mostly deleted in that order too: a set would be the most expensive
 * part.
 */
class OpenOffsets {
  /** Ascending; those before `#head` are deleted. */
  readonly #offsets: number[] = []
  #head = 0
  /** Deleted offsets behind `#head`. */
  readonly #deleted = new Set<number>()

  /** Infinity: none. */
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

/** With fewer deleted offsets than this, they stay where they are. */
const COMPACT_MIN = 1024
