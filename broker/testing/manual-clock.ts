// ManualClock: time that passes when a test says so.

import type { Clock, Timer } from '../../storage/clock.ts'

interface Alarm {
  readonly at: number
  readonly callback: () => void
}

export class ManualClock implements Clock {
  readonly #alarms = new Set<Alarm>()
  #elapsedMs = 0
  /** Wall time at the start. */
  readonly #startedAt: number

  constructor(startedAt = 1_700_000_000_000) {
    this.#startedAt = startedAt
  }

  now(): number {
    return this.#startedAt + this.#elapsedMs
  }

  monotonic(): number {
    return this.#elapsedMs
  }

  after(delayMs: number, callback: () => void): Timer {
    const alarm = { at: this.#elapsedMs + delayMs, callback }
    this.#alarms.add(alarm)
    return { cancel: () => this.#alarms.delete(alarm) }
  }

  /** Rings every alarm that is due by then, in order. */
  advance(ms: number): void {
    const until = this.#elapsedMs + ms
    for (;;) {
      const due = [...this.#alarms].filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0]
      if (due === undefined) break
      this.#elapsedMs = due.at
      this.#alarms.delete(due)
      due.callback()
    }
    this.#elapsedMs = until
  }
}
