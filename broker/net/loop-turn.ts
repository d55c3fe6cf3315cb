// LoopTurn: how long requests may start in one turn of the event loop, of all connections together. Without it one chunk of
// small requests that ask for much would keep the loop: a handler that answers at once lets the next request start at once.
// Network thread.

import type { Clock } from '../../storage/clock.ts'

/** Of all connections together; then the loop reads its sockets again. */
const TURN_MS_MAX = 10
/** Of one connection. */
const SLICE_MS_MAX = 2

export class LoopTurn {
  readonly #clock: Clock
  /** Connections that wait for a later turn, in order of arrival; each goes on once a turn. */
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

  /** Whether the connection that began last must leave its further requests for a later turn. */
  get isOver(): boolean {
    return this.#clock.monotonic() >= this.#sliceEndsAt
  }

  /** @param goOn called in a later turn. A connection that waits already keeps its place */
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
