// LoopTimes: how long the event loop was blocked, measured by a timer. Network thread.
// The timer fires every 5 ms, or as soon as a blocked loop continues: the time between two firings is at least as
// long as a request blocked the loop, and at most 5 ms longer. It starts with the first request for metrics: a broker
// without monitoring is not woken.

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
