// Copier: reads, processes and writes, exactly once: what it writes and how far it has read are one transaction. Tests only.

import type { Actor, Stage } from './actor.ts'
import { TransactionalProducer, type TransactionalOptions } from './producers.ts'

const GROUP = 'copier'
/** One batch at a time. */
const POLL_BYTES_MAX = 1
/** Between a value and what tells apart the attempts to write it. */
const MARK = '>'

export const inputPartition = 'in-0'
export const outputPartition = 'out-0'

/** What was read. @param value what was written of it */
export function sourceOf(value: string): string {
  return value.slice(0, value.indexOf(MARK))
}

export class Copier implements Actor {
  readonly #stage: Stage
  readonly #producer: TransactionalProducer
  readonly #endOffset: number
  /** Where to read on; undefined until it is known what is committed. */
  #position: number | undefined
  /** Transactions so far. */
  count = 0
  /** Those that it gave up. */
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

  /** What an earlier transaction left open is ended first, so that the offset is what it is. */
  async #whereToStart(): Promise<number | undefined> {
    if (!(await this.#producer.settle())) return undefined
    const { outcome, answer } = await this.#stage.recorder.committed(GROUP, inputPartition)
    return outcome === 'ok' ? (answer?.offset ?? 0) : undefined
  }
}
