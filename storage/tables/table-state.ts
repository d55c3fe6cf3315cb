// TableState: what the records of a table say, in their order: its values, and what transactions that are open will change.
// As Apache Kafka reads __consumer_offsets: of a transactional and an ordinary change of one key the later record stands,
// whenever the transaction commits; deleting a key takes what is pending for it along. Network thread.

import type { Change } from '../store.ts'

interface PendingValue<Value> {
  readonly order: number
  /** Undefined when a later record of the key has taken its place. */
  value: Value | undefined
}

export class TableState<Key extends string, Value> {
  readonly #values = new Map<Key, Value>()
  /** What open transactions will set, by producer id, in the order in which they began. */
  readonly #open = new Map<number, Map<Key, PendingValue<Value>>>()

  get(key: Key): Value | undefined {
    return this.#values.get(key)
  }

  entries(): IterableIterator<[Key, Value]> {
    return this.#values.entries()
  }

  /** Each key for which the open transaction of a producer has a value. */
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

  /** Undefined also when a later record of the key stands. */
  pendingValue(producerId: number, key: Key): Value | undefined {
    return this.#open.get(producerId)?.get(key)?.value
  }

  /** @param order of the record in the log: never less than that of an earlier call */
  set(key: Key, value: Value | undefined, order: number): void {
    if (value === undefined) {
      this.#values.delete(key)
      for (const values of this.#open.values()) values.delete(key)
    } else {
      this.#values.set(key, value)
      this.#supersede(key, order)
    }
  }

  /** The same, but what is pending stays: as an earlier release meant it. */
  setAlone(key: Key, value: Value | undefined): void {
    if (value === undefined) this.#values.delete(key)
    else this.#values.set(key, value)
  }

  /** The open transaction of a producer will set the key. */
  setPending(producerId: number, key: Key, value: Value, order: number): void {
    const open = this.#open.get(producerId) ?? new Map<Key, PendingValue<Value>>()
    this.#open.set(producerId, open)
    open.set(key, { order, value })
  }

  dropPending(producerId: number, key: Key): void {
    this.#open.get(producerId)?.delete(key)
  }

  /** The transaction of a producer has ended. @returns what has changed by that */
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
