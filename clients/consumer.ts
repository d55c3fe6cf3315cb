// Consumer: reads whole partitions in order, without a group. Fetches ahead; never waits on user code.

import { tracingChannel } from 'node:diagnostics_channel'
import { KafkaError } from '../protocol/errors.ts'
import { atPartition, Bounds, type PerPartition, type StartAt, type StopAt } from './bounds.ts'
import type { Call, CallOptions, Closeable } from './call.ts'
import type { Clock, Timer } from './clock.ts'
import type { Cluster } from './cluster.ts'
import { Fetcher, type Fetched } from './fetcher.ts'
import { Reading } from './reading.ts'
import type { Serde } from './serde.ts'
import {
  partitionText,
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

export interface BatchOptions {
  /** Default 500. */
  readonly maxRecords?: number | undefined
  /** How long a batch with fewer records waits for more. Default 50. */
  readonly maxWaitMs?: number | undefined
}

/** Records of any of the topics and partitions, in order within each partition. Never empty. */
export interface ConsumerBatch<R> {
  readonly records: readonly R[]
}

/** Where a consumer stands in a partition. */
export interface Position extends TopicPartition {
  /** Of the next record. */
  readonly offset: number
  /** Offset after the last record that may be read, as last heard; -1: nothing heard yet. */
  readonly highWatermark: number
}

const tracing = tracingChannel('millrace:consume')

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
  readonly #fetcher: Fetcher
  readonly #readings = new Map<string, Reading>()
  /** Topics whose partitions are being looked up anew. */
  readonly #refreshing = new Set<string>()
  readonly #onAbort = (): void => void this.close()
  readonly #stopTimers = new Set<Timer>()
  #started: Promise<void> | undefined
  #change = new Gate()
  #isClosed = false
  /** Met while a batch was being filled: thrown once that batch is given. */
  #heldError: unknown
  /** The record whose loop body is running, when somebody traces. */
  #traced: { readonly record: R } | undefined

  /** @internal Use `client.consumer()`. */
  constructor(cluster: Cluster, options: ConsumerOptions, onClose: (self: Closeable) => void) {
    if (options.topics.length === 0) throw new TypeError('topics: at least one is needed')
    this.#cluster = cluster
    this.#options = options
    this.#topics = options.topics.map(topicOf)
    this.#onClose = onClose
    this.#fetcher = new Fetcher(cluster, {
      prefetchBytes: options.prefetchBytes ?? 16 * 1024 * 1024,
      partitionBytesMax: options.partitionBytesMax ?? 1024 * 1024,
      fetchBytesMin: options.fetchBytesMin ?? 1,
      fetchWaitMs: options.fetchWaitMs ?? 500,
      outOfRange: options.outOfRange ?? 'nearest',
      onChange: () => this.#change.open(),
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
    return this.#iterator(() => this.#next())
  }

  /** The same, many records at a time. */
  batches(options: BatchOptions = {}): AsyncIterableIterator<ConsumerBatch<R>> {
    const { maxRecords = 500, maxWaitMs = 50 } = options
    return this.#iterator(() => this.#nextBatch(maxRecords, maxWaitMs))
  }

  /** Looks partitions and start positions up now rather than when the iteration begins. */
  start(options: CallOptions = {}): Promise<void> {
    this.#started ??= this.#start(this.#cluster.call(options)).catch((error: unknown) => {
      this.#started = undefined
      throw error
    })
    return this.#started
  }

  /** Of each partition. Empty before the start. */
  positions(): Position[] {
    return this.#fetcher.readings.map(({ where, position, highWatermark }) => ({
      ...where,
      offset: position,
      highWatermark,
    }))
  }

  /** Goes on at `offset` in a partition. What was fetched ahead of it is dropped. */
  seek(partition: TopicPartition, offset: number): void {
    if (!Number.isSafeInteger(offset) || offset < 0) throw new TypeError(`offset ${offset}`)
    this.#fetcher.seek(this.#readingOf(partition), offset)
  }

  /** Gives no records of these partitions (default: of all) until `resume`. */
  pause(partitions: readonly TopicPartition[] = this.positions()): void {
    for (const partition of partitions) this.#fetcher.pause(this.#readingOf(partition))
  }

  resume(partitions: readonly TopicPartition[] = this.positions()): void {
    for (const partition of partitions) this.#fetcher.resume(this.#readingOf(partition))
  }

  /** Ends a running iteration. Idempotent. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#options.signal?.removeEventListener('abort', this.#onAbort)
    for (const timer of this.#stopTimers) timer.cancel()
    this.#fetcher.stop()
    this.#onClose(this)
    this.#change.open()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #iterator<T>(next: () => Promise<IteratorResult<T, undefined>>): AsyncIterableIterator<T> {
    return {
      next,
      return: async () => {
        this.#traceEnd()
        this.#fetcher.rest()
        return DONE
      },
      [Symbol.asyncIterator]() {
        return this
      },
    }
  }

  /** Without an `await` where a record is at hand: most of them are. */
  #next(): Promise<IteratorResult<R, undefined>> {
    if (this.#traced !== undefined) this.#traceEnd()
    this.#fetcher.run()
    try {
      const record = this.#take()
      return record === undefined
        ? this.#nextLater()
        : Promise.resolve({ done: false, value: record })
    } catch (error) {
      return rejected(error)
    }
  }

  async #nextLater(): Promise<IteratorResult<R, undefined>> {
    for (;;) {
      if (this.#isClosed || !(await this.#isStarted())) return DONE
      const record = this.#take()
      if (record !== undefined) return { done: false, value: record }
      if (this.#isOver) return DONE
      await this.#change.passed
    }
  }

  /** @returns false when the consumer was closed meanwhile */
  async #isStarted(): Promise<boolean> {
    try {
      await this.start({ signal: this.#options.signal })
    } catch (error) {
      if (!this.#isClosed) throw error
    }
    return !this.#isClosed
  }

  async #nextBatch(
    maxRecords: number,
    maxWaitMs: number,
  ): Promise<IteratorResult<ConsumerBatch<R>, undefined>> {
    const first = await this.#next()
    if (first.done) return first
    const records = [first.value]
    const { clock } = this.#cluster
    const deadline = clock.monotonic() + maxWaitMs
    for (;;) {
      this.#takeInto(records, maxRecords)
      const leftMs = deadline - clock.monotonic()
      if (
        records.length === maxRecords ||
        this.#heldError !== undefined ||
        this.#isOver ||
        leftMs <= 0
      )
        break
      await this.#change.passedWithin(leftMs, clock)
    }
    return { done: false, value: { records } }
  }

  #takeInto(records: R[], maxRecords: number): void {
    try {
      while (records.length < maxRecords) {
        const record = this.#take()
        if (record === undefined) return
        records.push(record)
      }
    } catch (error) {
      this.#heldError = error
    }
  }

  /** @returns the next record at hand; the position is then past it */
  #take(): R | undefined {
    if (this.#isClosed) return undefined
    if (this.#heldError !== undefined) {
      const error = this.#heldError
      this.#heldError = undefined
      throw error as Error
    }
    const fetched = this.#fetcher.take()
    if (fetched === undefined) return undefined
    const { reading, view } = fetched
    try {
      const record = recordOf(fetched) as R
      reading.position = view.offset + 1
      if (tracing.start.hasSubscribers) this.#traceStart(record)
      return record
    } catch (error) {
      this.#fetcher.seek(reading, view.offset)
      throw error
    }
  }

  get #isOver(): boolean {
    return this.#isClosed || this.#fetcher.readings.every(({ isDone }) => isDone)
  }

  #readingOf(partition: TopicPartition): Reading {
    const reading = this.#readings.get(partitionText(partition))
    if (reading !== undefined) return reading
    throw new KafkaError(
      'UNKNOWN_TOPIC_OR_PARTITION',
      `${partitionText(partition)} is not being read; before start() none is`,
    )
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
    )
    const { from = 'latest', until } = this.#options
    await Promise.all(
      readable.map(async (reading) => {
        const start = await bounds.start(reading.where, atPartition(from, reading.where))
        reading.seek(start)
        if (until !== undefined)
          await this.#stopAt(reading, atPartition(until, reading.where), bounds)
      }),
    )
    for (const reading of readable) this.#add(reading)
    if (!this.#isClosed) this.#fetcher.run()
  }

  #add(reading: Reading): void {
    this.#readings.set(partitionText(reading.where), reading)
    this.#fetcher.add(reading)
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
    return readings.filter(({ where }) => !this.#readings.has(partitionText(where)))
  }

  async #stopAt(reading: Reading, at: StopAt, bounds: Bounds): Promise<void> {
    const delayMs = at instanceof Date ? at.getTime() - this.#cluster.clock.now() : 0
    if (delayMs <= 0) reading.stopOffset = await bounds.stop(reading.where, at)
    else this.#stopLater(reading, at, delayMs)
  }

  /** What is at or after a time to come is known when it has come. */
  #stopLater(reading: Reading, at: StopAt, delayMs: number): void {
    const timer = this.#cluster.clock.after(Math.min(delayMs, TIMER_MS_MAX), () => {
      this.#stopTimers.delete(timer)
      const bounds = new Bounds(this.#cluster, this.#cluster.call({}), [reading.where])
      this.#stopAt(reading, at, bounds).then(
        () => this.#change.open(),
        (error: KafkaError) => this.#fetcher.report(reading, error),
      )
    })
    this.#stopTimers.add(timer)
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
        this.#add(reading)
      }
    } catch (error) {
      this.#cluster.options.logger?.warn({ error, topic: name }, 'metadata is not to be had')
    } finally {
      this.#refreshing.delete(name)
    }
  }

  #traceStart(record: R): void {
    this.#traced = { record }
    tracing.start.publish(this.#traced)
  }

  #traceEnd(): void {
    if (this.#traced === undefined) return
    tracing.end.publish(this.#traced)
    this.#traced = undefined
  }
}

async function rejected(error: unknown): Promise<never> {
  throw error
}

const DONE = { done: true, value: undefined } as const

/** Beyond it a timer of Node fires at once. */
const TIMER_MS_MAX = 0x7fffffff

/** Opens again and again; who waits passes at the next opening. */
class Gate {
  passed!: Promise<void>
  #pass!: () => void

  constructor() {
    this.#renew()
  }

  open(): void {
    this.#pass()
    this.#renew()
  }

  async passedWithin(delayMs: number, clock: Clock): Promise<void> {
    let timer: Timer | undefined
    const over = new Promise<void>((resolve) => (timer = clock.after(delayMs, resolve)))
    await Promise.race([this.passed, over])
    timer?.cancel()
  }

  #renew(): void {
    this.passed = new Promise((resolve) => (this.#pass = resolve))
  }
}

function recordOf({ reading, view }: Fetched): ConsumerRecord {
  const { topic, partition } = reading
  const { offset, timestamp, headers } = view
  const key = field(reading, offset, 'key', topic.key, view.key)
  const value = field(reading, offset, 'value', topic.value, view.value)
  return { topic: topic.name, partition, offset, timestamp, key, value, headers }
}

/** @throws {KafkaError} INVALID_RECORD when the serde refuses */
function field(
  reading: Reading,
  offset: number,
  name: string,
  serde: Serde<any>,
  bytes: Buffer | null,
): any {
  if (bytes === null && serde.nullable) return null
  try {
    if (bytes === null) throw new TypeError('it is null; orNull() in its topic() would allow it')
    return serde.deserialize(bytes)
  } catch (error) {
    const where = `${partitionText(reading.where)} offset ${offset}`
    throw new KafkaError('INVALID_RECORD', `${where}: ${name}: ${(error as Error).message}`, {
      cause: error,
    })
  }
}
