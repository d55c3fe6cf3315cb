// Copier: reads, processes and writes exactly once: one transaction holds the written records and the read position.
// Tests only.

import type { Actor, Stage } from './actor.ts'
import { TransactionalProducer, type TransactionalOptions } from './producers.ts'

const GROUP = 'copier'
/** One batch at a time. */
const POLL_BYTES_MAX = 1
/** Separates a value from the number of the attempt to write it. */
const MARK = '>'

export const inputPartition = 'in-0'
export const outputPartition = 'out-0'

/** The value that was read. @param value the one that was written for it */
export function sourceOf(value: string): string {
  return value.slice(0, value.indexOf(MARK))
}

export class Copier implements Actor {
  readonly #stage: Stage
  readonly #producer: TransactionalProducer
  readonly #endOffset: number
  /** The next offset to read; undefined until the committed one is known. */
  #position: number | undefined
  /** Transactions so far. */
  count = 0
  /** Transactions given up. */
  givenUpCount = 0

  /** @param endOffset of the input */
  constructor(stage: Stage, options: TransactionalOptions, endOffset: number) {
    this.#stage = stage
    this.#producer = new TransactionalProducer(stage, options)
    this.#endOffset = endOffset
  }

  get isDone(): boolean {
    return this.#position !== undefined && this.#position >= this.#endOffset
  }

  async act(): Promise<void> {
    if (this.isDone) return
    this.#position ??= await this.#whereToStart()
    if (this.#position === undefined) return
    const { recorder } = this.#stage
    const from = this.#position
    const { answer } = await recorder.poll(inputPartition, 'read_committed', from, POLL_BYTES_MAX)
    if (answer === undefined || answer.next === from) return
    const attempt = this.#stage.unique(MARK)
    const values = answer.records.map(({ value }) => `${value}${attempt}`)
    const isKnown = await this.#producer.run({
      sends: [{ partition: outputPartition, values }],
      offset: { group: GROUP, partition: inputPartition, offset: answer.next },
      isCommit: true,
    })
    this.#position = isKnown ? answer.next : undefined
    this.count++
    if (!isKnown) this.givenUpCount++
  }

  /** Ends an earlier transaction that is still open first, so that the committed offset is final. */
  async #whereToStart(): Promise<number | undefined> {
    if (!(await this.#producer.settle())) return undefined
    const { outcome, answer } = await this.#stage.recorder.committed(GROUP, inputPartition)
    return outcome === 'ok' ? (answer?.offset ?? 0) : undefined
  }
}
