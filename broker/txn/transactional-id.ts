// TransactionalId: the record of one transactional id, and the turns in which it changes. Network thread.

import type { TransactionRecord } from './messages.ts'
import { assertFollows } from './transaction-states.ts'
import { isEnding } from './transitions.ts'

export class TransactionalId {
  readonly id: string
  /** The id has expired: requests that waited for it are refused. */
  isDead = false
  #record: TransactionRecord
  /** The partitions of the record, for Produce, which asks with every batch. */
  #partitions: ReadonlyMap<string, ReadonlySet<number>>
  #lastTurn: Promise<unknown> = Promise.resolve()
  #turnCount = 0

  constructor(id: string, record: TransactionRecord) {
    this.id = id
    this.#record = record
    this.#partitions = partitionsOf(record)
  }

  get record(): TransactionRecord {
    return this.#record
  }

  /** Call it once the record is durable. */
  set record(next: TransactionRecord) {
    assertFollows(this.id, this.#record, next)
    if (next.partitions !== this.#record.partitions) this.#partitions = partitionsOf(next)
    this.#record = next
  }

  get isBusy(): boolean {
    return this.#turnCount > 0
  }

  /** A transaction is open, or about to end. */
  get isOpen(): boolean {
    return this.#record.state === 'Ongoing' || isEnding(this.#record)
  }

  /** Does the open transaction take records for this partition? */
  includes(topic: string, partition: number): boolean {
    return this.#record.state === 'Ongoing' && this.#partitions.get(topic)?.has(partition) === true
  }

  /** Runs `act` after all earlier requests of this id. */
  inTurn<Result>(act: () => Promise<Result>): Promise<Result> {
    this.#turnCount++
    const turn = this.#lastTurn.then(act).finally(() => this.#turnCount--)
    this.#lastTurn = turn.catch(() => {}) // the caller gets the error
    return turn
  }
}

function partitionsOf({ partitions }: TransactionRecord): Map<string, Set<number>> {
  return new Map(partitions.map(({ topic, partitions: indexes }) => [topic, new Set(indexes)]))
}
