// Purgatory: the fetches that wait for more bytes, by log. After a writer turn the fetches of its logs look at those logs again;
// when a client leaves its group, its fetches answer with what there is. A waiting fetch has one timer. Network thread.

import type { Clock } from '../../storage/clock.ts'
import type { Log } from '../../storage/store.ts'
import type { RequestContext } from '../handler.ts'

type LookAgain = (changed: Log) => void
type Leave = () => void

interface Waiting {
  readonly logs: readonly Log[]
  /** @param changed one of the logs */
  readonly isReady: (changed: Log) => boolean
  readonly waitMs: number
  readonly gone: AbortSignal
  /** `clientOf` the waiting request. */
  readonly client: string
}

/** Identifies a client across its connections, as far as a broker can. */
export function clientOf({ clientId, session }: RequestContext): string {
  return `${session.remoteAddress} ${clientId ?? ''}`
}

export class Purgatory {
  readonly #clock: Clock
  readonly #waitingByLog = new Map<Log, Set<LookAgain>>()
  readonly #waitingByClient = new Map<string, Set<Leave>>()
  #waitingCount = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get waitingCount(): number {
    return this.#waitingCount
  }

  /**
   * Resolves when a turn made `isReady` true, after `waitMs`, or when the client is gone or released, whichever comes
   * first.
   */
  wait({ logs, isReady, waitMs, gone, client }: Waiting): Promise<void> {
    if (gone.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      const leave = () => {
        timer.cancel()
        gone.removeEventListener('abort', leave)
        for (const log of logs) remove(this.#waitingByLog, log, lookAgain)
        remove(this.#waitingByClient, client, leave)
        this.#waitingCount--
        resolve()
      }
      const lookAgain = (changed: Log) => {
        if (isReady(changed)) leave()
      }
      const timer = this.#clock.after(waitMs, leave)
      gone.addEventListener('abort', leave)
      for (const log of logs) add(this.#waitingByLog, log, lookAgain)
      add(this.#waitingByClient, client, leave)
      this.#waitingCount++
    })
  }

  /** Ends the waits of a client that is about to leave. */
  release(client: string): void {
    for (const leave of this.#waitingByClient.get(client) ?? []) leave()
  }

  /** @param logs those that a writer turn has changed */
  wake(logs: readonly Log[]): void {
    if (this.#waitingByLog.size === 0) return
    for (const log of logs) {
      const waiting = this.#waitingByLog.get(log)
      if (waiting !== undefined) for (const lookAgain of waiting) lookAgain(log)
    }
  }
}

function add<Key, Value>(sets: Map<Key, Set<Value>>, key: Key, value: Value): void {
  const set = sets.get(key)
  if (set === undefined) sets.set(key, new Set([value]))
  else set.add(value)
}

function remove<Key, Value>(sets: Map<Key, Set<Value>>, key: Key, value: Value): void {
  const set = sets.get(key)
  if (set === undefined) return
  set.delete(value)
  if (set.size === 0) sets.delete(key)
}
