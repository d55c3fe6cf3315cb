// Throttle: limits the bytes read and written per second, together. Cleaner thread: it sleeps.

import type { Clock } from '../../clock.ts'

/** A shorter sleep costs more than it saves. */
const SLEEP_MS_MIN = 5

export class Throttle {
  bytesPerSecond = Infinity
  readonly #clock: Clock
  readonly #sleep: (ms: number) => void
  /** When the bytes so far are due at that rate. */
  #dueMs = -Infinity

  constructor(clock: Clock, sleep: (ms: number) => void) {
    this.#clock = clock
    this.#sleep = sleep
  }

  note(bytes: number): void {
    const nowMs = this.#clock.monotonic()
    this.#dueMs = Math.max(this.#dueMs, nowMs) + (bytes / this.bytesPerSecond) * 1000
    if (this.#dueMs - nowMs >= SLEEP_MS_MIN) this.#sleep(this.#dueMs - nowMs)
  }
}
