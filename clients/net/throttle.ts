// Throttle: a broker asks to slow down, and the client sends it nothing on that connection until the time is over (KIP-219):
// the broker would not read it. Requests that wait start in the order in which they came.

import type { Clock, Timer } from '../clock.ts'

export class Throttle {
  readonly #clock: Clock
  #until = -Infinity
  #waiting: (() => void)[] = []
  /** Only while requests wait: a timer keeps the process alive. */
  #timer: Timer | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Of several times the one that ends last counts. */
  hold(ms: number): void {
    this.#until = Math.max(this.#until, this.#clock.monotonic() + ms)
  }

  /** Starts a request, now or when the time is over. */
  pass<T>(start: () => Promise<T>): Promise<T> {
    if (this.#waiting.length === 0 && this.#leftMs <= 0) return start()
    return new Promise((resolve) => {
      this.#waiting.push(() => resolve(start()))
      if (this.#timer === undefined) this.#wait()
    })
  }

  get #leftMs(): number {
    return this.#until - this.#clock.monotonic()
  }

  #wait(): void {
    this.#timer = this.#clock.after(Math.max(0, this.#leftMs), () => {
      if (this.#leftMs > 0) this.#wait()
      else this.release()
    })
  }

  /** Starts all that wait, also when the connection has closed: it then fails them. */
  release(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    for (const start of this.#waiting.splice(0)) start()
  }
}
