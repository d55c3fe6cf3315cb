// InHand: the records that the reader got since it last asked for more, in order: it may be handling any of them.

import { KafkaError } from '../../protocol/errors.ts'
import type { StoredRecord } from '../consumer/fetcher.ts'
import { partitionText, type TopicPartition } from '../topic.ts'
import type { Progress } from './progress.ts'

export class InHand {
  /** One entry per record; `#offsets` has the offset of each. */
  #progress: Progress[] = []
  #offsets: number[] = []
  #views: StoredRecord[] = []
  readonly #keepsViews: boolean

  /** @param keepsViews keep the bytes, for dead letters; kept so long they cost much in garbage collection */
  constructor(keepsViews: boolean) {
    this.#keepsViews = keepsViews
  }

  push(progress: Progress, view: StoredRecord): void {
    this.#progress.push(progress)
    this.#offsets.push(view.offset)
    if (this.#keepsViews) this.#views.push(view)
  }

  /**
   * Takes a record out, so that asking for the next one does not make it done.
   *
   * @returns without bytes unless `keepsViews`
   * @throws {TypeError} when the record is not in hand
   */
  take(record: RecordPlace): { readonly progress: Progress; readonly view: StoredRecord } {
    const at = this.#indexOf(record)
    if (at < 0) {
      const where = `${partitionText(record)} offset ${record.offset}`
      throw new TypeError(`${where}: only what the loop was given last can be given again`)
    }
    const [progress] = this.#progress.splice(at, 1)
    this.#offsets.splice(at, 1)
    const none = { timestamp: -1, key: null, value: null, headers: [] }
    const [view = { offset: record.offset, ...none }] = this.#views.splice(at, 1)
    return { progress: progress!, view }
  }

  finish(): void {
    for (const progress of this.#progress) progress.finishedAll()
    this.#clear()
  }

  /** The reader has left its loop: the records are not done. */
  abandon(): void {
    for (const progress of this.#progress) progress.abandon()
    this.#clear()
  }

  /**
   * @returns for each partition the offset after its last record up to and including this one; empty when it is not
   *   in hand
   */
  through(record: RecordPlace): Map<Progress, number> {
    const last = this.#indexOf(record)
    const ends = new Map<Progress, number>()
    for (let i = 0; i <= last; i++) {
      const progress = this.#progress[i]!
      ends.set(progress, Math.min(this.#offsets[i]! + 1, progress.heldFrom))
    }
    return ends
  }

  #indexOf({ topic, partition, offset }: RecordPlace): number {
    return this.#progress.findLastIndex(({ reading }, i) => {
      const isOffset = this.#offsets[i] === offset
      return isOffset && reading.partition === partition && reading.topic.name === topic
    })
  }

  #clear(): void {
    if (this.#offsets.length === 1) {
      // A loop has one record in hand: new arrays for each record would be slow.
      this.#progress.pop()
      this.#offsets.pop()
      this.#views.pop()
      return
    }
    this.#progress = []
    this.#offsets = []
    this.#views = []
  }
}

export interface RecordPlace extends TopicPartition {
  readonly offset: number
}

/** The partition's new owner starts at the last commit, so nothing is lost. */
export function notOurs(where: TopicPartition): KafkaError {
  const what = `${partitionText(where)} is not assigned to this member any more: not committed`
  return new KafkaError('ILLEGAL_GENERATION', what)
}
