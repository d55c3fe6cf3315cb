// Rate: amount per second over a window of samples, as Apache Kafka's metrics measure it (Rate over SampledStat), number by
// number: clients are throttled by the same times. Network thread.

import type { QuotaWindow } from './windows.ts'

interface Sample {
  amount: number
  startedAt: number
  recordedAt: number
}

export class Rate {
  readonly #window: QuotaWindow
  /** A ring. Kafka keeps one sample more than it counts full windows. */
  readonly #samples: Sample[]
  #newest = 0

  /** @param now monotonic ms */
  constructor(window: QuotaWindow, now: number) {
    this.#window = window
    this.#samples = [{ amount: 0, startedAt: now, recordedAt: now }]
  }

  /** @param amount negative to take back what was recorded */
  record(amount: number, now: number): void {
    let sample = this.#samples[this.#newest]!
    if (now - sample.startedAt >= this.#window.sampleMs) sample = this.#advance(now)
    sample.amount += amount
    sample.recordedAt = now
  }

  #advance(now: number): Sample {
    this.#newest = (this.#newest + 1) % (this.#window.sampleCount + 1)
    const fresh = { amount: 0, startedAt: now, recordedAt: now }
    this.#samples[this.#newest] = fresh
    return fresh
  }

  /**
   * How long nothing may be recorded until the rate is down to `target`: (observed - target) / target * window.
   *
   * @param target per second
   * @returns whole ms; 0 when the rate is at most the target
   */
  throttleMs(target: number, now: number): number {
    const observed = this.perSecond(now)
    if (observed <= target) return 0
    return Math.round(((observed - target) / target) * this.#windowMs(now))
  }

  perSecond(now: number): number {
    this.#purge(now)
    let total = 0
    for (const { amount } of this.#samples) total += amount
    return total / (this.#windowMs(now) / 1000)
  }

  /** After this nothing that was recorded counts any more: a new one measures the same. */
  isIdle(now: number): boolean {
    const { recordedAt } = this.#samples[this.#newest]!
    return now - recordedAt >= (this.#window.sampleCount + 1) * this.#window.sampleMs
  }

  /** The window always counts as nearly full, so that a first burst is no extreme rate. */
  #windowMs(now: number): number {
    const { sampleCount, sampleMs } = this.#window
    const oldest = Math.min(...this.#samples.map(({ startedAt }) => startedAt))
    const elapsed = now - oldest
    const fullWindows = Math.trunc(elapsed / sampleMs)
    const missing = Math.max(0, sampleCount - 1 - fullWindows)
    return Math.max(1, elapsed + missing * sampleMs)
  }

  #purge(now: number): void {
    const { sampleCount, sampleMs } = this.#window
    for (const sample of this.#samples) {
      if (now - sample.recordedAt < sampleCount * sampleMs) continue
      sample.amount = 0
      sample.startedAt = sample.recordedAt = now
    }
  }
}
