// InHand: what the reader of a group was given since it last asked, in that order: it may be working on all of it.

import { KafkaError } from '../../protocol/errors.ts'
import { partitionText, type TopicPartition } from '../topic.ts'
import type { Progress } from './progress.ts'

export class InHand {
  /** One entry per record, the offset of each beside its partition. */
  #progress: Progress[] = []
  #offsets: number[] = []

  push(progress: Progress, offset: number): void {
    this.#progress.push(progress)
    this.#offsets.push(offset)
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
  through({ topic, partition, offset }: RecordPlace): Map<Progress, number> {
    const last = this.#progress.findLastIndex(({ reading }, i) => {
      const isOffset = this.#offsets[i] === offset
      return isOffset && reading.partition === partition && reading.topic.name === topic
    })
    const ends = new Map<Progress, number>()
    for (let i = 0; i <= last; i++) ends.set(this.#progress[i]!, this.#offsets[i]! + 1)
    return ends
  }

  #clear(): void {
    this.#progress = []
    this.#offsets = []
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
