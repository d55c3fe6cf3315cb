// Assignment: opens readings for the partitions that the group assigns to a member, and closes them again.

import { atPartition, Bounds } from '../consumer/bounds.ts'
import type { Timer } from '../clock.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { Reading } from '../consumer/reading.ts'
import type { RecordStream } from '../consumer/record-stream.ts'
import type { TopicSelection } from '../consumer/topic-selection.ts'
import { tell } from '../events.ts'
import type { TopicPartition } from '../topic.ts'
import type { Commits } from './commits.ts'
import type { GroupEnd } from './group-end.ts'
import type { GroupConsumerOptions } from './group-options.ts'
import type { ProgressTable } from './progress-table.ts'
import type { Starts } from './starts.ts'

export interface AssignmentDeps {
  readonly cluster: Cluster
  readonly options: GroupConsumerOptions
  readonly selection: TopicSelection
  readonly stream: RecordStream<any>
  readonly progress: ProgressTable
  readonly commits: Commits
  readonly starts: Starts
  /** Only with `until`. */
  readonly end: GroupEnd | undefined
}

export class Assignment {
  readonly #deps: AssignmentDeps
  #isComplete = false

  constructor(deps: AssignmentDeps) {
    this.#deps = deps
  }

  /** Does the member have all partitions of its assignment? False before the first assignment and between two. */
  get isComplete(): boolean {
    return this.#isComplete
  }

  async assigned(partitions: readonly TopicPartition[]): Promise<void> {
    const { cluster, options, selection, stream, progress, starts, end } = this.#deps
    const call = cluster.call({})
    const names = [...new Set(partitions.map(({ topic }) => topic))]
    if (names.length > 0) await cluster.retrying(call, () => cluster.describe(names, call))
    const found = await starts.of(partitions)
    const bounds = new Bounds(cluster, call, partitions, options.isolation)
    const readings = await Promise.all(
      found.map(async ({ topic, partition, offset, committed }) => {
        const { id } = cluster.topic(topic) ?? {}
        const reading = new Reading(selection.topicOf(topic), partition, offset, id)
        await this.#setStop(reading, bounds)
        progress.add(reading, committed)
        return reading
      }),
    )
    for (const reading of readings) stream.add(reading)
    this.#tell('assigned', partitions)
    end?.reset()
    this.#isComplete = true
    options.onAssignment?.(stream.positions())
    stream.wake()
  }

  /** Stops the partitions, waits for the records in hand, and commits what is done. */
  async revoked(partitions: readonly TopicPartition[]): Promise<void> {
    const { cluster, options, stream, progress, commits } = this.#deps
    this.#isComplete = false
    this.#tell('revoked', partitions)
    const given = partitions.flatMap((each) => progress.at(each) ?? [])
    for (const { reading } of given) {
      reading.release()
      stream.remove(reading)
    }
    const { sessionTimeoutMs = 45_000, rebalanceTimeoutMs = 60_000 } = options
    const patienceMs = Math.min(sessionTimeoutMs, rebalanceTimeoutMs) / 2
    let timer: Timer | undefined
    const over = new Promise<void>((resolve) => (timer = cluster.clock.after(patienceMs, resolve)))
    await Promise.race([Promise.all(given.map((each) => each.idle())), over])
    timer?.cancel()
    await commits.whatIsDone(given)
    for (const { reading } of given) progress.delete(reading)
    stream.wake()
  }

  lost(partitions: readonly TopicPartition[]): void {
    const { stream, progress } = this.#deps
    this.#isComplete = false
    this.#tell('lost', partitions)
    for (const each of partitions) {
      const reading = stream.get(each)
      if (reading === undefined) continue
      reading.release()
      stream.remove(reading)
      progress.delete(reading)
    }
  }

  async #setStop(reading: Reading, bounds: Bounds): Promise<void> {
    const { end, options, stream } = this.#deps
    if (options.until === undefined) return
    const known = end!.offsetOf(reading.where)
    if (known !== undefined) reading.stopOffset = known
    else await stream.stopAt(reading, atPartition(options.until, reading.where), () => bounds)
  }

  #tell(kind: 'assigned' | 'revoked' | 'lost', partitions: readonly TopicPartition[]): void {
    const { cluster, options } = this.#deps
    const message = { group: options.group, kind, partitions }
    const level = kind === 'lost' ? 'warn' : 'info'
    tell('assignment', message, cluster.options.logger, level, `partitions ${kind}`)
  }
}
