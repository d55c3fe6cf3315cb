// BelievedClock: the wall clock, as far as records may be deleted by it. A clock that leaps ahead makes everything look old;
// so a leap is not followed before it has stood for a while, and until then time goes on from where it was.
// Network thread. See docs/formats/cleaning.md

import type { Clock } from '../clock.ts'

/** Ahead of what has passed by the monotonic clock. Shorter stops of the machine, and of the broker, are no leap. */
const LEAP_MS = 24 * 3_600_000

export class BelievedClock {
  readonly #clock: Clock
  readonly #graceMs: () => number
  readonly #warn: (message: string) => void
  /** A wall time that was believed, and the monotonic time when that was. */
  #seenMs: number
  #seenAtMs: number
  #leaptAtMs: number | undefined

  /** @param lastSeenMs wall time at which the data was certainly in use; undefined when nothing says so */
  constructor(deps: {
    readonly clock: Clock
    readonly lastSeenMs: number | undefined
    /** How long a leap must stand. */
    readonly graceMs: () => number
    readonly warn: (message: string) => void
  }) {
    this.#clock = deps.clock
    this.#graceMs = deps.graceMs
    this.#warn = deps.warn
    this.#seenMs = deps.lastSeenMs ?? deps.clock.now()
    this.#seenAtMs = deps.clock.monotonic()
  }

  /** ms since the epoch. */
  now(): number {
    const wallMs = this.#clock.now()
    const monotonicMs = this.#clock.monotonic()
    const expectedMs = this.#seenMs + (monotonicMs - this.#seenAtMs)
    const isLeap = wallMs - expectedMs > LEAP_MS
    if (isLeap && this.#leaptAtMs === undefined) this.#noteLeap(wallMs, expectedMs, monotonicMs)
    if (isLeap && monotonicMs - this.#leaptAtMs! < this.#graceMs()) return expectedMs
    this.#leaptAtMs = undefined
    this.#seenMs = wallMs
    this.#seenAtMs = monotonicMs
    return wallMs
  }

  #noteLeap(wallMs: number, expectedMs: number, monotonicMs: number): void {
    this.#leaptAtMs = monotonicMs
    const days = Math.round((wallMs - expectedMs) / LEAP_MS)
    const hours = Math.round(this.#graceMs() / 3_600_000)
    this.#warn(
      `the clock says ${new Date(wallMs).toISOString()}, ${days} days after this data was last in use: ` +
        `if that is right, records that are too old by it are deleted in ${hours} hours`,
    )
  }
}
