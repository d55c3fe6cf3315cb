// Consumer: reads whole partitions in order, without a group. Fetches ahead; never waits on user code.

import { KafkaError } from '../protocol/errors.ts'
import {
  atPartition,
  Bounds,
  startAtEach,
  stopAtEach,
  type PerPartition,
  type StartAt,
  type StopAt,
} from './bounds.ts'
import { callOptions, type Call, type CallOptions, type Closeable } from './call.ts'
import type { Cluster } from './cluster.ts'
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
} from './options.ts'
import { Reading } from './reading.ts'
import { isolation, type Isolation } from './offsets.ts'
import { DONE, RecordStream, recordOf, type Position } from './record-stream.ts'
import {
  partitionNumber,
  partitionText,
  topicLike,
  topicOf,
  type ConsumerRecord,
  type Topic,
  type TopicLike,
  type TopicPartition,
} from './topic.ts'

export interface ConsumerOptions<T extends readonly TopicLike[] = readonly TopicLike[]> {
  readonly topics: T
  /** Only these partitions, of each topic. Default: all, new ones included. */
  readonly partitions?: readonly number[] | undefined
  /** Where each partition begins. Default `latest`. Partitions that appear later begin at their start. */
  readonly from?: PerPartition<StartAt> | undefined
  /** Where each partition ends; the iteration is over when all have. A time to come is waited for. Default: never. */
  readonly until?: PerPartition<StopAt> | undefined
  /**
   * `committed`: records of a transaction when it has committed, in the order of the log, so an open transaction holds
   * back what comes after it. `uncommitted` (default): everything, aborted transactions included.
   */
  readonly isolation?: Isolation | undefined
  /**
   * When a position is not in the log (any more): go on at the nearest offset that is, at an end of the log, or throw.
   * The logger is told. Default `nearest`.
   */
  readonly outOfRange?: 'nearest' | 'earliest' | 'latest' | 'error' | undefined
  /** Bytes fetched ahead of the reader, at most, from each broker. Default 16 MiB. */
  readonly prefetchBytes?: number | undefined
  /** Bytes of one partition in one fetch; a larger batch still comes whole. Default 1 MiB. */
  readonly partitionBytesMax?: number | undefined
  /** The broker waits up to `fetchWaitMs` for this many. Default 1. */
  readonly fetchBytesMin?: number | undefined
  /** Default 500. */
  readonly fetchWaitMs?: number | undefined
  /** Ends the iteration, without an error. */
  readonly signal?: AbortSignal | undefined
}

/** Of members of groups too. */
export const readerRows: Table<Omit<ConsumerOptions, 'partitions'>> = {
  topics: required(listOf(topicLike, 1)),
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
  /** How long a batch with fewer records waits for more. Default 50. */
  readonly maxWaitMs?: number | undefined
}

export const batchOptions = shape<BatchOptions>({
  maxRecords: whole(1),
  maxWaitMs: milliseconds(),
})

/** Records of any of the topics and partitions, in order within each partition. Never empty. */
export interface ConsumerBatch<R> {
  readonly records: readonly R[]
}

/**
 * Iterate it: `for await (const record of consumer)`.
 *
 * It connects when the iteration begins. Leaving the loop keeps the positions: another loop goes on from there.
 */
export class Consumer<R extends ConsumerRecord<string, any, any> = ConsumerRecord>
  implements AsyncIterable<R>, AsyncDisposable
{
  readonly #cluster: Cluster
  readonly #options: ConsumerOptions
  readonly #topics: readonly Topic[]
  readonly #onClose: (self: Closeable) => void
  readonly #stream: RecordStream<R>
  /** Topics whose partitions are being looked up anew. */
  readonly #refreshing = new Set<string>()
  readonly #onAbort = (): void => void this.close()
  #started: Promise<void> | undefined

  /** @internal Use `client.consumer()`. */
  constructor(cluster: Cluster, given: ConsumerOptions, onClose: (self: Closeable) => void) {
    const options = checked('client.consumer', consumerOptions, given)
    this.#cluster = cluster
    this.#options = options
    this.#topics = options.topics.map(topicOf)
    this.#onClose = onClose
    this.#stream = new RecordStream<R>(cluster, options, {
      recordOf: (fetched) => recordOf(fetched) as R,
      start: () => this.start({ signal: options.signal }),
      isOver: () => this.#stream.readings.every(({ isDone }) => isDone),
      onStale: (topic) => void this.#findNewPartitions(topic),
    })
    options.signal?.addEventListener('abort', this.#onAbort)
    if (options.signal?.aborted) void this.close()
  }

  /**
   * `next()` gives what is at hand, or waits.
   *
   * @throws {KafkaError} from `next()`; the position is then still before what could not be read, and a further
   *   `next()` tries again. INVALID_RECORD: a serde refused; `seek` past it to go on.
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

  /** Looks partitions and start positions up now rather than when the iteration begins. */
  async start(options: CallOptions = {}): Promise<void> {
    const call = this.#cluster.call(checked('consumer.start', callOptions, options))
    this.#started ??= this.#start(call).catch((error: unknown) => {
      this.#started = undefined
      throw error
    })
    await this.#started
  }

  /** Of each partition. Empty before the start. */
  positions(): Position[] {
    return this.#stream.positions()
  }

  /** Goes on at `offset` in a partition. What was fetched ahead of it is dropped. */
  seek(partition: TopicPartition, offset: number): void {
    this.#stream.seek(partition, offset)
  }

  /** Gives no records of these partitions (default: of all) until `resume`. */
  pause(partitions: readonly TopicPartition[] = this.positions()): void {
    this.#stream.pause(partitions)
  }

  resume(partitions: readonly TopicPartition[] = this.positions()): void {
    this.#stream.resume(partitions)
  }

  /** Ends a running iteration. Idempotent. */
  async close(): Promise<void> {
    if (this.#stream.isClosed) return
    this.#options.signal?.removeEventListener('abort', this.#onAbort)
    this.#stream.close()
    this.#onClose(this)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #start(call: Call): Promise<void> {
    const found = await Promise.all(
      this.#topics.map((topic) =>
        this.#cluster.retrying(call, () => this.#cluster.findTopic(topic.name, call)),
      ),
    )
    const readable = found.flatMap((metadata, index) =>
      this.#wanted(this.#topics[index]!, metadata.partitions.length),
    )
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

  /** One reading for each partition of the topic that is to be read and is not yet. */
  #wanted(topic: Topic, partitionCount: number): Reading[] {
    const { partitions = Array.from({ length: partitionCount }, (_, partition) => partition) } =
      this.#options
    const missing = partitions.find((partition) => partition >= partitionCount)
    if (missing !== undefined) {
      const where = partitionText({ topic: topic.name, partition: missing })
      throw new KafkaError(
        'UNKNOWN_TOPIC_OR_PARTITION',
        `${where}: the topic has ${partitionCount} partitions`,
      )
    }
    const readings = partitions.map((partition) => new Reading(topic, partition, 0))
    return readings.filter(({ where }) => !this.#stream.has(where))
  }

  async #findNewPartitions(name: string): Promise<void> {
    if (this.#refreshing.has(name)) return
    this.#refreshing.add(name)
    try {
      await this.#cluster.refresh(name)
      const metadata = this.#cluster.topic(name)
      if (
        metadata === undefined ||
        this.#options.until !== undefined ||
        this.#options.partitions !== undefined
      )
        return
      const topic = this.#topics.find((each) => each.name === name)!
      for (const reading of this.#wanted(topic, metadata.partitions.length)) {
        const bounds = new Bounds(this.#cluster, this.#cluster.call({}), [reading.where])
        reading.seek(await bounds.start(reading.where, 'earliest'))
        this.#stream.add(reading)
      }
    } catch (error) {
      this.#cluster.options.logger?.warn({ error, topic: name }, 'metadata is not to be had')
    } finally {
      this.#refreshing.delete(name)
    }
  }
}
