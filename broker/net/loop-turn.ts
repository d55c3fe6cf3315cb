// LoopTurn: how long requests may start in one turn of the event loop, all connections together. A chunk of small requests
// that ask for much would keep the loop otherwise, and a handler that answers at once has the next one start at once.
// Network thread.

import type { Clock } from '../../storage/clock.ts'

/** Then the loop reads its sockets again. */
const TURN_MS_MAX = 10
/** For one connection at a time. */
const SLICE_MS_MAX = 2

export class LoopTurn {
  readonly #clock: Clock
  /** First come, first served; each once a turn. */
  #waiting = new Set<() => void>()
  #isOpen = false
  #turnEndsAt = 0
  #sliceEndsAt = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** A connection begins to start requests. */
  begin(): void {
    const now = this.#clock.monotonic()
    if (!this.#isOpen) this.#open(now)
    this.#sliceEndsAt = Math.min(now + SLICE_MS_MAX, this.#turnEndsAt)
  }

  /** Must the connection that began last leave its further requests for a later turn? */
  get isOver(): boolean {
    return this.#clock.monotonic() >= this.#sliceEndsAt
  }

  /** @param goOn called in a later turn; one that waits already keeps its place */
  later(goOn: () => void): void {
    this.#waiting.add(goOn)
  }

  #open(now: number): void {
    this.#isOpen = true
    this.#turnEndsAt = now + TURN_MS_MAX
    setImmediate(this.#next)
  }

  readonly #next = (): void => {
    this.#isOpen = false
    if (this.#waiting.size === 0) return
    const now = this.#clock.monotonic()
    this.#open(now)
    const due = [...this.#waiting]
    for (const goOn of due) {
      this.#waiting.delete(goOn)
      goOn()
      if (this.#clock.monotonic() >= this.#turnEndsAt) return
    }
  }
}
