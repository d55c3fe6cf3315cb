// HeldRecords: records that are given later: those that are given again, and those whose serde looks something up first.
// Until then their partitions give nothing, so that the order of records is kept.

import type { Reading } from './reading.ts'

export interface HeldRecordsDeps {
  /** The partition gives nothing until `letGo`, once for each `hold`. */
  readonly hold: (reading: Reading) => void
  readonly letGo: (reading: Reading) => void
  readonly onDue: () => void
}

/** Something to wait for that can be cancelled. */
interface Waiting {
  cancel(): void
}

export class HeldRecords<Held extends { readonly reading: Reading }> {
  readonly #deps: HeldRecordsDeps
  readonly #waiting = new Map<Held, Waiting>()
  /** Whose time has come, in that order. */
  #due: Held[] = []

  constructor(deps: HeldRecordsDeps) {
    this.#deps = deps
  }

  /** @param wait begins to wait, and calls back later when the record is due */
  add(held: Held, wait: (due: () => void) => Waiting): void {
    const { hold, onDue } = this.#deps
    hold(held.reading)
    const waiting = wait(() => {
      if (!this.#waiting.delete(held)) return
      this.#due.push(held)
      onDue()
    })
    this.#waiting.set(held, waiting)
  }

  take(): Held | undefined {
    if (this.#due.length === 0) return undefined
    const at = this.#due.findIndex(({ reading }) => !reading.isPaused)
    const [held] = at < 0 ? [] : this.#due.splice(at, 1)
    if (held !== undefined) this.#deps.letGo(held.reading)
    return held
  }

  /** Those of a partition that is read elsewhere, or no more. */
  drop(of: Reading): void {
    const isOf = ({ reading }: Held): boolean => reading === of
    const waiting = [...this.#waiting.keys()].filter(isOf)
    for (const held of waiting) {
      this.#waiting.get(held)!.cancel()
      this.#waiting.delete(held)
    }
    const due = this.#due.filter(isOf)
    this.#due = this.#due.filter((held) => !isOf(held))
    for (const { reading } of [...waiting, ...due]) this.#deps.letGo(reading)
  }

  close(): void {
    for (const waiting of this.#waiting.values()) waiting.cancel()
  }
}
