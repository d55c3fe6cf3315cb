// TokenBucket: what a client may change of the cluster: tokens that come back at the rate of its quota, up to a burst of a
// whole window (KIP-599). It may go below nothing, and gives none until it is back. Network thread.

import type { QuotaWindow } from './windows.ts'

export class TokenBucket {
  readonly #burstSeconds: number
  /** Undefined: full. */
  #tokens: number | undefined
  #filledAt: number
  #fullAt: number

  /** @param now monotonic ms */
  constructor({ sampleCount, sampleMs }: QuotaWindow, now: number) {
    this.#burstSeconds = (sampleCount * sampleMs) / 1000
    this.#filledAt = this.#fullAt = now
  }

  take(count: number, rate: number, now: number): void {
    const burst = rate * this.#burstSeconds
    this.#tokens = Math.min(burst, this.tokens(rate, now) - count)
    this.#fullAt = now + ((burst - this.#tokens) / rate) * 1000
  }

  /** @param rate that come back per second */
  tokens(rate: number, now: number): number {
    const burst = rate * this.#burstSeconds
    const returned = (rate * (now - this.#filledAt)) / 1000
    this.#filledAt = now
    this.#tokens = Math.min(burst, (this.#tokens ?? burst) + returned)
    return this.#tokens
  }

  /** @returns whole ms until none is missing */
  throttleMs(rate: number, now: number): number {
    const tokens = this.tokens(rate, now)
    return tokens < 0 ? Math.round((-tokens / rate) * 1000) : 0
  }

  /** Full again: a new one gives the same. */
  isIdle(now: number): boolean {
    return now >= this.#fullAt
  }
}
