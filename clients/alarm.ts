// Alarm: one timer that calls back at the earliest of the times that it was set to. Any thread.

import type { Clock, Timer } from './clock.ts'

export class Alarm {
  readonly #clock: Clock
  readonly #callback: () => void
  #timer: Timer | undefined
  #at = Infinity

  constructor(clock: Clock, callback: () => void) {
    this.#clock = clock
    this.#callback = callback
  }

  /** @param at monotonic, ms. A time after the one that it is set to changes nothing */
  setTo(at: number): void {
    if (at >= this.#at) return
    this.#timer?.cancel()
    this.#at = at
    this.#timer = this.#clock.after(Math.max(0, at - this.#clock.monotonic()), () => {
      this.#at = Infinity
      this.#callback()
    })
  }

  cancel(): void {
    this.#timer?.cancel()
    this.#at = Infinity
  }
}
