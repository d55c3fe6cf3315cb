// LazyBatch: a cursor over the buffered records of one partition. It makes objects only of the fields that its user
// asks for: for programs that pass records on. Everything it returns is borrowed until the next record.

import type { Header, RecordCursor } from '../../protocol/batch/record.ts'
import type { Reading } from './reading.ts'

export class LazyBatch {
  readonly topic: string
  readonly partition: number
  readonly #reading: Reading
  readonly #step: () => boolean

  /** @param step moves the cursor to the next buffered record; it already stands at the first */
  constructor(reading: Reading, step: () => boolean) {
    this.topic = reading.topic.name
    this.partition = reading.partition
    this.#reading = reading
    this.#step = step
  }

  /**
   * Steps to the next record: the consumer's position is then past it. @returns false when no further record is
   * buffered
   */
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

  /** A new view at each access, as are `value` and `headers`. */
  get key(): Buffer | null {
    return this.#cursor.key
  }

  get value(): Buffer | null {
    return this.#cursor.value
  }

  get headers(): Header[] {
    return this.#cursor.headers
  }

  /** The buffer that holds the key, at `keyAt`. */
  get keyIn(): Buffer {
    return this.#cursor.bytes
  }

  get keyAt(): number {
    return this.#cursor.keyAt
  }

  /** -1: no key. */
  get keyBytes(): number {
    return this.#cursor.keyBytes
  }

  /** The buffer that holds the value, at `valueAt`. */
  get valueIn(): Buffer {
    return this.#cursor.bytes
  }

  get valueAt(): number {
    return this.#cursor.valueAt
  }

  /** -1: the value is null. */
  get valueBytes(): number {
    return this.#cursor.valueBytes
  }

  get hasHeaders(): boolean {
    return this.#cursor.hasHeaders
  }
}
