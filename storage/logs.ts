// OpenLogs: every open partition log, by name and by its slot. Network thread. It sends the commands that topics need
// to the writer, and takes watermarks from the writer's results.

import { isDeepStrictEqual } from 'node:util'
import type { SegmentView } from './read/batch-walk.ts'
import { logConfig, parseTopicConfig, type TopicConfig } from './config.ts'
import { PageCache } from './read/hot-tail.ts'
import { partitionDirectory } from './layout.ts'
import { LogView, type ReadFiles } from './read/log-view.ts'
import type { Logs, Overrides, Topic, Turn } from './store.ts'
import type { Request } from './writer/writer-client.ts'
import type { Outcome, TurnResult } from './writer/commands.ts'
import type { Opened } from './log-facts.ts'

export interface LogsDeps {
  readonly dataDir: string
  readonly files: ReadFiles
  readonly topicDefaults: Overrides
  /** @throws {KafkaError} when the writer refuses */
  readonly ask: (request: Request) => Promise<Outcome>
}

/** Some partitions of a topic. */
export interface PartitionRange {
  readonly topic: Topic
  readonly from: number
  /** Exclusive. */
  readonly to: number
}

const NOTHING_WRITTEN = { batchCount: 0, batchBytes: 0, writeSeconds: 0, syncSeconds: 0 }

export class OpenLogs implements Logs {
  readonly #deps: LogsDeps
  readonly #bySlot: (LogView | undefined)[] = []
  readonly #byTopic = new Map<string, LogView[]>()
  /** How many partitions each topic's durable record names: after a crash the others would have no owner. */
  readonly #partitionCounts = new Map<string, number>()
  readonly #pageCache = new PageCache()
  #topicDefaults: Overrides
  /** A changed topic is a new object, so an entry never becomes stale. */
  #configs = new WeakMap<Topic, TopicConfig>()
  #onTurn: (turn: Turn) => void = () => {}
  #onRot: (segment: SegmentView) => void = () => {}

  constructor(deps: LogsDeps) {
    this.#deps = deps
    this.#topicDefaults = deps.topicDefaults
  }

  get(topic: string, partition: number): LogView | undefined {
    const isNamed = partition < (this.#partitionCounts.get(topic) ?? 0)
    return isNamed ? this.find(topic, partition) : undefined
  }

  /** The log; it may belong to a topic without a durable record yet. */
  find(topic: string, partition: number): LogView | undefined {
    return this.#byTopic.get(topic)?.[partition]
  }

  get quarantinedOffsetCount(): number {
    let count = 0
    for (const { quarantined } of this.all()) {
      for (const { startOffset, endOffset } of quarantined) count += endOffset - startOffset
    }
    return count
  }

  /** Every open log. */
  *all(): Generator<LogView> {
    for (const logs of this.#byTopic.values()) yield* logs
  }

  configOf(topic: Topic): TopicConfig {
    let config = this.#configs.get(topic)
    if (config === undefined) {
      config = parseTopicConfig(topic.config, this.#topicDefaults)
      this.#configs.set(topic, config)
    }
    return config
  }

  /**
   * Recovers logs, or creates empty ones. When it resolves `find` returns them.
   *
   * @throws {KafkaError} when the writer refuses; then none is open
   */
  async open(ranges: readonly PartitionRange[], create: boolean): Promise<readonly Opened[]> {
    const defaults = this.#topicDefaults
    const wanted = ranges.flatMap(({ topic, from, to }) => {
      const config = logConfig(this.configOf(topic))
      return Array.from({ length: to - from }, (_, i) => ({ topic, partition: from + i, config }))
    })
    const first = this.#bySlot.length
    this.#bySlot.length += wanted.length
    const logs = wanted.map(({ topic, partition, config }, i) => ({
      slot: first + i,
      directory: partitionDirectory(topic.name, partition),
      config,
      create,
    }))
    const { opened = [] } = await this.#deps.ask({ kind: 'open', logs })
    const { dataDir, files } = this.#deps
    for (const [i, { topic, partition }] of wanted.entries()) {
      const log = new LogView({
        topic,
        partition,
        opened: opened[i]!,
        dataDir,
        files,
        configOf: (topic) => this.configOf(topic),
        pageCache: this.#pageCache,
      })
      this.#bySlot[log.slot] = log
      const siblings = this.#byTopic.get(topic.name)
      if (siblings) siblings.push(log)
      else this.#byTopic.set(topic.name, [log])
    }
    if (defaults !== this.#topicDefaults) await this.#follow(ranges, defaults)
    return opened
  }

  /** Refuses reads and appends from now on, then deletes the logs from partition `from` on. */
  async remove(topic: string, from = 0): Promise<void> {
    const logs = this.#byTopic.get(topic)?.splice(from) ?? []
    if (from === 0) {
      this.#byTopic.delete(topic)
      this.#partitionCounts.delete(topic)
    }
    for (const log of logs) log.remove()
    // Not a turn of the writer, but callers that wait for more of these logs must wake.
    if (logs.length > 0) this.#onTurn({ logs, ...NOTHING_WRITTEN })
    const slots = logs.map((log) => log.slot)
    if (slots.length > 0) await this.#deps.ask({ kind: 'remove', slots })
    for (const slot of slots) this.#bySlot[slot] = undefined
  }

  /** The topic's durable record exists: the topic is new, or its configuration or number of partitions has changed. */
  update(topic: Topic): void {
    this.#partitionCounts.set(topic.name, topic.partitionCount)
    for (const log of this.#byTopic.get(topic.name) ?? []) log.topic = topic
  }

  /** When it resolves appends follow the topic's configuration. */
  async configure(topic: Topic): Promise<void> {
    const config = logConfig(this.configOf(topic))
    const logs = this.#byTopic.get(topic.name) ?? []
    await Promise.all(logs.map(({ slot }) => this.#deps.ask({ kind: 'configure', slot, config })))
  }

  /** When it resolves appends to every log follow the new defaults. */
  async setTopicDefaults(defaults: Overrides): Promise<void> {
    const before = this.#topicDefaults
    this.#topicDefaults = defaults
    this.#configs = new WeakMap()
    const topics = Array.from(this.#byTopic.values()).flatMap(([log]) => log ?? [])
    await this.#follow(topics, before)
  }

  /** Reconfigures the topics whose configuration the new defaults change. */
  async #follow(topics: readonly { readonly topic: Topic }[], before: Overrides): Promise<void> {
    const concerned = topics.filter(
      ({ topic }) =>
        !isDeepStrictEqual(
          logConfig(parseTopicConfig(topic.config, before)),
          logConfig(this.configOf(topic)),
        ),
    )
    await Promise.all(concerned.map(({ topic }) => this.configure(topic)))
  }

  onTurn(callback: (turn: Turn) => void): void {
    this.#onTurn = callback
  }

  /** Registers a callback for segments in which a read found rot. */
  onRot(callback: (segment: SegmentView) => void): void {
    this.#onRot = callback
  }

  noteRot(segment: SegmentView): void {
    this.#onRot(segment)
  }

  /** Takes watermarks and segments from a result. */
  apply(result: TurnResult): void {
    for (const { slot, closed, activeBaseOffset } of result.rolled) {
      this.#bySlot[slot]?.roll(closed, activeBaseOffset)
    }
    for (const { slot, replacedCount, segment } of result.swapped) {
      this.#bySlot[slot]?.replace(replacedCount, segment)
    }
    for (const { slot, baseOffset } of result.dropped) this.#bySlot[slot]?.drop(baseOffset)
    const changed: LogView[] = []
    for (const state of result.states) {
      const log = this.#bySlot[state.slot]
      if (!log) continue
      log.update(state)
      changed.push(log)
    }
    const { batchCount, batchBytes, writeSeconds, syncSeconds } = result
    this.#onTurn({ logs: changed, batchCount, batchBytes, writeSeconds, syncSeconds })
  }
}
