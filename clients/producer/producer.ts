// Producer: records in, batches out, one acknowledgement per record.

import { tracingChannel } from 'node:diagnostics_channel'
import { Writable } from 'node:stream'
import { callbackify } from 'node:util'
import type { Codec } from '../../protocol/compression/index.ts'
import { KafkaError } from '../../protocol/errors.ts'
import { Accumulator } from './accumulator.ts'
import { Send, type RecordAck, type TopicQueue } from './batch.ts'
import { rejection } from '../caller.ts'
import { callOptions, type Call, type CallOptions, type Closeable } from '../call.ts'
import type { Cluster } from '../cluster/cluster.ts'
import {
  callback,
  checked,
  flag,
  milliseconds,
  oneOf,
  patienceMs,
  shape,
  whole,
  type Table,
} from '../options.ts'
import { tell } from '../events.ts'
import { murmur2Partitioner, type Partitioner } from './partitioner.ts'
import { Sender, type SenderTransaction } from './sender.ts'
import { topicLike, topicOf, type ProducerRecord, type TopicLike } from '../topic.ts'

export interface ProducerOptions {
  /** `all` (default): every replica in sync has it. `1`: its leader has it; the same on millrace. `0`: sent, offsets unknown. */
  readonly acks?: 'all' | 1 | 0 | undefined
  /** How long an open batch waits for more records. Default 5. */
  readonly lingerMs?: number | undefined
  /** A batch of this many bytes, before compression, is sent at once. Default 64 KiB. */
  readonly batchBytes?: number | undefined
  /** Default `none`. */
  readonly compression?: Codec | undefined
  /** The broker drops what a retry sends twice. Default: true with acks `all`, which it needs. */
  readonly idempotent?: boolean | undefined
  /** Requests under way to one broker, 1 to 5. Default 5. */
  readonly maxInFlight?: number | undefined
  /** Beyond this many buffered bytes records wait for room. Default 32 MiB. */
  readonly maxBufferedBytes?: number | undefined
  /** From `send` to the last retry of a record's batch. Default 2 min. */
  readonly deliveryTimeoutMs?: number | undefined
  /** Default: murmur2 of the key as Java does it; records without a key stick to one partition per batch. */
  readonly partitioner?: Partitioner | undefined
  /** Ask the broker to create topics that do not exist. Default true. */
  readonly autoCreateTopics?: boolean | undefined
}

/** The most batches of one partition that a broker remembers, and so can tell from repetitions. */
const IN_FLIGHT_MAX = 5

/** Of those too that decide about acks and idempotence themselves. */
export const producerRows: Table<Omit<ProducerOptions, 'acks' | 'idempotent'>> = {
  lingerMs: milliseconds(),
  batchBytes: whole(1, 256 * 1024 * 1024),
  compression: oneOf('none', 'gzip', 'snappy', 'lz4', 'zstd'),
  maxInFlight: whole(1, IN_FLIGHT_MAX),
  maxBufferedBytes: whole(1, Number.MAX_SAFE_INTEGER),
  deliveryTimeoutMs: patienceMs,
  partitioner: callback<Partitioner>(),
  autoCreateTopics: flag,
}
const producerOptions = shape<ProducerOptions>({
  ...producerRows,
  acks: oneOf('all', 1, 0),
  idempotent: flag,
})

/** Records that a stream hands over ahead of what the producer has taken. */
const WRITABLE_RECORDS_MAX = 1024

const tracing = tracingChannel('millrace:produce')

export class Producer implements AsyncDisposable {
  readonly #cluster: Cluster
  readonly #accumulator: Accumulator
  readonly #sender: Sender
  readonly #autoCreateTopics: boolean
  readonly #onClose: (self: Closeable) => void
  /** Aborted when nothing more is to be sent. */
  readonly #ending = new AbortController()
  #closing: Promise<void> | undefined

  /** @internal Use `client.producer()`. */
  constructor(
    cluster: Cluster,
    given: ProducerOptions,
    onClose: (self: Closeable) => void,
    transaction?: SenderTransaction,
  ) {
    const options = checked('client.producer', producerOptions, given)
    const { acks = 'all', idempotent = acks === 'all', maxInFlight = IN_FLIGHT_MAX } = options
    const { deliveryTimeoutMs = 120_000 } = options
    if (idempotent && acks !== 'all')
      throw new TypeError(
        `client.producer: idempotent is true, which needs acks 'all' instead of ${acks}`,
      )
    this.#cluster = cluster
    this.#onClose = onClose
    this.#autoCreateTopics = options.autoCreateTopics ?? true
    const { maxBufferedBytes = 32 * 1024 * 1024 } = options
    this.#accumulator = new Accumulator({
      lingerMs: options.lingerMs ?? 5,
      batchBytes: options.batchBytes ?? 64 * 1024,
      maxBufferedBytes,
      deliveryTimeoutMs,
      partitioner: options.partitioner ?? murmur2Partitioner,
      clock: cluster.clock,
      metadataOf: (topic) => cluster.topic(topic),
      onFull: (topic) => {
        const { logger } = cluster.options
        tell('bufferFull', { topic, maxBufferedBytes }, logger, 'warn', 'sends wait for room')
      },
      onMissing: (queue) => void this.#findOut(queue),
      onReady: (queue) => this.#sender.wake(queue),
      onOverdue: (queue) => this.#sender.giveUpOverdue(queue),
    })
    const senderOptions = {
      acks: acks === 'all' ? (-1 as const) : acks,
      compression: options.compression ?? 'none',
      isIdempotent: idempotent,
      maxInFlight,
      deliveryTimeoutMs,
      signal: this.#ending.signal,
      transaction,
    }
    this.#sender = new Sender(cluster, senderOptions, this.#accumulator)
  }

  /**
   * Sends one record, or several in one call.
   *
   * Records of a partition keep the order of the calls. A signal or timeout ends the waiting, not the sending.
   *
   * @returns the place of each, once it is acknowledged
   * @throws {KafkaError} for one record; {PartialError} with each record's outcome for several
   */
  send<T extends TopicLike>(
    topic: T,
    record: ProducerRecord<T>,
    options?: CallOptions,
  ): Promise<RecordAck>
  send<T extends TopicLike>(
    topic: T,
    records: readonly ProducerRecord<T>[],
    options?: CallOptions,
  ): Promise<RecordAck[]>
  send(topic: TopicLike, records: any, options?: CallOptions): Promise<any> {
    try {
      const call = options && checked('producer.send', callOptions, options)
      const { settled } = this.begin(topic, records)
      if (call?.signal === undefined && call?.timeoutMs === undefined) return settled
      return this.#cluster.call({ timeoutMs: Infinity, ...call }).wait(settled)
    } catch (error) {
      return rejection(error)
    }
  }

  /** Sends what lingers; resolves when everything sent so far is acknowledged or has failed. */
  async flush(options: CallOptions = {}): Promise<void> {
    const call = { timeoutMs: Infinity, ...checked('producer.flush', callOptions, options) }
    await this.#cluster.call(call).wait(this.#accumulator.flush())
  }

  /**
   * A stream of records, for `pipeline()`. It holds its source back while the buffer is full, fails with the first
   * record that does, and finishes when everything is acknowledged.
   */
  writable<T extends TopicLike>(topic: T): Writable {
    checked('producer.writable', topicLike, topic, 'topic')
    const write = (records: ProducerRecord[], done: (error?: Error | null) => void): void => {
      const send = this.begin(topic, records)
      send.settled.catch((error: Error) => stream.destroy(error))
      if (send.next === send.recordCount) done()
      else send.onTaken = done
    }
    const stream = new Writable({
      objectMode: true,
      highWaterMark: WRITABLE_RECORDS_MAX,
      write: (record: ProducerRecord, _encoding, done) => write([record], done),
      writev: (chunks: { chunk: ProducerRecord }[], done) =>
        write(
          chunks.map(({ chunk }) => chunk),
          done,
        ),
      final: callbackify(() => this.flush()),
    })
    return stream
  }

  /** Flushes, then refuses further sends. Idempotent. */
  async close(options: CallOptions = {}): Promise<void> {
    const taken = checked('producer.close', callOptions, options)
    await (this.#closing ??= this.#close(taken))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #close(options: CallOptions): Promise<void> {
    try {
      await this.flush(options)
    } finally {
      this.#accumulator.stop()
      this.#ending.abort(closedError())
      this.discard(closedError())
      this.#onClose(this)
    }
  }

  /** @internal */
  begin(
    topic: TopicLike,
    records: ProducerRecord | readonly ProducerRecord[],
    wantsAcks = true,
  ): Send {
    const taken = checked('producer.send', topicLike, topic, 'topic')
    const send = new Send(topicOf(taken), records, this.#cluster.clock.monotonic(), wantsAcks)
    if (tracing.start.hasSubscribers) {
      const traced = { topic: send.topic.name, records }
      tracing.tracePromise(() => this.#add(send).settled, traced).catch(() => {}) // its caller hears
    } else this.#add(send)
    return send
  }

  /** Fails everything that is not under way. @internal */
  discard(error: KafkaError): void {
    for (const queue of this.#accumulator.topics()) this.#accumulator.failWaiting(queue, error)
    this.#sender.failAll(error)
  }

  /** What the transaction did not admit may be admitted now. @internal */
  pump(): void {
    this.#sender.pump()
  }

  #add(send: Send): Send {
    if (this.#closing !== undefined) send.failRest(closedError())
    else this.#accumulator.add(send)
    return send
  }

  async #findOut(queue: TopicQueue): Promise<void> {
    queue.isAskedFor = true
    const call = this.#cluster.call({ signal: this.#ending.signal, timeoutMs: Infinity })
    try {
      await this.#cluster.retrying(call, () => this.#tryToFindOut(queue, call))
      this.#accumulator.fill(queue)
    } catch (error) {
      this.#accumulator.failWaiting(queue, error as KafkaError)
    } finally {
      queue.isAskedFor = false
    }
  }

  /** Until it is out of time all that waits for it, which then says what this met last. */
  async #tryToFindOut(queue: TopicQueue, call: Call): Promise<void> {
    try {
      await this.#cluster.findTopic(queue.name, call, this.#autoCreateTopics)
    } catch (error) {
      queue.lastError = error as KafkaError
      if (queue.waiting.length > 0) throw error
    }
  }
}

function closedError(): KafkaError {
  return new KafkaError('CLOSED', 'the producer is closed')
}
