// TableState: the state that a table's records give in order: its values, and the changes that open transactions will
// make.
// It follows Apache Kafka's reading of __consumer_offsets: of a transactional and an ordinary change of one key the
// later record wins, whenever the transaction commits; deleting a key also deletes its pending values. Network
// thread.

import type { Change } from '../store.ts'

interface PendingValue<Value> {
  readonly order: number
  /** undefined: a later record of the key has replaced it. */
  value: Value | undefined
}

export class TableState<Key extends string, Value> {
  readonly #values = new Map<Key, Value>()
  /** The pending values of open transactions, by producer id, in the order in which these began. */
  readonly #open = new Map<number, Map<Key, PendingValue<Value>>>()

  get(key: Key): Value | undefined {
    return this.#values.get(key)
  }

  entries(): IterableIterator<[Key, Value]> {
    return this.#values.entries()
  }

  /** Each key for which the producer's open transaction has a value. */
  *pending(): Iterable<readonly [producerId: number, key: Key]> {
    for (const [producerId, values] of this.#open) {
      for (const key of values.keys()) yield [producerId, key]
    }
  }

  pendingOf(producerId: number): Iterable<Key> {
    return this.#open.get(producerId)?.keys() ?? []
  }

  isPending(key: Key): boolean {
    for (const values of this.#open.values()) if (values.has(key)) return true
    return false
  }

  /** undefined also when a later record of the key has replaced it. */
  pendingValue(producerId: number, key: Key): Value | undefined {
    return this.#open.get(producerId)?.get(key)?.value
  }

  /** @param order of the record in the log: never less than in an earlier call */
  set(key: Key, value: Value | undefined, order: number): void {
    if (value === undefined) {
      this.#values.delete(key)
      for (const values of this.#open.values()) values.delete(key)
    } else {
      this.#values.set(key, value)
      this.#supersede(key, order)
    }
  }

  /** As `set`, but pending values stay, as an earlier release meant it. */
  setAlone(key: Key, value: Value | undefined): void {
    if (value === undefined) this.#values.delete(key)
    else this.#values.set(key, value)
  }

  /** Sets the key when the producer's open transaction commits. */
  setPending(producerId: number, key: Key, value: Value, order: number): void {
    const open = this.#open.get(producerId) ?? new Map<Key, PendingValue<Value>>()
    this.#open.set(producerId, open)
    open.set(key, { order, value })
  }

  dropPending(producerId: number, key: Key): void {
    this.#open.get(producerId)?.delete(key)
  }

  /** The producer's transaction has ended. @returns the changes that took effect */
  end(producerId: number, isCommit: boolean): Change<Key, Value>[] {
    const changes: Change<Key, Value>[] = []
    const open = this.#open.get(producerId)
    this.#open.delete(producerId)
    if (!isCommit || open === undefined) return changes
    for (const [key, { value, order }] of open) {
      if (value === undefined) continue
      this.#values.set(key, value)
      this.#supersede(key, order)
      changes.push([key, value])
    }
    return changes
  }

  #supersede(key: Key, order: number): void {
    for (const values of this.#open.values()) {
      const pending = values.get(key)
      if (pending && pending.order < order) pending.value = undefined
    }
  }
}
