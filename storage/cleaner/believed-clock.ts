// BelievedClock: the wall clock that retention deletes by. After a leap ahead every record looks old; so this clock
// ignores a leap until it has lasted for a while, and counts on by the monotonic clock meanwhile. Network thread. See
// docs/formats/cleaning.md

import type { Clock } from '../clock.ts'

/**
 * The wall clock leaps if it gets ahead of the monotonic clock by this much. A shorter stop of the machine or of the
 * broker is no leap.
 */
const LEAP_MS = 24 * 3_600_000

export class BelievedClock {
  readonly #clock: Clock
  readonly #graceMs: () => number
  readonly #warn: (message: string) => void
  /** The last believed wall time, and the monotonic time at that moment. */
  #seenMs: number
  #seenAtMs: number
  #leaptAtMs: number | undefined

  /** @param lastSeenMs wall time at which the data was certainly in use; undefined: unknown */
  constructor(deps: {
    readonly clock: Clock
    readonly lastSeenMs: number | undefined
    /** How long a leap must last to be believed. */
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
