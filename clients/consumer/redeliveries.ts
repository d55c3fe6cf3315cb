// Redeliveries: records that are given again, each at its time. Until then its partition gives nothing, so that the
// order of its records is kept.

import type { Clock, Timer } from '../clock.ts'
import type { Reading } from './reading.ts'

export interface RedeliveriesDeps {
  readonly clock: Clock
  /** The partition gives nothing until `letGo`, once for each `hold`. */
  readonly hold: (reading: Reading) => void
  readonly letGo: (reading: Reading) => void
  readonly onDue: () => void
}

export class Redeliveries<Given extends { readonly reading: Reading }> {
  readonly #deps: RedeliveriesDeps
  readonly #waiting = new Map<Given, Timer>()
  /** Whose time has come, in that order. */
  #due: Given[] = []

  constructor(deps: RedeliveriesDeps) {
    this.#deps = deps
  }

  add(given: Given, delayMs: number): void {
    const { clock, hold, onDue } = this.#deps
    hold(given.reading)
    const timer = clock.after(Math.max(0, delayMs), () => {
      this.#waiting.delete(given)
      this.#due.push(given)
      onDue()
    })
    this.#waiting.set(given, timer)
  }

  take(): Given | undefined {
    if (this.#due.length === 0) return undefined
    const at = this.#due.findIndex(({ reading }) => !reading.isPaused)
    const [given] = at < 0 ? [] : this.#due.splice(at, 1)
    if (given !== undefined) this.#deps.letGo(given.reading)
    return given
  }

  /** Those of a partition that is read elsewhere, or no more. */
  drop(of: Reading): void {
    const isOf = ({ reading }: Given): boolean => reading === of
    const waiting = [...this.#waiting.keys()].filter(isOf)
    for (const given of waiting) {
      this.#waiting.get(given)!.cancel()
      this.#waiting.delete(given)
    }
    const due = this.#due.filter(isOf)
    this.#due = this.#due.filter((given) => !isOf(given))
    for (const { reading } of [...waiting, ...due]) this.#deps.letGo(reading)
  }

  close(): void {
    for (const timer of this.#waiting.values()) timer.cancel()
  }
}
