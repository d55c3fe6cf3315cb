// LazyBatch: a cursor over the buffered records of one partition. It makes objects only of the fields that its user
// asks for: for programs that pass records on. Everything it returns is borrowed until the next record.

import type { Header, RecordCursor } from '../../protocol/batch/record.ts'
import type { Reading } from './reading.ts'

export class LazyBatch {
  readonly topic: string
  readonly partition: number
  readonly #reading: Reading
  readonly #step: () => boolean
  readonly #refetch: () => void
  /** Stands at the current record, in a batch of the log. */
  #cursor: RecordCursor

  /**
   * @param step moves the cursor to the next buffered record; it already stands at the first
   * @param refetch drops what is buffered: it is fetched again, from the position on
   */
  constructor(reading: Reading, step: () => boolean, refetch: () => void) {
    this.topic = reading.topic.name
    this.partition = reading.partition
    this.#reading = reading
    this.#step = step
    this.#refetch = refetch
    this.#cursor = reading.cursor!
  }

  /**
   * Steps to the next record: the consumer's position is then past it. @returns false when no further record is
   * buffered
   */
  next(): boolean {
    if (!this.#step()) return false
    this.#cursor = this.#reading.cursor!
    return true
  }

  /**
   * Visits the current record and those after it in the same batch of the log, while `act` returns true. The last one
   * is then the current record, unless the consumer's end was reached. Cheaper than `next`, because between two
   * records of a batch nothing else changes.
   *
   * @param act must not seek or close
   * @throws {KafkaError} CORRUPT_MESSAGE, after the records before the damage; and the error of `act`
   */
  visit(act: (record: this) => boolean): void {
    const cursor = this.#cursor
    const { stopOffset } = this.#reading
    let isDone = false
    try {
      while (act(this) && cursor.next() && cursor.offset < stopOffset);
      isDone = true
    } finally {
      this.#reading.position = Math.min(cursor.offset + 1, stopOffset)
      if (!isDone) this.#refetch()
    }
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
