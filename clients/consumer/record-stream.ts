// RecordStream: records in order from the partitions that its owner adds, fetched ahead, one by one or many at a
// time. A plain consumer and a member of a group share it. It never waits for user code.

import { types } from 'node:util'
import { KafkaError } from '../../protocol/errors.ts'
import { type Bounds, type StopAt } from './bounds.ts'
import { rejection, withCaller } from '../caller.ts'
import type { Clock, Timer } from '../clock.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { ConsumeTracing } from './consume-tracing.ts'
import type { ConsumerOptions } from './consumer.ts'
import { Fetcher, type Fetched, type StoredRecord } from './fetcher.ts'
import { checked, listOf, milliseconds, shape, whole } from '../options.ts'
import { LazyBatch } from './lazy-batch.ts'
import type { Reading } from './reading.ts'
import { HeldRecords } from './held-records.ts'
import { preparationToRead } from '../preparation.ts'
import { thrownText } from '../shown.ts'
import {
  partitionText,
  topicPartition,
  type ConsumerRecord,
  type TopicPartition,
} from '../topic.ts'

/** A consumer's position in a partition. */
export interface Position extends TopicPartition {
  /** Of the next record. */
  readonly offset: number
  /**
   * Offset after the last readable record (with isolation `committed`: the last stable offset), by the last response;
   * -1: no response yet.
   */
  readonly highWatermark: number
}

export interface PauseOptions {
  /** Resumes by itself after this time. Default: never. */
  readonly forMs?: number | undefined
}

/** The consumer or member that owns the stream's partitions. */
export interface StreamOwner<R> {
  recordOf(fetched: Fetched): R
  /** Does the owner use a `view` after it has made the record of it? */
  readonly keepsViews: boolean
  /** Makes sure that there are partitions to read; the stream awaits it before it waits for a record. */
  start(): Promise<void>
  /** No further record will come. */
  isOver(): boolean
  /** The reader asks for more: it has handled all records that it got before. */
  onPoll?(): void
  /** The reader has left its loop, perhaps before it handled the last record. */
  onLeft?(): void
  /** The reader gets this record. */
  onDelivery?(given: Delivery<R>): void
  /** A serde refused the record. @returns false if the reader gets the error */
  onUnreadable?(fetched: Fetched, error: unknown): boolean
  /** The metadata of the topic is out of date. */
  onStale(topic: string): void
  /** The topic no longer exists. @returns false if the reader gets the error */
  isGone(reading: Reading): boolean
  /** The topic was recreated: the partition's position has changed. */
  onMoved?(reading: Reading): void
}

export interface Delivery<R> {
  readonly reading: Reading
  readonly record: R
  readonly view: StoredRecord
}

const partitionsRule = listOf(topicPartition)
const pauseOptions = shape<PauseOptions>({ forMs: milliseconds() })

export class RecordStream<R extends ConsumerRecord<string, any, any>> {
  readonly #cluster: Cluster
  readonly #owner: StreamOwner<R>
  readonly #fetcher: Fetcher
  readonly #readings = new Map<string, Reading>()
  readonly #stopTimers = new Set<Timer>()
  #change = new Gate()
  #isClosed = false
  /** An error met while a batch was filled: thrown after that batch. */
  #heldError: unknown
  readonly #redeliveries: HeldRecords<Delivery<R>>
  readonly #preparing: HeldRecords<Preparing>
  /** Timers of the pauses that end by themselves. */
  readonly #pauseTimers = new Map<Reading, Timer>()
  readonly #tracing = new ConsumeTracing()

  constructor(cluster: Cluster, options: ConsumerOptions, owner: StreamOwner<R>) {
    this.#cluster = cluster
    this.#owner = owner
    this.#fetcher = new Fetcher(cluster, {
      prefetchBytes: options.prefetchBytes ?? 16 * 1024 * 1024,
      partitionBytesMax: options.partitionBytesMax ?? 1024 * 1024,
      fetchBytesMin: options.fetchBytesMin ?? 1,
      fetchWaitMs: options.fetchWaitMs ?? 500,
      isolation: options.isolation ?? 'uncommitted',
      outOfRange: options.outOfRange ?? 'nearest',
      onChange: () => this.#change.open(),
      onStale: (topic) => owner.onStale(topic),
      onMoved: (reading) => {
        this.#dropHeld(reading)
        owner.onMoved?.(reading)
      },
      isGone: (reading) => owner.isGone(reading),
    })
    const holding = {
      hold: (reading: Reading) => this.#fetcher.hold(reading),
      letGo: (reading: Reading) => this.#fetcher.letGo(reading),
      onDue: () => this.#change.open(),
    }
    this.#redeliveries = new HeldRecords(holding)
    this.#preparing = new HeldRecords(holding)
  }

  /** Gives the record again after `delayMs`, before all later records of its partition. */
  redeliver(given: Delivery<R>, delayMs: number): void {
    const { clock } = this.#cluster
    this.#redeliveries.add(given, (due) => clock.after(Math.max(0, delayMs), due))
  }

  /** The reader's next call throws this. */
  fail(error: unknown): void {
    this.#heldError ??= error
    this.#change.open()
  }

  get readings(): readonly Reading[] {
    return this.#fetcher.readings
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /** Ends the waits, so that they check `isOver` again. */
  wake(): void {
    this.#change.open()
  }

  has(partition: TopicPartition): boolean {
    return this.#readings.has(partitionText(partition))
  }

  get(partition: TopicPartition): Reading | undefined {
    return this.#readings.get(partitionText(partition))
  }

  add(reading: Reading): void {
    this.#readings.set(partitionText(reading.where), reading)
    this.#fetcher.add(reading)
  }

  /** Gives no more records of the partition, and drops its fetched bytes. */
  remove(reading: Reading): void {
    this.#readings.delete(partitionText(reading.where))
    this.#dropHeld(reading)
    this.#endPause(reading)
    this.#fetcher.remove(reading)
  }

  run(): void {
    if (!this.#isClosed) this.#fetcher.run()
  }

  positions(): Position[] {
    return this.readings.map(({ where, position, endOffset }) => ({
      ...where,
      offset: position,
      highWatermark: endOffset,
    }))
  }

  seek(partition: TopicPartition, offset: number): void {
    checked('consumer.seek', topicPartition, partition, 'partition')
    checked('consumer.seek', whole(0, Number.MAX_SAFE_INTEGER), offset, 'offset')
    const reading = this.#readingOf(partition)
    this.#dropHeld(reading)
    this.#fetcher.seekTo(reading, offset)
  }

  /** The last `pause` or `resume` of a partition counts. */
  pause(partitions: readonly TopicPartition[], options: PauseOptions): void {
    const { forMs } = checked('consumer.pause', pauseOptions, options)
    for (const partition of checked('consumer.pause', partitionsRule, partitions, 'partitions')) {
      const reading = this.#readingOf(partition)
      this.#endPause(reading)
      this.#fetcher.pause(reading)
      if (forMs !== undefined) this.#pauseTimers.set(reading, this.#resumeAfter(reading, forMs))
    }
  }

  resume(partitions: readonly TopicPartition[]): void {
    for (const partition of checked('consumer.resume', partitionsRule, partitions, 'partitions'))
      this.#resume(this.#readingOf(partition))
  }

  #resumeAfter(reading: Reading, forMs: number): Timer {
    return this.#cluster.clock.after(forMs, () => this.#resume(reading))
  }

  #resume(reading: Reading): void {
    this.#endPause(reading)
    this.#fetcher.resume(reading)
  }

  #endPause(reading: Reading): void {
    this.#pauseTimers.get(reading)?.cancel()
    this.#pauseTimers.delete(reading)
  }

  /** Looks up where the partition ends; the end of the partition is then no error. */
  async stopAt(reading: Reading, at: StopAt, boundsOf: () => Bounds): Promise<void> {
    const delayMs = types.isDate(at) ? at.getTime() - this.#cluster.clock.now() : 0
    if (delayMs <= 0) reading.stopOffset = await boundsOf().stop(reading.where, at)
    else this.#stopLater(reading, at, delayMs, boundsOf)
  }

  close(): void {
    this.#isClosed = true
    for (const timer of [...this.#stopTimers, ...this.#pauseTimers.values()]) timer.cancel()
    this.#redeliveries.close()
    this.#preparing.close()
    this.#fetcher.stop()
    this.#change.open()
  }

  iterator<T>(next: () => Promise<IteratorResult<T, undefined>>): AsyncIterableIterator<T> {
    return {
      next,
      return: async () => {
        this.#tracing.leave()
        this.#owner.onLeft?.()
        this.#fetcher.idle()
        return DONE
      },
      [Symbol.asyncIterator]() {
        return this
      },
    }
  }

  /** Without an `await` if a record is buffered, as most are. */
  next(): Promise<IteratorResult<R, undefined>> {
    this.#polled()
    try {
      const given = this.take()
      return given === undefined ? this.#nextLater() : Promise.resolve(this.#resultOf(given))
    } catch (error) {
      return rejection(error)
    }
  }

  async #nextLater(): Promise<IteratorResult<R, undefined>> {
    try {
      const given = await this.takeLater()
      return given === undefined ? DONE : this.#resultOf(given)
    } catch (error) {
      throw withCaller(error)
    }
  }

  #resultOf({ record }: Delivery<R>): IteratorYieldResult<R> {
    this.#tracing.start(record)
    return { done: false, value: record }
  }

  /** Waits for a record. @returns undefined when no further one will come */
  takeLater(): Promise<Delivery<R> | undefined> {
    return this.#later(() => this.take())
  }

  /** Waits until `take` returns something. @returns undefined when no further record will come */
  async #later<T>(take: () => T | undefined): Promise<T | undefined> {
    let alive: Timer | undefined
    try {
      for (;;) {
        if (this.#isClosed || !(await this.#isStarted())) return undefined
        this.#fetcher.run()
        const given = take()
        if (given !== undefined) return given
        if (this.#isClosed || this.#owner.isOver()) return undefined
        // Sockets and a signal's timer may be unreferenced: without this timer Node would end the process with status
        // 13.
        alive ??= this.#cluster.clock.after(TIMER_MS_MAX, () => {})
        await this.#change.passed
      }
    } finally {
      alive?.cancel()
    }
  }

  async nextBatch(
    maxRecords: number,
    maxWaitMs: number,
  ): Promise<IteratorResult<readonly Delivery<R>[], undefined>> {
    this.#polled()
    const first = this.take() ?? (await this.takeLater())
    if (first === undefined) return DONE
    const batch = [first]
    const { clock } = this.#cluster
    const deadline = clock.monotonic() + maxWaitMs
    for (;;) {
      this.#takeInto(batch, maxRecords)
      const leftMs = deadline - clock.monotonic()
      const isFull = batch.length === maxRecords
      if (isFull || this.#heldError !== undefined || this.#owner.isOver() || leftMs <= 0) break
      await this.#change.passedWithin(leftMs, clock)
    }
    this.#tracing.startAll(batch)
    return { done: false, value: batch }
  }

  /**
   * A lazy batch of one partition. It passes by the owner, the serdes and tracing.
   *
   * @returns a batch that stands at its first record
   */
  async nextLazy(): Promise<IteratorResult<LazyBatch, undefined>> {
    this.#polled()
    const batch = this.#takeLazy() ?? (await this.#later(() => this.#takeLazy()))
    return batch === undefined ? DONE : { done: false, value: batch }
  }

  #takeLazy(): LazyBatch | undefined {
    if (this.#isClosed) return undefined
    const reading = this.#fetcher.next()
    if (reading === undefined) return undefined
    const step = (): boolean => {
      if (this.#isClosed || !this.#fetcher.nextOf(reading)) return false
      reading.position = reading.cursor!.offset + 1
      return true
    }
    reading.position = reading.cursor!.offset + 1
    const refetch = (): void => this.#fetcher.seek(reading, reading.position)
    return new LazyBatch(reading, step, refetch)
  }

  /** @returns the next buffered record; the position is then past it */
  take(): Delivery<R> | undefined {
    if (this.#isClosed) return undefined
    if (this.#heldError !== undefined) {
      const error = this.#heldError
      this.#heldError = undefined
      throw error as Error
    }
    const again = this.#redeliveries.take()
    if (again !== undefined) {
      this.#owner.onDelivery?.(again)
      return again
    }
    for (;;) {
      const prepared = this.#preparing.take()
      const reading = prepared?.reading ?? this.#fetcher.next()
      if (reading === undefined) return undefined
      const view = prepared?.view ?? this.#viewOf(reading)
      if (reading.isPrepared && prepared === undefined && this.#prepare(reading, view)) continue
      const given = this.#givenOf(reading, view, prepared?.failure)
      if (given === undefined) continue
      this.#owner.onDelivery?.(given)
      return given
    }
  }

  /**
   * @returns the record as the owner needs it; a cursor is cheaper than a view, but only valid until the next record
   */
  #viewOf({ cursor, isPrepared }: Reading): StoredRecord {
    return this.#owner.keepsViews || isPrepared ? cursor!.view() : cursor!
  }

  /**
   * @returns false when the serdes can read the record at once; else the record is held until they have looked up
   *   what they need
   */
  #prepare(reading: Reading, view: Fetched['view']): boolean {
    const preparing: Preparing = { reading, view, failure: undefined }
    const fail = (error: unknown): void => void (preparing.failure = { error })
    const preparation = preparationOf(preparing)
    if (preparation === undefined) return false
    const abandoned = new AbortController()
    const call = this.#cluster.call({ signal: abandoned.signal })
    this.#preparing.add(preparing, (due) => {
      void call.wait(preparation).catch(fail).then(due)
      return { cancel: () => abandoned.abort() }
    })
    return true
  }

  #dropHeld(reading: Reading): void {
    this.#redeliveries.drop(reading)
    this.#preparing.drop(reading)
  }

  /** @returns undefined when the owner has handled an unreadable record; the position is past it */
  #givenOf(
    reading: Reading,
    view: StoredRecord,
    failure: Failure | undefined,
  ): Delivery<R> | undefined {
    const { offset } = view
    const given = { reading, record: undefined as unknown as R, view } // one object, because every record pays for it
    try {
      if (failure !== undefined) throw unprepared(given, failure.error)
      given.record = this.#owner.recordOf(given)
      reading.position = offset + 1
      return given
    } catch (error) {
      if (this.#owner.onUnreadable?.(given, error) === true) {
        reading.position = offset + 1
        return undefined
      }
      this.#fetcher.seek(reading, offset)
      throw error
    }
  }

  /** @returns false when the stream was closed meanwhile */
  async #isStarted(): Promise<boolean> {
    try {
      await this.#owner.start()
    } catch (error) {
      if (!this.#isClosed) throw error
    }
    return !this.#isClosed
  }

  #polled(): void {
    this.#tracing.end()
    this.#owner.onPoll?.()
    this.#fetcher.run()
  }

  #takeInto(batch: Delivery<R>[], maxRecords: number): void {
    try {
      while (batch.length < maxRecords) {
        const given = this.take()
        if (given === undefined) return
        batch.push(given)
      }
    } catch (error) {
      this.#heldError = error
    }
  }

  #readingOf(partition: TopicPartition): Reading {
    const reading = this.get(partition)
    if (reading !== undefined) return reading
    throw new KafkaError(
      'UNKNOWN_TOPIC_OR_PARTITION',
      `${partitionText(partition)} is not being read; before start() none is`,
    )
  }

  /** The first record at or after a future time can be known only when that time has come. */
  #stopLater(reading: Reading, at: StopAt, delayMs: number, boundsOf: () => Bounds): void {
    const timer = this.#cluster.clock.after(Math.min(delayMs, TIMER_MS_MAX), () => {
      this.#stopTimers.delete(timer)
      this.stopAt(reading, at, boundsOf).then(
        () => this.#change.open(),
        (error: KafkaError) => this.#fetcher.report(reading, error),
      )
    })
    this.#stopTimers.add(timer)
  }
}

export const DONE = { done: true, value: undefined } as const

/** The longest delay of a Node timer; a longer one fires at once. */
const TIMER_MS_MAX = 0x7fffffff

/** A gate that opens again and again; a waiter passes at the next opening. */
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

/** A record whose serdes look something up first, and the error of that look-up. */
interface Preparing extends Fetched {
  failure: Failure | undefined
}

interface Failure {
  readonly error: unknown
}

/** An error that a serde throws is treated like a rejected promise. */
function preparationOf({ reading, view }: Fetched): Promise<unknown> | undefined {
  try {
    return preparationToRead(reading.topic, view)
  } catch (error) {
    return rejection(error)
  }
}

/** A KafkaError keeps its code: a schema registry that cannot be reached proves nothing against the record. */
function unprepared({ reading, view }: Fetched, cause: unknown): KafkaError {
  const code = cause instanceof KafkaError ? cause.code : 'INVALID_RECORD'
  const where = `${partitionText(reading.where)} offset ${view.offset}`
  return new KafkaError(code, `${where}: its serde is not prepared: ${thrownText(cause)}`, {
    cause,
  })
}

/** @throws {KafkaError} INVALID_RECORD when a serde refuses */
export function recordOf({ reading, view }: Fetched): ConsumerRecord {
  const { topic, partition } = reading
  const { offset, timestamp, headers } = view
  const key = fieldOf(reading, offset, 'key', view.key)
  const value = fieldOf(reading, offset, 'value', view.value)
  return { topic: topic.name, partition, offset, timestamp, key, value, headers }
}

/** @throws {KafkaError} INVALID_RECORD when the topic's serde refuses */
export function fieldOf(
  reading: Reading,
  offset: number,
  name: 'key' | 'value',
  bytes: Buffer | null,
): any {
  const { topic } = reading
  const serde = topic[name]
  if (bytes === null && serde.nullable) return null
  try {
    if (bytes === null) throw new TypeError('it is null; orNull() in its topic() would allow it')
    return serde.deserialize(bytes, topic.name, name)
  } catch (error) {
    const where = `${partitionText(reading.where)} offset ${offset}`
    throw new KafkaError('INVALID_RECORD', `${where}: ${name}: ${(error as Error).message}`, {
      cause: error,
    })
  }
}
