// InHand: what the reader of a group was given since it last asked, in that order: it may be working on all of it.

import { KafkaError } from '../../protocol/errors.ts'
import { partitionText, type TopicPartition } from '../topic.ts'
import type { Given } from '../record-stream.ts'
import type { Progress } from './progress.ts'

export class InHand<R> {
  /** One entry per record, each beside its partition. */
  #progress: Progress[] = []
  #given: Given<R>[] = []

  push(progress: Progress, given: Given<R>): void {
    this.#progress.push(progress)
    this.#given.push(given)
  }

  /** Takes one out: asking for the next record does not make it done. @throws {TypeError} when it is not in hand */
  take(record: RecordPlace): { readonly progress: Progress; readonly given: Given<R> } {
    const at = this.#indexOf(record)
    if (at < 0) {
      const where = `${partitionText(record)} offset ${record.offset}`
      throw new TypeError(`${where}: only what the loop was given last can be given again`)
    }
    const [progress] = this.#progress.splice(at, 1)
    const [given] = this.#given.splice(at, 1)
    return { progress: progress!, given: given! }
  }

  finish(): void {
    for (const progress of this.#progress) progress.finishedAll()
    this.#clear()
  }

  /** The reader has let go of it: it is not done. */
  abandon(): void {
    for (const progress of this.#progress) progress.abandon()
    this.#clear()
  }

  /** @returns the offset after the last record of each partition, up to and with this one; nothing when it is not in hand */
  through(record: RecordPlace): Map<Progress, number> {
    const last = this.#indexOf(record)
    const ends = new Map<Progress, number>()
    for (let i = 0; i <= last; i++) {
      const progress = this.#progress[i]!
      ends.set(progress, Math.min(this.#given[i]!.view.offset + 1, progress.heldFrom))
    }
    return ends
  }

  #indexOf({ topic, partition, offset }: RecordPlace): number {
    return this.#given.findLastIndex(({ reading, view }) => {
      const isPartition = reading.partition === partition && reading.topic.name === topic
      return isPartition && view.offset === offset
    })
  }

  #clear(): void {
    this.#progress = []
    this.#given = []
  }
}

export interface RecordPlace extends TopicPartition {
  readonly offset: number
}

/** Its new owner begins at the last commit, so nothing is lost. */
export function notOurs(where: TopicPartition): KafkaError {
  const what = `${partitionText(where)} is not assigned to this member any more: not committed`
  return new KafkaError('ILLEGAL_GENERATION', what)
}
