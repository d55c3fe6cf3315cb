// Bounds: looks up where a consumer starts and stops in each partition. An offset, a time or an end of the log
// becomes an offset.

import { types } from 'node:util'
import { KafkaError } from '../../protocol/errors.ts'
import type { Call } from '../call.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { askOffsets, EARLIEST, LATEST, type Isolation } from '../cluster/offsets.ts'
import { callback, checked, date, either, oneOf, whole, type Rule } from '../options.ts'
import { partitionText, type TopicPartition } from '../topic.ts'

/** An end of the log, an offset (a negative one counts back from the end), or the first record at or after a time. */
export type StartAt = 'earliest' | 'latest' | number | Date

/** The current end of the log, an offset (exclusive), or the first record at or after a time. */
export type StopAt = 'end' | number | Date

/** One value for all partitions, or a function that returns the value of each. */
export type PerPartition<At> = At | ((partition: TopicPartition) => At)

const offset = whole(0, Number.MAX_SAFE_INTEGER)
const START_AT = "'earliest', 'latest', an offset, a Date"
const STOP_AT = "'end', an offset, a Date"

export const startAt: Rule<StartAt> = either(
  START_AT,
  oneOf('earliest', 'latest'),
  whole(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
  date,
)
const stopAt: Rule<StopAt> = either(STOP_AT, oneOf('end'), offset, date)

export const startAtEach: Rule<PerPartition<StartAt>> = either(
  `${START_AT}, or a function of the partition`,
  startAt,
  callback(),
)
export const stopAtEach: Rule<PerPartition<StopAt>> = either(
  `${STOP_AT}, or a function of the partition`,
  stopAt,
  callback(),
)

export function atPartition<At extends StartAt | StopAt>(
  at: PerPartition<At>,
  partition: TopicPartition,
): At {
  return typeof at === 'function' ? at(partition) : at
}

/** Looks up offsets. Each timestamp and each end of the log costs at most one ListOffsets per leader. */
export class Bounds {
  readonly #cluster: Cluster
  readonly #call: Call
  readonly #partitions: readonly TopicPartition[]
  readonly #isolation: Isolation
  /** Timestamp -> partition -> offset. */
  readonly #answers = new Map<number, Promise<Map<string, number>>>()

  /** @param partitions all partitions that `start` and `stop` may be called with */
  constructor(
    cluster: Cluster,
    call: Call,
    partitions: readonly TopicPartition[],
    isolation: Isolation = 'uncommitted',
  ) {
    this.#cluster = cluster
    this.#call = call
    this.#partitions = partitions
    this.#isolation = isolation
  }

  /** @throws {TypeError} when the user's function returns no valid position */
  async start(partition: TopicPartition, at: StartAt): Promise<number> {
    checked('from', startAt, at, partitionText(partition))
    if (at === 'earliest') return await this.#ask(partition, EARLIEST)
    if (at === 'latest') return await this.#ask(partition, LATEST)
    if (types.isDate(at)) return await this.#atTime(partition, at)
    if (at >= 0) return at
    const [earliest, latest] = await Promise.all([
      this.#ask(partition, EARLIEST),
      this.#ask(partition, LATEST),
    ])
    return Math.max(earliest, latest + at)
  }

  /** @throws {TypeError} as `start` */
  async stop(partition: TopicPartition, at: StopAt): Promise<number> {
    checked('until', stopAt, at, partitionText(partition))
    if (at === 'end') return await this.#ask(partition, LATEST)
    return types.isDate(at) ? await this.#atTime(partition, at) : at
  }

  /** @returns the end of the log when no record is that late */
  async #atTime(partition: TopicPartition, at: Date): Promise<number> {
    const offset = await this.#ask(partition, at.getTime())
    return offset < 0 ? await this.#ask(partition, LATEST) : offset
  }

  async #ask(partition: TopicPartition, timestamp: number): Promise<number> {
    let answers = this.#answers.get(timestamp)
    if (answers === undefined) this.#answers.set(timestamp, (answers = this.#askAll(timestamp)))
    return (await answers).get(partitionText(partition))!
  }

  /** Asks for all partitions at once: nearly always each of them needs the same timestamp. */
  async #askAll(timestamp: number): Promise<Map<string, number>> {
    const questions = this.#partitions.map((partition) => ({ ...partition, timestamp }))
    const offsets = new Map<string, number>()
    const answers = await askOffsets(this.#cluster, questions, this.#call, this.#isolation)
    for (const answer of answers) {
      if (answer instanceof KafkaError) throw answer
      offsets.set(partitionText(answer), answer.offset)
    }
    return offsets
  }
}
