// GroupConsumer: a member of a consumer group. The group assigns partitions to it; it commits what its reader has
// done.
// Heartbeats, fetching ahead and commits run beside the reader's code and never wait for it.

import { KafkaError } from '../../protocol/errors.ts'
import { callOptions, type CallOptions, type Closeable } from '../call.ts'
import type { Timer } from '../clock.ts'
import type { Cluster, TopicMetadata } from '../cluster/cluster.ts'
import { isTraced, traced } from '../consumer/consume-tracing.ts'
import { batchOptions, type BatchOptions } from '../consumer/consumer.ts'
import type { Fetched } from '../consumer/fetcher.ts'
import { Assignment } from './assignment.ts'
import { ClassicMembership } from './classic-membership.ts'
import { Commits, placesOf, type CommitOptions } from './commits.ts'
import { Coordinator } from './coordinator.ts'
import { Failures } from './failures.ts'
import { GroupEnd } from './group-end.ts'
import type { RecordPlace } from './in-hand.ts'
import { KeyedPool } from './keyed-pool.ts'
import type { Membership } from './membership.ts'
import { keyOf, withSignal } from './group-record.ts'
import {
  commitOptions,
  groupConsumerOptions,
  classicMembershipOptions,
  runOptions,
  type GroupBatch,
  type GroupConsumerOptions,
  type GroupRecord,
  type RunOptions,
} from './group-options.ts'
import type { Progress } from './progress.ts'
import { ProgressTable, type SignalledPlace } from './progress-table.ts'
import { Starts } from './starts.ts'
import { callback, checked, milliseconds } from '../options.ts'
import type { Reading } from '../consumer/reading.ts'
import {
  DONE,
  RecordStream,
  type Delivery,
  type PauseOptions,
  type Position,
} from '../consumer/record-stream.ts'
import { TopicSelection } from '../consumer/topic-selection.ts'
import { recordPlace, type ConsumerRecord, type TopicPartition } from '../topic.ts'
import type { OffsetsInTransaction } from './offsets-in-transaction.ts'

/**
 * Iterate it: `for await (const record of consumer)`. It joins the group when the iteration begins, and stays a
 * member until `close` or `await using`, which commits what is done and leaves.
 */
export class GroupConsumer<R extends ConsumerRecord<string, any, any> = ConsumerRecord>
  implements AsyncIterable<GroupRecord<R>>, AsyncDisposable
{
  readonly #cluster: Cluster
  readonly #options: GroupConsumerOptions
  readonly #selection: TopicSelection
  readonly #onClose: (self: Closeable) => void
  readonly #stream: RecordStream<GroupRecord<R>>
  readonly #coordinator: Coordinator
  readonly #membership: Membership
  readonly #starts: Starts
  readonly #commits: Commits
  /** Only with `until`. */
  readonly #end: GroupEnd | undefined
  readonly #progress: ProgressTable
  readonly #assignment: Assignment
  readonly #failures: Failures
  readonly #onAbort = (): void => void this.#closeOnce(true)
  readonly #isAuto: boolean
  /** In `run` a record is done when its handler is; in a loop, when the loop asks for the next one. */
  #pool: KeyedPool | undefined
  #started: Promise<void> | undefined
  #failure: { readonly error: unknown } | undefined
  #pollTimer: Timer | undefined
  #closing: Promise<void> | undefined

  /** @internal Use `client.consumer({ group })`. */
  constructor(cluster: Cluster, given: GroupConsumerOptions, onClose: (self: Closeable) => void) {
    const options = checked('client.consumer', groupConsumerOptions, given)
    this.#cluster = cluster
    this.#options = options
    this.#selection = new TopicSelection(cluster, options.topics)
    this.#onClose = onClose
    this.#isAuto = options.commit !== 'manual'
    this.#failures = new Failures(cluster, options.group, options.onError)
    this.#progress = new ProgressTable(this.#failures.hasDeadLetters)
    this.#stream = this.#newStream()
    this.#coordinator = new Coordinator(cluster, options.group)
    this.#membership = this.#newMembership()
    const { from = 'latest', isolation } = options
    this.#starts = new Starts({ ...this.#parts, from, isolation })
    const intervalMs = this.#isAuto ? (options.commitIntervalMs ?? 500) : undefined
    this.#commits = new Commits({ ...this.#parts, intervalMs })
    this.#end = this.#newEnd()
    const [stream, commits, starts, end] = [this.#stream, this.#commits, this.#starts, this.#end]
    this.#assignment = new Assignment({ ...this.#parts, options, stream, commits, starts, end })
    options.signal?.addEventListener('abort', this.#onAbort)
    if (options.signal?.aborted) void this.close()
  }

  /** As of a plain consumer. A record is done when the loop asks for the next one. */
  [Symbol.asyncIterator](): AsyncIterableIterator<GroupRecord<R>> {
    return this.#stream.iterator(() => this.#stream.next())
  }

  /** Many records at a time. A batch is done when the loop asks for the next one. */
  batches(options: BatchOptions = {}): AsyncIterableIterator<GroupBatch<GroupRecord<R>>> {
    const taken = checked('consumer.batches', batchOptions, options)
    const { maxRecords = 500, maxWaitMs = 50 } = taken
    type Result = IteratorResult<GroupBatch<GroupRecord<R>>, undefined>
    return this.#stream.iterator(async (): Promise<Result> => {
      const next = await this.#stream.nextBatch(maxRecords, maxWaitMs)
      return next.done ? DONE : { done: false, value: this.#batchOf(next.value) }
    })
  }

  /**
   * Calls `handle` for each record, several side by side if `concurrency` allows, until the consumer closes or
   * reaches its end.
   *
   * @throws the first error of `handle` that `onError` does not handle, once the other running handlers have ended;
   *   the failed record is not committed
   */
  async run(handle: (record: GroupRecord<R>) => unknown, options: RunOptions = {}): Promise<void> {
    checked('consumer.run', callback(), handle, 'handle')
    const { concurrency = 1 } = checked('consumer.run', runOptions, options)
    const over = new AbortController()
    const pool = new KeyedPool(concurrency, () => {
      over.abort()
      this.#stream.wake()
    })
    this.#pool = pool
    try {
      this.#stream.run()
      for (;;) {
        await pool.room()
        this.#heardFromReader()
        const given = pool.hasFailed ? undefined : await this.#stream.takeLater()
        if (given === undefined) break
        pool.start(keyOf(given), () => this.#handle(given, handle, over.signal))
      }
    } catch (error) {
      over.abort()
      throw error
    } finally {
      await pool.idle()
      this.#progress.abandon()
      this.#pool = undefined
    }
    pool.throwFirst()
  }

  /**
   * Returns a record of the loop: it is not done. It comes again after the pause of `onError`, with `attempt` one
   * higher, and its partition gives no other record meanwhile. After `onError.retry` retries it becomes a dead
   * letter.
   *
   * @param error the reason, which the dead letter names
   * @throws the error, when there is neither a retry left nor a dead letter topic; {TypeError} for a record that is
   *   not among the last ones of the loop
   */
  async nack(record: GroupRecord<R>, error: unknown = new Error('handed back')): Promise<void> {
    checked('consumer.nack', recordPlace, record, 'record')
    const { progress, view } = this.#progress.take(record)
    const given = { reading: progress.reading, record, view }
    progress.hold(record.offset, 'buried')
    try {
      const retryDefault = this.#options.onError === undefined ? Infinity : 0
      const failure = { error, attempts: record.attempt }
      const delayMs = await this.#failures.judge(given, failure, retryDefault)
      if (delayMs === undefined) progress.finished(record.offset)
      else this.#redeliver(progress, given, record.attempt + 1, delayMs)
    } catch (cause) {
      progress.hold(record.offset, 'waits')
      throw cause
    }
  }

  /**
   * Postpones a record of the loop: it comes again after `delayMs` with the same `attempt`, and its partition gives
   * no other record meanwhile.
   *
   * @throws {TypeError} for a record that is not among the last ones of the loop
   */
  defer(record: GroupRecord<R>, delayMs: number): void {
    checked('consumer.defer', recordPlace, record, 'record')
    checked('consumer.defer', milliseconds(), delayMs, 'delayMs')
    const { progress, view } = this.#progress.take(record)
    const given = { reading: progress.reading, record, view }
    this.#redeliver(progress, given, record.attempt, delayMs)
  }

  /** Looks up the topics and starts to join now instead of when the iteration begins. */
  async start(options: CallOptions = {}): Promise<void> {
    const call = this.#cluster.call(checked('consumer.start', callOptions, options))
    this.#started ??= this.#start(options)
    await call.wait(this.#started)
  }

  /**
   * Rejoins the group with the current topics and the current `subscriptionUserData` of the assignor. If either has
   * changed, the group assigns again.
   */
  rejoin(): void {
    this.#membership.rejoin()
  }

  /** The partitions that the group has assigned to this member. */
  assignment(): TopicPartition[] {
    return this.#stream.readings.map(({ where }) => where)
  }

  positions(): Position[] {
    return this.#stream.positions()
  }

  /**
   * Commits the position after `record`, or after all records given so far. Durable when it resolves.
   *
   * @throws {KafkaError} ILLEGAL_GENERATION: the member has lost the partition, whose new owner starts at the last
   *   commit
   */
  async commit(
    record?: RecordPlace & { readonly signal?: AbortSignal },
    options: CommitOptions = {},
  ): Promise<void> {
    checked('consumer.commit', commitOptions, options)
    if (record !== undefined) checked('consumer.commit', recordPlace, record, 'record')
    const places =
      record === undefined
        ? this.#stream.readings.map(({ where, position }) => ({ ...where, offset: position }))
        : placesOf([record])
    await this.#commits.through(places, options)
  }

  /**
   * The offsets that a transaction commits.
   *
   * @internal Use `transaction.commitOffsetsOf`.
   * @throws {TypeError} when offsets are also committed without the transaction, or out of order
   */
  offsetsInTransaction(): OffsetsInTransaction {
    if (this.#isAuto)
      throw new TypeError("offsets in a transaction: the consumer needs commit: 'manual'")
    if (this.#pool !== undefined && this.#pool.size > 1)
      throw new TypeError(
        'offsets in a transaction: run() with concurrency ends records out of order',
      )
    return this.#commits.inTransaction()
  }

  /** Moves the position in an assigned partition to `offset`. */
  seek(partition: TopicPartition, offset: number): void {
    this.#stream.seek(partition, offset)
    this.#progress.at(partition)?.forget()
  }

  /** Gives no records of these partitions (default: all) until `resume`, or for a limited time; they stay assigned. */
  pause(
    partitions: readonly TopicPartition[] = this.positions(),
    options: PauseOptions = {},
  ): void {
    this.#stream.pause(partitions, options)
  }

  resume(partitions: readonly TopicPartition[] = this.positions()): void {
    this.#stream.resume(partitions)
  }

  /**
   * Ends the iteration, commits what is done and leaves the group. Waits for the handlers of `run`, but not for a
   * loop body, which may be the caller: its record counts as not done. To end after it, abort `signal`. Idempotent.
   */
  close(): Promise<void> {
    return this.#closeOnce(this.#pool !== undefined)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  // Building

  #newStream(): RecordStream<GroupRecord<R>> {
    return new RecordStream(this.#cluster, this.#options, {
      recordOf: (fetched) => withSignal(fetched) as unknown as GroupRecord<R>,
      keepsViews: true,
      start: () => this.#startOrFail(),
      isOver: () => this.#isOver,
      onPoll: () => this.#polled(),
      onLeft: () => this.#progress.abandonInHand(),
      onDelivery: ({ reading, view }) =>
        this.#progress.given(reading, view, this.#pool === undefined),
      onUnreadable: (fetched, error) => this.#isBuried(fetched, error),
      onStale: (topic) => void this.#cluster.refresh(topic).catch(() => {}), // the next fetch asks again
      onMoved: (reading) => this.#progress.add(reading, -1),
      isGone: (reading) => this.#isGone(reading),
    })
  }

  /** The dependencies that the parts of a member share. */
  get #parts() {
    return {
      cluster: this.#cluster,
      coordinator: this.#coordinator,
      selection: this.#selection,
      progress: this.#progress,
      member: () => this.#membership.state,
    }
  }

  #newMembership(): Membership {
    return new ClassicMembership(
      this.#cluster,
      this.#coordinator,
      classicMembershipOptions(this.#options, () => this.#selection.names),
      {
        joining: () => this.#joining(),
        hasOtherTopics: () => this.#hasOtherTopics(),
        assigned: (partitions) => this.#assignment.assigned(partitions),
        revoked: (partitions) => this.#assignment.revoked(partitions),
        lost: (partitions) => this.#assignment.lost(partitions),
        failed: (error) => this.#fail(error),
      },
    )
  }

  #newEnd(): GroupEnd | undefined {
    const { until, isolation, heartbeatIntervalMs = 3000 } = this.#options
    if (until === undefined) return undefined
    return new GroupEnd({
      cluster: this.#cluster,
      coordinator: this.#coordinator,
      until,
      isolation,
      memberId: () => this.#membership.state.memberId,
      owned: () => this.assignment(),
      intervalMs: heartbeatIntervalMs,
      onHandedOut: () => this.#stream.wake(),
    })
  }

  // Starting and ending

  async #start(options: CallOptions): Promise<void> {
    const call = this.#cluster.call(options)
    const found = await this.#selection.find(call)
    await this.#end?.start(found.flatMap(partitionsIn), call)
    this.#membership.start()
    this.#commits.start()
  }

  async #startOrFail(): Promise<void> {
    if (this.#closing !== undefined) return // the stream ends once everything is committed
    await this.start({ signal: this.#options.signal })
    if (this.#failure !== undefined) throw this.#failure.error as Error
  }

  get #isOver(): boolean {
    if (this.#pool?.hasFailed) return true
    if (this.#end === undefined || this.#failure !== undefined || !this.#assignment.isComplete)
      return false
    return this.#stream.readings.every(({ isDone }) => isDone) && this.#end.isHandedOut()
  }

  #fail(error: unknown): void {
    this.#failure = { error }
    this.#stream.wake()
  }

  #closeOnce(waitsForReader: boolean): Promise<void> {
    this.#closing ??= this.#close(waitsForReader)
    return this.#closing
  }

  async #close(waitsForReader: boolean): Promise<void> {
    if (!waitsForReader) this.#progress.abandonInHand()
    this.#options.signal?.removeEventListener('abort', this.#onAbort)
    for (const { reading } of this.#progress) reading.release()
    this.#stream.wake()
    this.#pollTimer?.cancel()
    this.#commits.stop()
    this.#end?.close()
    await this.#membership.close()
    this.#stream.close()
    await this.#failures.close()
    this.#coordinator.close()
    this.#onClose(this)
  }

  // What the group decides

  async #joining(): Promise<void> {
    await this.#lookForTopics()
    await this.#starts.look()
  }

  async #lookForTopics(): Promise<void> {
    if (this.#selection.isStale) await this.#selection.find(this.#cluster.call({}))
  }

  async #hasOtherTopics(): Promise<boolean> {
    const before = new Set(this.#selection.names)
    await this.#lookForTopics()
    const { names } = this.#selection
    return names.length !== before.size || names.some((name) => !before.has(name))
  }

  /** Was a topic of a pattern deleted? The group then rebalances without it. */
  #isGone({ topic }: Reading): boolean {
    if (!this.#selection.isMatched(topic.name)) return false
    if (this.#selection.forget(topic.name)) this.#membership.rejoin()
    return true
  }

  // What the reader does

  #redeliver(
    progress: Progress,
    given: Delivery<GroupRecord<R>>,
    attempt: number,
    delayMs: number,
  ): void {
    progress.hold(given.view.offset, 'waits')
    if (!this.#progress.isCurrent(progress)) return // another member handles the record
    this.#stream.redeliver({ ...given, record: { ...given.record, attempt } }, delayMs)
  }

  /** Writes an unreadable record as a dead letter. @returns false when there is no topic for them */
  #isBuried(fetched: Fetched, error: unknown): boolean {
    const isRefused = error instanceof KafkaError && error.code === 'INVALID_RECORD'
    if (!isRefused || !this.#failures.hasDeadLetters) return false
    const { reading, view } = fetched
    const progress = this.#progress.of(reading)!
    progress.hold(view.offset, 'buried')
    this.#failures.bury(fetched, error).then(
      () => progress.finished(view.offset),
      (cause: unknown) => {
        progress.hold(view.offset, 'waits')
        this.#stream.fail(cause)
      },
    )
    return true
  }

  #polled(): void {
    this.#heardFromReader()
    this.#progress.finishInHand()
  }

  #heardFromReader(): void {
    const { maxPollIntervalMs } = this.#options
    if (maxPollIntervalMs === undefined || this.#closing !== undefined) return
    this.#pollTimer?.cancel()
    this.#pollTimer = this.#cluster.clock.after(maxPollIntervalMs, () => {
      const what = `nothing was asked for in maxPollIntervalMs (${maxPollIntervalMs} ms): the member has left its group`
      this.#progress.abandonInHand()
      this.#fail(new KafkaError('UNKNOWN_MEMBER_ID', what, { fatal: true }))
      void this.#membership.close()
    })
  }

  async #handle(
    given: Delivery<GroupRecord<R>>,
    handle: (record: GroupRecord<R>) => unknown,
    over: AbortSignal,
  ): Promise<void> {
    const { reading, record, view } = given
    const progress = this.#progress.of(reading)
    if (record.signal.aborted || progress === undefined) return // the member lost the partition while the record waited
    try {
      await (isTraced() ? traced(record, () => handle(record)) : handle(record))
      progress.finished(view.offset)
    } catch (error) {
      const again = (each: GroupRecord<R>): unknown => {
        this.#heardFromReader()
        return handle(each)
      }
      const isDone = await this.#failures.handleAgain(given, again, error, over)
      if (isDone) progress.finished(view.offset)
      else progress.leave(view.offset)
    }
  }

  #batchOf(batch: readonly Delivery<GroupRecord<R>>[]): GroupBatch<GroupRecord<R>> {
    const lasts = new Map<AbortSignal, SignalledPlace>()
    for (const { record } of batch) lasts.set(record.signal, record)
    const signals = [...lasts.keys()]
    const places = [...lasts.values()]
    return {
      records: batch.map(({ record }) => record),
      signal: signals.length === 1 ? signals[0]! : AbortSignal.any(signals),
      commit: async (options = {}) =>
        this.#commits.through(placesOf(places), checked('batch.commit', commitOptions, options)),
    }
  }
}

function partitionsIn({ name, partitions }: TopicMetadata): TopicPartition[] {
  return partitions.map(({ partition }) => ({ topic: name, partition }))
}
