// TopicTable: the existing topics. A change takes effect with one durable record; files are made before it, or
// deleted after it. Network thread. The next start finishes or undoes changes that a crash interrupts:
// docs/formats/tables.md

import { KafkaError } from '../../protocol/errors.ts'
import type { Uuid } from '../../protocol/ids.ts'
import { parseTopicConfig } from '../config.ts'
import type { OpenLogs } from '../logs.ts'
import { randomUuid } from '../meta.ts'
import type { Overrides, Topic, TopicListener, Topics, TopicSpec } from '../store.ts'
import { checkTopicName, collisionKey } from '../topic-name.ts'
import {
  topicKey,
  topicOf,
  topicRecords,
  type MetadataTable,
  type TopicRecord,
} from './metadata.ts'
import { TopicListeners } from './topic-listeners.ts'

const PARTITIONS_MAX = 10_000

export interface TopicTableDeps {
  readonly table: MetadataTable
  readonly logs: OpenLogs
  /** Directories that are in the way of these partitions and hold records without a topic. */
  readonly strangersOf: (topic: string, from: number, to: number) => readonly string[]
  readonly warn: (message: string) => void
}

export class TopicTable implements Topics {
  readonly #deps: TopicTableDeps
  readonly #listeners: TopicListeners
  readonly #byName = new Map<string, Topic>()
  readonly #byId = new Map<Uuid, Topic>()
  #sorted: readonly Topic[] | undefined
  /** By collision key: names that exist, or are being created or deleted. */
  readonly #names = new Map<string, string>()
  /** The last change in progress, by name. */
  readonly #changes = new Map<string, Promise<unknown>>()

  constructor(deps: TopicTableDeps) {
    this.#deps = deps
    this.#listeners = new TopicListeners(deps.warn)
    for (const [name, record] of topicRecords(deps.table)) {
      if (!record.isDeleted) this.#publish(topicOf(name, record))
    }
  }

  get(name: string): Topic | undefined {
    return this.#byName.get(name)
  }

  getById(id: Uuid): Topic | undefined {
    return this.#byId.get(id)
  }

  list(): Iterable<Topic> {
    this.#sorted ??= [...this.#byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
    return this.#sorted
  }

  subscribe(listener: TopicListener): () => void {
    return this.#listeners.add(listener)
  }

  check({ name, partitionCount, config = {} }: TopicSpec): void {
    checkTopicName(name)
    checkPartitionCount(name, partitionCount, 0)
    parseTopicConfig(config)
    const taken = this.#names.get(collisionKey(name))
    if (taken === name) throw new KafkaError('TOPIC_ALREADY_EXISTS', `topic ${name} already exists`)
    if (taken !== undefined) {
      throw new KafkaError(
        'INVALID_TOPIC_EXCEPTION',
        `topic ${name} collides with ${taken}: '.' and '_' count as the same`,
      )
    }
  }

  create(spec: TopicSpec): Promise<Topic> {
    return this.#inTurn(spec.name, () => this.#create(spec))
  }

  delete(name: string): Promise<void> {
    return this.#inTurn(name, () => this.#delete(name))
  }

  addPartitions(name: string, partitionCount: number): Promise<Topic> {
    return this.#inTurn(name, () => this.#addPartitions(name, partitionCount))
  }

  configure(name: string, config: Overrides | ((before: Overrides) => Overrides)): Promise<Topic> {
    return this.#inTurn(name, () => this.#configure(name, config))
  }

  /**
   * The logs are durable before the record: a crash in between leaves empty directories, which the next start
   * removes.
   */
  async #create(spec: TopicSpec): Promise<Topic> {
    const { table } = this.#deps
    this.check(spec)
    const { name, partitionCount, config = {} } = spec
    const record = { id: randomUuid(), partitionCount, config }
    const topic = topicOf(name, record)
    this.#names.set(collisionKey(name), name)
    try {
      await this.#makeLogs(topic, 0)
      await table
        .put(topicKey(name), record)
        .catch((error: unknown) => this.#removeLogs(topic, 0, error))
    } catch (error) {
      this.#names.delete(collisionKey(name))
      throw error
    }
    this.#publish(topic)
    await this.#listeners.tell(topic, (each) => each.created?.(topic))
    return topic
  }

  /** The record comes first: after it a crash only delays the deletion. */
  async #delete(name: string): Promise<void> {
    const { table, logs } = this.#deps
    const topic = this.#existing(name)
    if (topic.isInternal)
      throw new KafkaError('INVALID_TOPIC_EXCEPTION', `topic ${name} is internal`)
    await table.put(topicKey(name), { ...recordOf(topic), isDeleted: true })
    this.#byName.delete(name)
    this.#byId.delete(topic.id)
    this.#sorted = undefined
    await logs.remove(name)
    await this.#listeners.tell(topic, (each) => each.deleted?.(topic))
    this.#names.delete(collisionKey(name))
    await table.delete(topicKey(name)).catch(() => {}) // only tidy: the next start deletes it otherwise
  }

  async #addPartitions(name: string, partitionCount: number): Promise<Topic> {
    const { table } = this.#deps
    const topic = this.#existing(name)
    checkPartitionCount(name, partitionCount, topic.partitionCount)
    const larger = { ...topic, partitionCount }
    await this.#makeLogs(larger, topic.partitionCount)
    await table
      .put(topicKey(name), recordOf(larger))
      .catch((error: unknown) => this.#removeLogs(larger, topic.partitionCount, error))
    this.#publish(larger)
    await this.#listeners.tell(larger, (each) =>
      each.partitionsAdded?.(larger, topic.partitionCount),
    )
    return larger
  }

  async #configure(
    name: string,
    change: Overrides | ((before: Overrides) => Overrides),
  ): Promise<Topic> {
    const { table, logs } = this.#deps
    const topic = this.#existing(name)
    const config = typeof change === 'function' ? change(topic.config) : change
    parseTopicConfig(config)
    const changed = { ...topic, config }
    await table.put(topicKey(name), recordOf(changed))
    this.#publish(changed)
    await logs.configure(changed)
    await this.#listeners.tell(changed, (each) => each.configured?.(changed, topic.config))
    return changed
  }

  async #makeLogs(topic: Topic, from: number): Promise<void> {
    const { logs, strangersOf } = this.#deps
    const [stranger] = strangersOf(topic.name, from, topic.partitionCount)
    if (stranger !== undefined) {
      throw new KafkaError(
        'KAFKA_STORAGE_ERROR',
        `directory ${stranger} holds records that no topic owns: move it away`,
      )
    }
    await logs.open([{ topic, from, to: topic.partitionCount }], true)
  }

  /** Undoes `makeLogs` after `error`, and throws that. */
  async #removeLogs(topic: Topic, from: number, error: unknown): Promise<never> {
    await this.#deps.logs.remove(topic.name, from)
    throw error
  }

  #existing(name: string): Topic {
    const topic = this.#byName.get(name)
    if (!topic)
      throw new KafkaError('UNKNOWN_TOPIC_OR_PARTITION', `there is no topic ${name.slice(0, 256)}`)
    return topic
  }

  #publish(topic: Topic): void {
    this.#byName.set(topic.name, topic)
    this.#byId.set(topic.id, topic)
    this.#deps.logs.update(topic)
    this.#names.set(collisionKey(topic.name), topic.name)
    this.#sorted = undefined
  }

  /** Changes of one name wait for each other; others share the writer's turns. */
  async #inTurn<Result>(name: string, change: () => Promise<Result>): Promise<Result> {
    const before = this.#changes.get(name)
    const mine = (before ?? Promise.resolve()).then(change, change)
    this.#changes.set(name, mine)
    try {
      return await mine
    } finally {
      if (this.#changes.get(name) === mine) this.#changes.delete(name)
    }
  }
}

function recordOf({ id, partitionCount, config }: Topic): TopicRecord {
  return { id, partitionCount, config }
}

function checkPartitionCount(name: string, partitionCount: number, existing: number): void {
  const isAllowed =
    Number.isInteger(partitionCount) &&
    partitionCount > existing &&
    partitionCount <= PARTITIONS_MAX
  if (isAllowed) return
  throw new KafkaError(
    'INVALID_PARTITIONS',
    `${partitionCount} partitions for ${name}: want ${existing + 1} to ${PARTITIONS_MAX}`,
  )
}
