// HeldRecords: records that the consumer gives later: records for redelivery, and records whose serde looks something
// up first. Their partitions give nothing meanwhile, so that records keep their order.

import type { Reading } from './reading.ts'

export interface HeldRecordsDeps {
  /** Keeps the partition from giving records until `letGo`, once for each `hold`. */
  readonly hold: (reading: Reading) => void
  readonly letGo: (reading: Reading) => void
  readonly onDue: () => void
}

/** A wait that can be cancelled. */
interface Waiting {
  cancel(): void
}

export class HeldRecords<Held extends { readonly reading: Reading }> {
  readonly #deps: HeldRecordsDeps
  readonly #waiting = new Map<Held, Waiting>()
  /** Records whose wait is over, in that order. */
  #due: Held[] = []

  constructor(deps: HeldRecordsDeps) {
    this.#deps = deps
  }

  /** @param wait starts the wait; it calls `due` later, never at once */
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

  /** Drops the records of a partition that the consumer leaves or reads from another position. */
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
