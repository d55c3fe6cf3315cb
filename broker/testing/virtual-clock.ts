// VirtualClock: time that moves only when a test says so. Timers fire in order of their due time.

import type { Clock, Timer } from '../../storage/clock.ts'

interface Due {
  readonly atMs: number
  readonly callback: () => void
}

export class VirtualClock implements Clock {
  #nowMs = 0
  readonly #epochMs: number
  readonly #timers = new Set<Due>()

  constructor(epochMs = 1_700_000_000_000) {
    this.#epochMs = epochMs
  }

  now(): number {
    return this.#epochMs + this.#nowMs
  }

  monotonic(): number {
    return this.#nowMs
  }

  after(delayMs: number, callback: () => void): Timer {
    const due = { atMs: this.#nowMs + Math.max(0, delayMs), callback }
    this.#timers.add(due)
    return { cancel: () => this.#timers.delete(due) }
  }

  /** Moves time on, fires each timer at its own time, and lets promises settle in between. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms
    await settle()
    for (let next = this.#nextDue(untilMs); next !== undefined; next = this.#nextDue(untilMs)) {
      this.#timers.delete(next)
      this.#nowMs = Math.max(this.#nowMs, next.atMs)
      next.callback()
      await settle()
    }
    this.#nowMs = untilMs
  }

  /** The process stood still for `ms`: timers that fell due meanwhile fire late, at the end. */
  async stall(ms: number): Promise<void> {
    this.#nowMs += ms
    await this.advance(0)
  }

  #nextDue(untilMs: number): Due | undefined {
    let next: Due | undefined
    for (const each of this.#timers) {
      if (each.atMs <= untilMs && (next === undefined || each.atMs < next.atMs)) next = each
    }
    return next
  }
}

/** Lets everything that is ready run: promises, then the work that they start. */
export async function settle(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
}
