// Purgatory: fetches that wait for more bytes, by the logs they wait for. A writer turn that touched one of their logs
// makes them look again. One timer per waiting fetch, none per partition. Network thread.

import type { Clock } from '../storage/clock.ts'
import type { Log } from '../storage/store.ts'

type LookAgain = () => void

export class Purgatory {
  readonly #clock: Clock
  readonly #waitingByLog = new Map<Log, Set<LookAgain>>()
  #waitingCount = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get waitingCount(): number {
    return this.#waitingCount
  }

  /**
   * Resolves when a turn made `isReady` true, after `waitMs`, or when the client is gone, whichever comes first.
   *
   * @param logs what `isReady` looks at
   */
  wait(
    logs: readonly Log[],
    isReady: () => boolean,
    waitMs: number,
    gone: AbortSignal,
  ): Promise<void> {
    if (gone.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      const leave = () => {
        timer.cancel()
        gone.removeEventListener('abort', leave)
        for (const log of logs) this.#remove(log, lookAgain)
        this.#waitingCount--
        resolve()
      }
      const lookAgain = () => {
        if (isReady()) leave()
      }
      const timer = this.#clock.after(waitMs, leave)
      gone.addEventListener('abort', leave)
      for (const log of logs) this.#add(log, lookAgain)
      this.#waitingCount++
    })
  }

  /** After a writer turn. @param logs those that it changed */
  wake(logs: readonly Log[]): void {
    if (this.#waitingByLog.size === 0) return
    for (const log of logs) {
      const waiting = this.#waitingByLog.get(log)
      if (waiting !== undefined) for (const lookAgain of waiting) lookAgain()
    }
  }

  #add(log: Log, lookAgain: LookAgain): void {
    const waiting = this.#waitingByLog.get(log)
    if (waiting === undefined) this.#waitingByLog.set(log, new Set([lookAgain]))
    else waiting.add(lookAgain)
  }

  #remove(log: Log, lookAgain: LookAgain): void {
    const waiting = this.#waitingByLog.get(log)
    if (waiting === undefined) return
    waiting.delete(lookAgain)
    if (waiting.size === 0) this.#waitingByLog.delete(log)
  }
}
