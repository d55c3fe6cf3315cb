// Pace: limits `produce --rate` to a number of records per second.

import type { Clock } from '../clock.ts'

export class Pace {
  #recordCount = 0
  readonly #startedAt: number
  readonly #rate: number
  readonly #clock: Clock

  constructor(rate: number, clock: Clock) {
    this.#rate = rate
    this.#clock = clock
    this.#startedAt = clock.monotonic()
  }

  /** Counts one record. @returns how long to wait before sending it, in ms; 0 or less: not at all */
  take(): number {
    const dueAt = this.#startedAt + (this.#recordCount++ / this.#rate) * 1_000
    return dueAt - this.#clock.monotonic()
  }

  wait(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#clock.after(ms, resolve))
  }
}
