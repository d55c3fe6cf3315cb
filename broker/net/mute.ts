// Mute: a client that has exceeded a quota is not read until its time is over (KIP-219), and what it has sent before waits.
// Network thread. Times: broker/quota/

import type { Clock, Timer } from '../../storage/clock.ts'

export class Mute {
  readonly #clock: Clock
  readonly #onEnd: () => void
  #timer: Timer | undefined
  #until = -Infinity
  /** Monotonic ms: when the client was last muted. */
  endedAt = -Infinity

  constructor(clock: Clock, onEnd: () => void) {
    this.#clock = clock
    this.#onEnd = onEnd
  }

  get isOn(): boolean {
    return this.#timer !== undefined
  }

  /** Of several times the one that ends last counts. */
  start(ms: number): void {
    const until = this.#clock.monotonic() + ms
    if (until <= this.#until) return
    this.#until = until
    this.#timer?.cancel()
    this.#timer = this.#clock.after(ms, () => {
      this.end()
      this.#onEnd()
    })
  }

  /** Idempotent. */
  end(): void {
    if (this.#timer === undefined) return
    this.#timer.cancel()
    this.#timer = undefined
    this.endedAt = this.#clock.monotonic()
  }
}
