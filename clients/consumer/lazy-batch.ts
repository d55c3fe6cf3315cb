// LazyBatch: records of one partition that are at hand, shown where they lie. It stands at one after the other, and nothing
// is made of a field that is not asked for: for those that only pass records on. Borrowed until the next is asked for.

import type { Header, RecordCursor } from '../../protocol/batch/record.ts'
import type { Reading } from './reading.ts'

export class LazyBatch {
  readonly topic: string
  readonly partition: number
  readonly #reading: Reading
  readonly #step: () => boolean

  /** @param step to the next record of the partition that is at hand; there is one already */
  constructor(reading: Reading, step: () => boolean) {
    this.topic = reading.topic.name
    this.partition = reading.partition
    this.#reading = reading
    this.#step = step
  }

  /** Steps to the next record: the consumer's position is then past it. @returns false when there is none at hand */
  next(): boolean {
    return this.#step()
  }

  get #cursor(): RecordCursor {
    return this.#reading.cursor!
  }

  get offset(): number {
    return this.#cursor.offset
  }

  /** ms since the epoch. */
  get timestamp(): number {
    return this.#cursor.timestamp
  }

  /** Made anew at each access, as are `value` and `headers`. */
  get key(): Buffer | null {
    return this.#cursor.key
  }

  get value(): Buffer | null {
    return this.#cursor.value
  }

  get headers(): Header[] {
    return this.#cursor.headers
  }

  /** What holds the key, from `keyAt` on. */
  get keyIn(): Buffer {
    return this.#cursor.bytes
  }

  get keyAt(): number {
    return this.#cursor.keyAt
  }

  /** -1: there is none. */
  get keyBytes(): number {
    return this.#cursor.keyBytes
  }

  /** What holds the value, from `valueAt` on. */
  get valueIn(): Buffer {
    return this.#cursor.bytes
  }

  get valueAt(): number {
    return this.#cursor.valueAt
  }

  /** -1: it is null. */
  get valueBytes(): number {
    return this.#cursor.valueBytes
  }

  get hasHeaders(): boolean {
    return this.#cursor.hasHeaders
  }
}
