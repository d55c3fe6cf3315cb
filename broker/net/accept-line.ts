// AcceptLine: new connections above `max.connection.creation.rate` wait in line, as those that Apache Kafka's acceptor has not
// accepted yet (KIP-612). Network thread.

import type { Clock, Timer } from '../../storage/clock.ts'
import type { ConfigTable, ConfigView } from '../config-view.ts'
import { Rate } from '../quota/rate.ts'
import type { QuotaWindow } from '../quota/windows.ts'

/** As many as a kernel keeps for a server that does not accept. */
const WAITING_MAX = 511

export const acceptLimits = {
  ratePerSecond: 'max.connection.creation.rate',
} as const satisfies ConfigTable

interface AcceptLineDeps {
  readonly limits: ConfigView<typeof acceptLimits>
  readonly window: QuotaWindow
  readonly clock: Clock
}

export class AcceptLine {
  readonly #deps: AcceptLineDeps
  readonly #rate: Rate
  #waiting: (() => void)[] = []
  #timer: Timer | undefined

  constructor(deps: AcceptLineDeps) {
    this.#deps = deps
    this.#rate = new Rate(deps.window, deps.clock.monotonic())
  }

  /** @param accept called now, or when its turn comes. @returns false when too many wait */
  pass(accept: () => void): boolean {
    if (this.#waiting.length >= WAITING_MAX) return false
    this.#waiting.push(accept)
    if (this.#timer === undefined) this.#next()
    return true
  }

  /** The first waits at most for one sample: then the rate is looked at again. */
  #next(): void {
    const { clock, limits, window } = this.#deps
    while (this.#waiting.length > 0) {
      const now = clock.monotonic()
      this.#rate.record(1, now)
      const waitMs = Math.min(window.sampleMs, this.#rate.throttleMs(limits.ratePerSecond, now))
      if (waitMs > 0) {
        this.#timer = clock.after(waitMs, () => {
          this.#timer = undefined
          this.#waiting.shift()!()
          this.#next()
        })
        return
      }
      this.#waiting.shift()!()
    }
  }

  /** Nobody waits any more: all are let in at once, to be refused. */
  close(): void {
    this.#timer?.cancel()
    for (const accept of this.#waiting.splice(0)) accept()
  }
}
