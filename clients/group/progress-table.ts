// ProgressTable: the progress of every partition that a member reads or is giving up, and the records that its reader
// has in hand.

import type { Reading } from '../consumer/reading.ts'
import type { StoredRecord } from '../consumer/fetcher.ts'
import type { TopicPartition } from '../topic.ts'
import { InHand, notOurs, type RecordPlace } from './in-hand.ts'
import { Progress } from './progress.ts'

/** With the signal of one record: the member may have lost the partition since. */
export interface SignalledPlace extends RecordPlace {
  readonly signal?: AbortSignal | undefined
}

export class ProgressTable {
  readonly #byReading = new Map<Reading, Progress>()
  readonly #inHand: InHand

  /** @param keepsViews see `InHand` */
  constructor(keepsViews: boolean) {
    this.#inHand = new InHand(keepsViews)
  }

  /** @param committed -1: no commit */
  add(reading: Reading, committed: number): void {
    this.#byReading.set(reading, new Progress(reading, committed))
  }

  delete(reading: Reading): void {
    this.#byReading.delete(reading)
  }

  of(reading: Reading): Progress | undefined {
    return this.#byReading.get(reading)
  }

  at({ topic, partition }: TopicPartition): Progress | undefined {
    for (const [reading, progress] of this.#byReading) {
      if (reading.partition === partition && reading.topic.name === topic) return progress
    }
    return undefined
  }

  /** Is it the partition's current progress, and not that of an earlier assignment? */
  isCurrent(progress: Progress): boolean {
    return this.#byReading.get(progress.reading) === progress
  }

  *[Symbol.iterator](): Iterator<Progress> {
    yield* this.#byReading.values()
  }

  // What the reader does

  /** @param isInHand the record is done once the reader asks for the next one */
  given(reading: Reading, view: StoredRecord, isInHand: boolean): void {
    const progress = this.#byReading.get(reading)!
    progress.given(view.offset)
    if (isInHand) this.#inHand.push(progress, view)
  }

  /** @throws {TypeError} when the record is not in hand */
  take(record: RecordPlace): { readonly progress: Progress; readonly view: StoredRecord } {
    return this.#inHand.take(record)
  }

  /** The reader asks for the next record: the records in hand are done. */
  finishInHand(): void {
    this.#inHand.finish()
  }

  /** The reader has left its loop within a record, perhaps by an error: that record is not done. */
  abandonInHand(): void {
    this.#inHand.abandon()
  }

  /** No handler is running any more. */
  abandon(): void {
    for (const progress of this) progress.abandon()
  }

  /**
   * @returns the offset to commit in each partition once this record and all records given before it are done
   * @throws {KafkaError} ILLEGAL_GENERATION when the member has lost the partition
   */
  through(record: SignalledPlace): ReadonlyMap<Progress, number> {
    const ends = this.#inHand.through(record)
    if (ends.size > 0) return ends
    const progress = this.at(record)
    const isStale = record.signal !== undefined && record.signal !== progress?.reading.signal
    if (progress === undefined || isStale) throw notOurs(record)
    return new Map([[progress, Math.min(record.offset + 1, progress.heldFrom)]])
  }
}
