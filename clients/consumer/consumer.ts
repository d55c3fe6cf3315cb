// Consumer: reads whole partitions in order, without a group. It fetches ahead and never waits for user code.

import { KafkaError } from '../../protocol/errors.ts'
import {
  atPartition,
  Bounds,
  startAtEach,
  stopAtEach,
  type PerPartition,
  type StartAt,
  type StopAt,
} from './bounds.ts'
import { callOptions, type Call, type CallOptions, type Closeable } from '../call.ts'
import type { Timer } from '../clock.ts'
import type { Cluster, TopicMetadata } from '../cluster/cluster.ts'
import {
  checked,
  listOf,
  milliseconds,
  oneOf,
  required,
  shape,
  signal,
  whole,
  type Table,
} from '../options.ts'
import type { LazyBatch } from './lazy-batch.ts'
import { Reading } from './reading.ts'
import { isolation, type Isolation } from '../cluster/offsets.ts'
import { DONE, RecordStream, recordOf, type PauseOptions, type Position } from './record-stream.ts'
import { TopicSelection } from './topic-selection.ts'
import {
  partitionNumber,
  partitionText,
  topicSelector,
  type ConsumerRecord,
  type TopicPartition,
  type TopicSelector,
} from '../topic.ts'

export interface ConsumerOptions<T extends readonly TopicSelector[] = readonly TopicSelector[]> {
  /** A regular expression stands for all topics whose names match, later ones included, but for no internal topic. */
  readonly topics: T
  /** Read only these partitions of each topic. Default: all, new ones included. */
  readonly partitions?: readonly number[] | undefined
  /** Where each partition starts. Default `latest`. A partition that is added later starts at its first record. */
  readonly from?: PerPartition<StartAt> | undefined
  /**
   * Where each partition ends; the iteration ends when all partitions have. For a time in the future the consumer
   * waits. Default: never.
   */
  readonly until?: PerPartition<StopAt> | undefined
  /**
   * `committed`: a transaction's records once it has committed, in log order, so an open transaction holds back all
   * records after it. `uncommitted` (default): all records, those of aborted transactions included.
   */
  readonly isolation?: Isolation | undefined
  /**
   * If a position is not in the log (any more): go on at the nearest offset in the log, at one of its ends, or throw.
   * The logger gets a warning. Default `nearest`.
   */
  readonly outOfRange?: 'nearest' | 'earliest' | 'latest' | 'error' | undefined
  /** The most bytes that the consumer fetches ahead of the reader from each broker. Default 16 MiB. */
  readonly prefetchBytes?: number | undefined
  /** The most bytes of one partition in one fetch; a larger batch still comes whole. Default 1 MiB. */
  readonly partitionBytesMax?: number | undefined
  /** The broker waits up to `fetchWaitMs` for this many bytes. Default 1. */
  readonly fetchBytesMin?: number | undefined
  /** Default 500. */
  readonly fetchWaitMs?: number | undefined
  /** Ends the iteration without an error. */
  readonly signal?: AbortSignal | undefined
}

/** The options that a member of a group takes as well. */
export const readerRows: Table<Omit<ConsumerOptions, 'partitions'>> = {
  topics: required(listOf(topicSelector, 1)),
  from: startAtEach,
  until: stopAtEach,
  isolation,
  outOfRange: oneOf('nearest', 'earliest', 'latest', 'error'),
  prefetchBytes: whole(1, Number.MAX_SAFE_INTEGER),
  partitionBytesMax: whole(1),
  fetchBytesMin: whole(),
  fetchWaitMs: whole(),
  signal,
}
const consumerOptions = shape<ConsumerOptions>({
  ...readerRows,
  partitions: listOf(partitionNumber),
})

export interface BatchOptions {
  /** Default 500. */
  readonly maxRecords?: number | undefined
  /** How long an incomplete batch waits for more records. Default 50. */
  readonly maxWaitMs?: number | undefined
}

export const batchOptions = shape<BatchOptions>({
  maxRecords: whole(1),
  maxWaitMs: milliseconds(),
})

/** Records of all topics and partitions, in order within each partition. Never empty. */
export interface ConsumerBatch<R> {
  readonly records: readonly R[]
}

/**
 * Iterate it: `for await (const record of consumer)`.
 *
 * The consumer connects when the iteration begins. If you leave the loop, the consumer keeps its positions: another
 * loop goes on from there.
 */
export class Consumer<R extends ConsumerRecord<string, any, any> = ConsumerRecord>
  implements AsyncIterable<R>, AsyncDisposable
{
  readonly #cluster: Cluster
  readonly #options: ConsumerOptions
  readonly #selection: TopicSelection
  readonly #onClose: (self: Closeable) => void
  readonly #stream: RecordStream<R>
  /** The last readings of partitions whose topic was deleted, or seemed to be. */
  readonly #left = new Map<string, Reading>()
  #isRefreshingTopics = false
  /** The timer of the look-up of topics that match a pattern. */
  #watchTimer: Timer | undefined
  readonly #onAbort = (): void => void this.close()
  #started: Promise<void> | undefined

  /** @internal Use `client.consumer()`. */
  constructor(cluster: Cluster, given: ConsumerOptions, onClose: (self: Closeable) => void) {
    const options = checked('client.consumer', consumerOptions, given)
    this.#cluster = cluster
    this.#options = options
    this.#selection = new TopicSelection(cluster, options.topics)
    this.#onClose = onClose
    this.#stream = new RecordStream<R>(cluster, options, {
      recordOf: (fetched) => recordOf(fetched) as R,
      keepsViews: false,
      start: () => this.start({ signal: options.signal }),
      isOver: () =>
        options.until !== undefined && this.#stream.readings.every(({ isDone }) => isDone),
      onPoll: () => this.#watch(),
      onLeft: () => this.#unwatch(),
      onStale: () => void this.#refreshTopics(),
      isGone: (reading) => this.#isGone(reading),
    })
    options.signal?.addEventListener('abort', this.#onAbort)
    if (options.signal?.aborted) void this.close()
  }

  /**
   * `next()` returns a buffered record at once, else it waits for one.
   *
   * @throws {KafkaError} from `next()`; the position then stays before the record that could not be read, and a
   *   further `next()` tries again. INVALID_RECORD: a serde refused the record; `seek` past it to go on.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<R> {
    return this.#stream.iterator(() => this.#stream.next())
  }

  /** The same, many records at a time. */
  batches(options: BatchOptions = {}): AsyncIterableIterator<ConsumerBatch<R>> {
    const taken = checked('consumer.batches', batchOptions, options)
    const { maxRecords = 500, maxWaitMs = 50 } = taken
    return this.#stream.iterator(async (): Promise<IteratorResult<ConsumerBatch<R>, undefined>> => {
      const next = await this.#stream.nextBatch(maxRecords, maxWaitMs)
      if (next.done) return DONE
      return { done: false, value: { records: next.value.map(({ record }) => record) } }
    })
  }

  /**
   * The same without an object for each record: keys and values as views of the fetched bytes.
   *
   * @internal
   */
  lazyBatches(): AsyncIterableIterator<LazyBatch> {
    return this.#stream.iterator(() => this.#stream.nextLazy())
  }

  /** Looks up partitions and start positions now instead of when the iteration begins. */
  async start(options: CallOptions = {}): Promise<void> {
    const call = this.#cluster.call(checked('consumer.start', callOptions, options))
    this.#started ??= this.#start(call).catch((error: unknown) => {
      this.#started = undefined
      throw error
    })
    await this.#started
  }

  /** The position in each partition. Empty before the start. */
  positions(): Position[] {
    return this.#stream.positions()
  }

  /** Moves the position in a partition to `offset`, and drops the bytes fetched ahead. */
  seek(partition: TopicPartition, offset: number): void {
    this.#stream.seek(partition, offset)
  }

  /** Gives no records of these partitions (default: all) until `resume`, or for a limited time. */
  pause(
    partitions: readonly TopicPartition[] = this.positions(),
    options: PauseOptions = {},
  ): void {
    this.#stream.pause(partitions, options)
  }

  resume(partitions: readonly TopicPartition[] = this.positions()): void {
    this.#stream.resume(partitions)
  }

  /** Ends a running iteration. Idempotent. */
  async close(): Promise<void> {
    if (this.#stream.isClosed) return
    this.#options.signal?.removeEventListener('abort', this.#onAbort)
    this.#unwatch()
    this.#stream.close()
    this.#onClose(this)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #start(call: Call): Promise<void> {
    const found = await this.#selection.find(call)
    const readable = found.flatMap((metadata) => this.#wanted(metadata))
    const bounds = new Bounds(
      this.#cluster,
      call,
      readable.map(({ where }) => where),
      this.#options.isolation,
    )
    const { from = 'latest', until } = this.#options
    await Promise.all(
      readable.map(async (reading) => {
        const start = await bounds.start(reading.where, atPartition(from, reading.where))
        reading.seek(start)
        if (until !== undefined)
          await this.#stream.stopAt(reading, atPartition(until, reading.where), () => bounds)
      }),
    )
    for (const reading of readable) this.#stream.add(reading)
    this.#stream.run()
  }

  /** A new reading for each wanted partition of the topic that has none yet. */
  #wanted({ name, id, partitions: { length: partitionCount } }: TopicMetadata): Reading[] {
    const all = Array.from({ length: partitionCount }, (_, partition) => partition)
    const partitions = this.#options.partitions ?? all
    const missing = partitions.find((partition) => partition >= partitionCount)
    if (missing !== undefined && !this.#selection.isMatched(name)) {
      const where = partitionText({ topic: name, partition: missing })
      throw new KafkaError(
        'UNKNOWN_TOPIC_OR_PARTITION',
        `${where}: the topic has ${partitionCount} partitions`,
      )
    }
    const topic = this.#selection.topicOf(name)
    const readings = partitions
      .filter((partition) => partition < partitionCount)
      .map((partition) => new Reading(topic, partition, 0, id))
    return readings.filter(({ where }) => !this.#stream.has(where))
  }

  /** Metadata is old: adds new partitions and topics, and removes topics that a pattern had found and that are gone. */
  async #refreshTopics(): Promise<void> {
    if (this.#isRefreshingTopics) return
    this.#isRefreshingTopics = true
    try {
      await this.#started
      const call = this.#cluster.call({})
      const found = await this.#selection.find(call)
      if (this.#options.until !== undefined) return
      const names = new Set(found.map(({ name }) => name))
      for (const reading of this.#stream.readings.filter(({ topic }) => !names.has(topic.name)))
        this.#isGone(reading)
      if (this.#options.partitions === undefined || this.#selection.hasPatterns)
        await this.#add(
          found.flatMap((metadata) => this.#wanted(metadata)),
          call,
        )
    } catch (error) {
      if (this.#stream.isClosed) return
      this.#cluster.options.logger?.warn({ error }, 'metadata is not to be had')
    } finally {
      this.#isRefreshingTopics = false
    }
  }

  /** Starts each partition at its first record, or at its former position if its topic only seemed to be gone. */
  async #add(readings: readonly Reading[], call: Call): Promise<void> {
    const places = readings.map(({ where }) => where)
    const bounds = new Bounds(this.#cluster, call, places, this.#options.isolation)
    for (const reading of readings) {
      const left = this.#left.get(partitionText(reading.where))
      const isSame = left !== undefined && !left.isOfFormer(reading.topicId)
      reading.seek(isSame ? left.position : await bounds.start(reading.where, 'earliest'))
      this.#stream.add(reading)
    }
  }

  #isGone(reading: Reading): boolean {
    if (!this.#selection.isMatched(reading.topic.name)) return false
    this.#left.set(partitionText(reading.where), reading)
    this.#stream.remove(reading)
    return true
  }

  /** Looks up topics of a pattern at intervals, while somebody reads. */
  #watch(): void {
    if (this.#watchTimer !== undefined || !this.#selection.hasPatterns || this.#stream.isClosed)
      return
    const { clock, options } = this.#cluster
    this.#watchTimer = clock.after(options.metadataAgeMaxMs, () => {
      this.#watchTimer = undefined
      this.#watch()
      if (this.#selection.isStale) void this.#refreshTopics()
    })
  }

  #unwatch(): void {
    this.#watchTimer?.cancel()
    this.#watchTimer = undefined
  }
}
