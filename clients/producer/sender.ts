// Sender: sends batches to the leaders of their partitions, in order, with retries, and exactly once if the producer
// is idempotent (KIP-98, KIP-360). A batch, an answer or a timer makes it run.
// Order: a partition has up to `maxInFlight` batches in flight on one socket. After a failure it sends no further
// batch until the others are back; then it sends the failed ones again, one at a time, oldest first. The broker drops
// repetitions by sequence number, and refuses a batch after a gap, so that no later batch overtakes.

import { sequenceAfter } from '../../protocol/batch/sequence.ts'
import { produce } from '../../protocol/api/00_produce.ts'
import { initProducerId } from '../../protocol/api/22_init_producer_id.ts'
import type { Codec } from '../../protocol/compression/index.ts'
import { errorName, KafkaError, type ErrorName } from '../../protocol/errors.ts'
import type { RequestInput, ResponseOf } from '../../protocol/schema.ts'
import type { Accumulator } from './accumulator.ts'
import type { Batch, Identity, PartitionQueue } from './batch.ts'
import { Channel } from './channel.ts'
import type { Call } from '../call.ts'
import { Alarm } from '../alarm.ts'
import { AskedPartitions } from '../cluster/asked-partitions.ts'
import type { Cluster, TopicMetadata } from '../cluster/cluster.ts'
import { tellRetry } from '../events.ts'
import type { Connection } from '../net/connection.ts'
import type { Lane } from '../net/lane.ts'
import { refusalOf } from '../partial-error.ts'
import { thrownText } from '../shown.ts'
import { partitionText } from '../topic.ts'

/** Batches of several partitions share a request of up to about this size. */
const REQUEST_BYTES_MAX = 8 * 1024 * 1024

const EPOCH_MAX = 0x7fff

/** Batches are not made smaller than this: a refusal of smaller ones has another reason. */
const BATCH_BYTES_MIN = 1024

export interface SenderOptions {
  /** -1: all in-sync replicas. */
  readonly acks: -1 | 0 | 1
  readonly compression: Codec
  readonly isIdempotent: boolean
  readonly maxInFlight: number
  readonly deliveryTimeoutMs: number
  /** Aborted when the producer closes: nothing more is sent. */
  readonly signal: AbortSignal
  readonly transaction: SenderTransaction | undefined
}

/**
 * What a transactional producer adds: one identity for all partitions, and the partitions must join the transaction
 * first.
 */
export interface SenderTransaction {
  readonly transactionalId: string
  /** A new object after each change of the epoch: sequences then start at 0. */
  readonly identity: Identity | undefined
  readonly produceVersionMax: number
  /** The transaction is being aborted: nothing is sent again. */
  readonly isFailed: boolean
  /** May the partition be written now? If not, `pump` is called once it may. */
  admits(partition: PartitionQueue): boolean
}

export class Sender {
  readonly #cluster: Cluster
  readonly #options: SenderOptions
  readonly #accumulator: Accumulator
  readonly #lane: Lane
  readonly #channels = new Map<number, Channel>()
  /** Partitions that may have a batch to send. */
  readonly #ready = new Set<PartitionQueue>()
  #identity: Identity | undefined
  /** The error that keeps the producer from its identity. */
  #identityError: KafkaError | undefined
  #isIdentifying = false
  #isPumpDue = false
  readonly #alarm: Alarm

  constructor(cluster: Cluster, options: SenderOptions, accumulator: Accumulator) {
    this.#cluster = cluster
    this.#options = options
    this.#accumulator = accumulator
    this.#lane = cluster.newLane()
    this.#alarm = new Alarm(cluster.clock, () => this.pump())
    options.signal.addEventListener('abort', () => this.#stop(), { once: true })
  }

  /** The partition has a batch to send. Batches of one turn share a request. */
  wake(queue: PartitionQueue): void {
    this.#ready.add(queue)
    this.pump()
  }

  #stop(): void {
    this.#alarm.cancel()
    this.#cluster.closeLane(this.#lane)
  }

  get #isStopped(): boolean {
    return this.#options.signal.aborted
  }

  /** Sends in a moment whatever can be sent then. */
  pump(): void {
    if (this.#isPumpDue || this.#isStopped) return
    this.#isPumpDue = true
    queueMicrotask(() => {
      this.#isPumpDue = false
      this.#sendWhatCan()
    })
  }

  /** Sends all batches that can go now. Each of the others is tried again when the event that it waits for happens. */
  #sendWhatCan(): void {
    if (this.#isStopped) return
    const now = this.#cluster.clock.monotonic()
    const byChannel = new Map<Channel, PartitionQueue[]>()
    for (const queue of this.#ready) {
      this.#dropSettled(queue)
      if (!this.#hasNext(queue)) this.#ready.delete(queue)
      else if (queue.blockedUntil > now) this.#alarm.setTo(queue.blockedUntil)
      else if (this.#options.transaction?.admits(queue) !== false) {
        const channel = this.#channelOf(queue, now)
        if (channel === undefined) continue
        const queues = byChannel.get(channel)
        if (queues === undefined) byChannel.set(channel, [queue])
        else queues.push(queue)
      }
    }
    if (byChannel.size === 0 || (this.#options.isIdempotent && !this.#isIdentified())) return
    for (const [channel, queues] of byChannel) this.#sendAll(channel, channel.connection!, queues)
  }

  /** Of a partition in flight: without sequence numbers a batch that fails would let the next one overtake it. */
  get #batchesMax(): number {
    return this.#options.isIdempotent ? this.#options.maxInFlight : 1
  }

  #hasNext(queue: PartitionQueue): boolean {
    if (queue.retries.length > 0) return queue.inFlight.count === 0
    return (
      queue.inFlight.count < this.#batchesMax && this.#accumulator.peekNext(queue) !== undefined
    )
  }

  /** @returns undefined while there is no connection to the leader */
  #channelOf(queue: PartitionQueue, now: number): Channel | undefined {
    const metadata = this.#metadataOf(queue)
    if (metadata !== undefined && this.#cluster.isStale(metadata)) this.#refresh(queue)
    const leader = metadata?.partitions[queue.partition]?.leader ?? -1
    if (leader < 0) {
      queue.blockedUntil = now + this.#cluster.backoffMs(1)
      this.#alarm.setTo(queue.blockedUntil)
      this.#refresh(queue)
      return undefined
    }
    const channel = this.#channels.get(leader) ?? this.#newChannel(leader)
    if (channel.connection?.isOpen && !channel.isFull) return channel
    if (channel.connection?.isOpen || channel.isOpening) return undefined
    if (channel.blockedUntil > now) this.#alarm.setTo(channel.blockedUntil)
    else void this.#openChannel(channel)
    return undefined
  }

  #metadataOf(queue: PartitionQueue): TopicMetadata | undefined {
    return this.#cluster.topic(queue.topic.name)
  }

  #newChannel(leader: number): Channel {
    const channel = new Channel(leader, this.#options.maxInFlight)
    this.#channels.set(leader, channel)
    return channel
  }

  async #openChannel(channel: Channel): Promise<void> {
    channel.isOpening = true
    try {
      channel.connection = await this.#cluster.connection(
        channel.leader,
        this.#lane,
        this.#cluster.call({ signal: this.#options.signal }),
      )
      channel.failures = 0
    } catch (error) {
      if (this.#isStopped) return
      channel.failures++
      channel.blockedUntil =
        this.#cluster.clock.monotonic() + this.#cluster.backoffMs(channel.failures)
      this.#cluster.options.logger?.warn(
        { error, broker: channel.leader },
        'a broker cannot be reached',
      )
      this.#noteUnreachable(channel.leader, error as KafkaError)
    } finally {
      channel.isOpening = false
      this.pump()
    }
  }

  /**
   * The leader cannot be reached: notes the error for waiting batches, should they time out, and refreshes their
   * leaders.
   */
  #noteUnreachable(leader: number, error: KafkaError): void {
    for (const queue of this.#ready) {
      if (this.#metadataOf(queue)?.partitions[queue.partition]?.leader !== leader) continue
      const first = queue.retries[0] ?? this.#accumulator.peekNext(queue)
      if (first !== undefined) first.lastError = error
      this.#refresh(queue)
    }
  }

  /** Sends as many requests as the channel may have in flight, each with at most one batch of a partition. */
  #sendAll(channel: Channel, connection: Connection, queues: readonly PartitionQueue[]): void {
    let rest = queues
    while (rest.length > 0 && !channel.isFull) {
      const batches: Batch[] = []
      const left: PartitionQueue[] = []
      let bytes = 0
      for (const queue of rest) {
        if (bytes >= REQUEST_BYTES_MAX) {
          left.push(queue)
          continue
        }
        const batch = this.#takeNext(queue)
        if (batch !== undefined) {
          bytes += batch.sizeBytes
          batches.push(batch)
        }
        // The partition goes to the end of the line, so that none starves.
        this.#ready.delete(queue)
        if (this.#hasNext(queue)) {
          this.#ready.add(queue)
          left.push(queue)
        }
      }
      if (batches.length > 0) void this.#send(channel, connection, batches)
      rest = left
    }
  }

  /**
   * Takes the oldest unsent batch, numbered and encoded. @returns undefined when encoding failed, and with it the
   * batch
   */
  #takeNext(queue: PartitionQueue): Batch | undefined {
    if (queue.mustRenumber) this.#renumber(queue)
    const again = queue.retries.shift()
    const batch = again ?? this.#accumulator.takeNext(queue)!
    if (again === undefined && !this.#encode(batch)) return undefined
    batch.attempts++
    queue.inFlight.add(batch, this.#batchesMax)
    return batch
  }

  /** @returns false when encoding failed; the batch then uses no sequence numbers */
  #encode(batch: Batch): boolean {
    const { queue } = batch
    const { compression, isIdempotent } = this.#options
    if (isIdempotent) this.#identify(queue)
    try {
      batch.encode(compression, queue.identity, isIdempotent ? queue.nextSequence : -1)
    } catch (error) {
      this.#fail(batch, this.#notEncoded(batch, error))
      return false
    }
    queue.nextSequence = sequenceAfter(queue.nextSequence, batch.recordCount)
    return true
  }

  #notEncoded({ queue, recordCount }: Batch, cause: unknown): KafkaError {
    const what = `${partitionText(queue.where)}: a batch of ${recordCount} records, ${this.#options.compression}: ${thrownText(cause)}`
    return new KafkaError('INVALID_RECORD', what, { cause })
  }

  #identify(queue: PartitionQueue): void {
    const { transaction } = this.#options
    if (transaction === undefined) queue.identity ??= this.#identity
    else if (queue.identity !== transaction.identity) {
      queue.identity = transaction.identity
      queue.nextSequence = 0
    }
  }

  #renumber(queue: PartitionQueue): void {
    const identity = (queue.identity ??= this.#identity!)
    queue.nextSequence = 0
    for (const batch of queue.retries) {
      batch.renumber(identity, queue.nextSequence)
      queue.nextSequence = sequenceAfter(queue.nextSequence, batch.recordCount)
    }
    queue.mustRenumber = false
  }

  async #send(channel: Channel, connection: Connection, batches: readonly Batch[]): Promise<void> {
    channel.begin()
    try {
      const asked = new AskedPartitions(this.#cluster, batches, ({ queue }) => queue.where)
      const { produceVersionMax = Infinity } = this.#options.transaction ?? {}
      const version = connection.version(produce, Math.min(asked.versionMax, produceVersionMax))
      const request = this.#requestOf(asked)
      if (this.#options.acks === 0) {
        await connection.send(produce, version, request)
        for (const batch of batches) this.#succeed(batch, -1, -1)
      } else {
        const response = await connection.request(produce, version, request)
        const answers = new Map(
          response.topics.flatMap(({ name, topicId, partitions }) =>
            partitions.map((each) => [asked.find(version, name, topicId, each.index), each]),
          ),
        )
        for (const batch of batches) this.#settle(batch, answers.get(batch))
      }
    } catch (error) {
      for (const batch of batches) this.#refuse(batch, error as KafkaError)
    } finally {
      channel.end()
      this.pump()
    }
  }

  #requestOf(asked: AskedPartitions<Batch>): RequestInput<typeof produce> {
    const topics = asked.topics.map(({ name, topicId, partitions }) => ({
      name,
      topicId,
      partitions: Array.from(partitions, ([index, { bytes }]) => ({ index, records: bytes })),
    }))
    const timeoutMs = this.#cluster.options.requestTimeoutMs
    const transactionalId = this.#options.transaction?.transactionalId ?? null
    return { transactionalId, acks: this.#options.acks, timeoutMs, topics }
  }

  #settle(batch: Batch, answer: PartitionAnswer | undefined): void {
    const error = answer === undefined ? 'UNKNOWN_SERVER_ERROR' : errorName(answer.errorCode)
    if (error === undefined) this.#succeed(batch, answer!.baseOffset, answer!.logAppendTimeMs)
    else if (error === 'DUPLICATE_SEQUENCE_NUMBER') this.#succeed(batch, -1, -1) // written before; the broker no longer knows the offset
    else
      this.#refuse(
        batch,
        refusalOf(partitionText(batch.queue.where), answer)!,
        answer?.recordErrors,
      )
  }

  #succeed(batch: Batch, baseOffset: number, logAppendTimeMs: number): void {
    batch.queue.inFlight.remove(batch)
    batch.acknowledge(baseOffset, logAppendTimeMs)
    if (batch.attempts === 1) this.#accumulator.reuse(batch) // after several attempts, one may still be in a socket's buffer
    this.#done(batch)
  }

  /** Handles a refused or unanswered batch: splits it, retries it with new numbers or the old ones, or fails it. */
  #refuse(batch: Batch, error: KafkaError, records: PartitionAnswer['recordErrors'] = []): void {
    const { queue } = batch
    const isOldest = [...queue.inFlight, ...queue.retries].every(
      (each) => each.firstRecord >= batch.firstRecord,
    )
    queue.inFlight.remove(batch)
    batch.lastError = error
    if (batch.isSettled) return this.#done(batch) // timed out: the next batch meets the gap that it leaves
    const { transaction } = this.#options
    if (this.#isStopped || transaction?.isFailed) return this.#fail(batch, error)
    if (TOO_LARGE.has(error.code) && batch.recordCount > 1) return this.#split(batch)
    if (this.#options.isIdempotent && LOST_COUNT.has(error.code)) {
      // A batch behind a failed one is refused for the gap, and only waits for its turn.
      if (isOldest && transaction !== undefined) return this.#fail(batch, error) // the next transaction has another epoch
      if (isOldest) this.#loseCount(queue, error)
    } else if (!error.retriable) return this.#failRecords(batch, error, records)
    this.#retry(batch)
    if (!isOldest) return
    const delayMs = this.#cluster.backoffMs(batch.attempts, error)
    const now = this.#cluster.clock.monotonic()
    queue.blockedUntil = now + delayMs
    const { attempts: failures, createdAt } = batch
    const message = {
      what: 'send',
      error,
      failures,
      delayMs,
      forMs: now - createdAt,
      ...queue.where,
    } as const
    tellRetry(message, this.#cluster.options.logger)
    this.#refresh(queue)
  }

  #retry(batch: Batch): void {
    const { retries } = batch.queue
    const at = retries.findIndex((each) => each.firstRecord > batch.firstRecord)
    retries.splice(at < 0 ? retries.length : at, 0, batch)
    this.#ready.add(batch.queue)
  }

  /** The partition's next batch waits for both halves, so its sequence numbers stay right. */
  #split(batch: Batch): void {
    const { queue } = batch
    this.#cluster.options.logger?.info(
      { topic: queue.topic.name, bytes: batch.sizeBytes },
      'a batch is too large: split',
    )
    queue.topic.batchBytes = Math.max(
      BATCH_BYTES_MIN,
      Math.min(queue.topic.batchBytes, batch.sizeBytes) >>> 1,
    )
    const half = batch.recordCount >>> 1
    const halves = this.#divide(batch, (index) => index < half)
    if (halves !== undefined) this.#goOnAs(batch, halves)
  }

  /** Fails the records that the broker names (KIP-467) and sends the others again; if it names none, fails all. */
  #failRecords(batch: Batch, error: KafkaError, named: PartitionAnswer['recordErrors']): void {
    const refused = new Set(named.map(({ batchIndex }) => batchIndex))
    const isSome = refused.size > 0 && refused.size < batch.recordCount
    if (!isSome || this.#options.transaction !== undefined) return this.#fail(batch, error)
    const parts = this.#divide(batch, (index) => !refused.has(index))
    if (parts === undefined) return
    const [rest, failed] = parts
    failed.fail(error)
    this.#goOnAs(batch, [rest])
  }

  /** @returns undefined when encoding a half failed, and with it the batch */
  #divide(batch: Batch, isFirst: (index: number) => boolean): [Batch, Batch] | undefined {
    try {
      return batch.divide(this.#options.compression, batch.queue.identity, isFirst)
    } catch (error) {
      this.#fail(batch, this.#notEncoded(batch, error))
      return undefined
    }
  }

  #goOnAs(batch: Batch, parts: readonly Batch[]): void {
    this.#accumulator.replace(batch, parts)
    for (const part of parts) this.#retry(part)
  }

  #loseCount(queue: PartitionQueue, error: KafkaError): void {
    const { code } = error
    const { identity } = queue
    this.#cluster.options.logger?.warn(
      { error, ...queue.where },
      'a broker has lost count of a producer: going on under a new epoch',
    )
    const isSpent =
      code === 'INVALID_PRODUCER_EPOCH' || identity === undefined || identity.epoch >= EPOCH_MAX
    queue.mustRenumber = true
    queue.identity = isSpent ? undefined : { ...identity, epoch: identity.epoch + 1 }
    if (isSpent) this.#identity = undefined
  }

  #fail(batch: Batch, error: KafkaError): void {
    batch.fail(error)
    this.#done(batch)
  }

  #done(batch: Batch): void {
    this.#accumulator.release(batch)
    if (this.#hasNext(batch.queue)) this.#ready.add(batch.queue)
  }

  /**
   * Fails batches that have reached the delivery timeout. A batch in flight, or waiting for one in flight to be sent
   * again, keeps its place: otherwise a later batch would overtake.
   */
  giveUpOverdue(queue: PartitionQueue): void {
    const isOverdue = (batch: Batch): boolean => this.#accumulator.isOverdue(batch)
    for (const batch of [...queue.inFlight, ...queue.retries]) {
      if (batch.isSettled || !isOverdue(batch)) continue
      batch.fail(this.#outOfTime(batch))
      this.#accumulator.settled(batch)
    }
    this.#dropSettled(queue)
    for (const batch of this.#accumulator.drain(queue, isOverdue))
      this.#fail(batch, this.#outOfTime(batch))
  }

  #dropSettled({ inFlight, retries }: PartitionQueue): void {
    while (inFlight.count === 0 && retries[0]?.isSettled) this.#done(retries.shift()!)
  }

  #outOfTime({ attempts, lastError = this.#identityError }: Batch): KafkaError {
    const last = lastError === undefined ? '' : `, last: ${lastError.message}`
    const times = attempts === 1 ? 'once' : `${attempts} times`
    const sent = attempts === 0 ? 'never sent' : `sent ${times}, it may have been written`
    const what = `not acknowledged within ${this.#options.deliveryTimeoutMs} ms: ${sent}${last}`
    return new KafkaError('REQUEST_TIMED_OUT', what, { cause: lastError })
  }

  /** Fails everything that is not in flight. */
  failAll(error: KafkaError): void {
    for (const queue of this.#accumulator.queues()) {
      for (const batch of queue.retries.splice(0)) this.#fail(batch, error)
      for (const batch of this.#accumulator.drain(queue)) this.#fail(batch, error)
    }
  }

  #isIdentified(): boolean {
    if (this.#options.transaction !== undefined) return true // a transaction that has begun has an identity
    if (this.#identity === undefined && !this.#isIdentifying) void this.#askIdentity()
    return this.#identity !== undefined
  }

  async #askIdentity(): Promise<void> {
    this.#isIdentifying = true
    const call = this.#cluster.call({ signal: this.#options.signal, timeoutMs: Infinity })
    try {
      this.#identity = await this.#cluster.retrying(call, () => this.#newIdentity(call))
      this.#identityError = undefined
    } catch (error) {
      if (!this.#isStopped) this.failAll(error as KafkaError)
    } finally {
      this.#isIdentifying = false
      this.pump()
    }
  }

  /** @returns undefined when no batch waits for it any more */
  async #newIdentity(call: Call): Promise<Identity | undefined> {
    if (!this.#accumulator.isBusy) return undefined
    try {
      const answer = await this.#cluster.ask(initProducerId, {}, 'any', call)
      const error = errorName(answer.errorCode)
      if (error !== undefined) throw new KafkaError(error, 'no producer id')
      const { producerId, producerEpoch: epoch } = answer
      return { producerId, epoch, isTransactional: false }
    } catch (error) {
      this.#identityError = error as KafkaError
      throw error
    }
  }

  #refresh(queue: PartitionQueue): void {
    this.#cluster.refresh(queue.topic.name).then(
      () => this.pump(),
      () => {}, // a further failure asks again
    )
  }
}

type PartitionAnswer = ResponseOf<typeof produce>['topics'][number]['partitions'][number]

/** Errors that halves of the batch may not meet. */
const TOO_LARGE: ReadonlySet<ErrorName> = new Set(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE'])

/** The broker expects another sequence number or epoch of this producer. */
const LOST_COUNT: ReadonlySet<ErrorName> = new Set([
  'OUT_OF_ORDER_SEQUENCE_NUMBER',
  'UNKNOWN_PRODUCER_ID',
  'INVALID_PRODUCER_EPOCH',
])
