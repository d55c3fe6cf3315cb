// OpenLogs: every open partition log, by name and by the slot that the writer knows it by.
// Network thread. Turns what topics need into commands, and the writer's results into watermarks.

import { isDeepStrictEqual } from 'node:util'
import type { SegmentView } from './read/batch-walk.ts'
import { logConfig, parseTopicConfig, type TopicConfig } from './config.ts'
import { PageCache } from './read/hot-tail.ts'
import { partitionDirectory } from './layout.ts'
import { LogView } from './read/log-view.ts'
import type { LogReader } from './read/reader.ts'
import type { Logs, Overrides, Topic, Turn } from './store.ts'
import type { Request } from './writer/writer-client.ts'
import type { Opened, Outcome, TurnResult } from './writer/commands.ts'

export interface LogsDeps {
  readonly dataDir: string
  readonly reader: LogReader
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
  /** How many partitions of each topic its durable record names: a crash would leave what others hold without an owner. */
  readonly #partitionCounts = new Map<string, number>()
  readonly #pageCache = new PageCache()
  #topicDefaults: Overrides
  /** A topic whose configuration changes is another object. */
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

  /** Also one that no durable record names yet. */
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

  /** Every log that is open. */
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
   * Recovers logs, or creates empty ones. They are there for `find` when this resolves.
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
    const { dataDir, reader } = this.#deps
    for (const [i, { topic, partition }] of wanted.entries()) {
      const log = new LogView({
        topic,
        partition,
        opened: opened[i]!,
        dataDir,
        reader,
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
    // No turn of the writer, but news for those who wait for more of these logs.
    if (logs.length > 0) this.#onTurn({ logs, ...NOTHING_WRITTEN })
    const slots = logs.map((log) => log.slot)
    if (slots.length > 0) await this.#deps.ask({ kind: 'remove', slots })
    for (const slot of slots) this.#bySlot[slot] = undefined
  }

  /** A durable record says so of the topic, which is new or has another configuration or number of partitions. */
  update(topic: Topic): void {
    this.#partitionCounts.set(topic.name, topic.partitionCount)
    for (const log of this.#byTopic.get(topic.name) ?? []) log.topic = topic
  }

  /** Appends follow the topic's configuration when this resolves. */
  async configure(topic: Topic): Promise<void> {
    const config = logConfig(this.configOf(topic))
    const logs = this.#byTopic.get(topic.name) ?? []
    await Promise.all(logs.map(({ slot }) => this.#deps.ask({ kind: 'configure', slot, config })))
  }

  /** Appends to every log follow the new defaults when this resolves. */
  async setTopicDefaults(defaults: Overrides): Promise<void> {
    const before = this.#topicDefaults
    this.#topicDefaults = defaults
    this.#configs = new WeakMap()
    const topics = Array.from(this.#byTopic.values()).flatMap(([log]) => log ?? [])
    await this.#follow(topics, before)
  }

  /** Those that the change of the defaults makes a difference to. */
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

  /** Hears of segments in which a read found rot. */
  onRot(callback: (segment: SegmentView) => void): void {
    this.#onRot = callback
  }

  noteRot(segment: SegmentView): void {
    this.#onRot(segment)
  }

  /** Takes over watermarks and segments. */
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
