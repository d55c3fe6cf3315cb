// LoopTimes: how long the event loop was kept from its work, as seen by a timer that looks at it. Network thread.
// A look comes every 5 ms, or as soon as what keeps the loop lets go: the time between two is never less than what a request
// kept it, and at most 5 ms more. It begins with the first look at the metrics: a broker that nobody watches is not woken.

import type { Clock, Timer } from '../../storage/clock.ts'
import { Histogram } from './histogram.ts'

const LOOK_MS = 5
/** 10 ms to 10.24 s. */
const FIRST_BOUND_SECONDS = 0.01
const BUCKET_COUNT = 11

export class LoopTimes {
  readonly seconds = new Histogram(FIRST_BOUND_SECONDS, BUCKET_COUNT)
  readonly #clock: Clock
  #timer: Timer | undefined
  #lookedAt = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Idempotent. */
  start(): void {
    if (this.#timer) return
    this.#lookedAt = this.#clock.monotonic()
    this.#timer = this.#clock.after(LOOK_MS, this.#look)
  }

  stop(): void {
    this.#timer?.cancel()
  }

  readonly #look = (): void => {
    const now = this.#clock.monotonic()
    this.seconds.observe((now - this.#lookedAt) / 1000)
    this.#lookedAt = now
    this.#timer = this.#clock.after(LOOK_MS, this.#look)
  }
}
