// InHand: what the reader of a group was given since it last asked, in that order: it may be working on all of it.

import { KafkaError } from '../../protocol/errors.ts'
import type { StoredRecord } from '../consumer/fetcher.ts'
import { partitionText, type TopicPartition } from '../topic.ts'
import type { Progress } from './progress.ts'

export class InHand {
  /** One entry per record, the offset of each beside its partition. */
  #progress: Progress[] = []
  #offsets: number[] = []
  #views: StoredRecord[] = []
  readonly #keepsViews: boolean

  /** @param keepsViews the bytes may become dead letters; kept so long they are dear for the garbage collector */
  constructor(keepsViews: boolean) {
    this.#keepsViews = keepsViews
  }

  push(progress: Progress, view: StoredRecord): void {
    this.#progress.push(progress)
    this.#offsets.push(view.offset)
    if (this.#keepsViews) this.#views.push(view)
  }

  /**
   * Takes one out: asking for the next record does not make it done.
   *
   * @returns without bytes where they are not kept
   * @throws {TypeError} when it is not in hand
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
      // A loop has one record in hand: new arrays for each are dear.
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

/** Its new owner begins at the last commit, so nothing is lost. */
export function notOurs(where: TopicPartition): KafkaError {
  const what = `${partitionText(where)} is not assigned to this member any more: not committed`
  return new KafkaError('ILLEGAL_GENERATION', what)
}
