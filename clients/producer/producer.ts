// Producer: takes records, sends batches, gives each record an acknowledgement.

import { tracingChannel } from 'node:diagnostics_channel'
import { Writable } from 'node:stream'
import { callbackify } from 'node:util'
import type { Lines } from '../../protocol/batch/build.ts'
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
  /**
   * `all` (default): every in-sync replica has the record. `1`: the leader has it; on millrace the same. `0`: no
   * acknowledgement, so offsets stay unknown.
   */
  readonly acks?: 'all' | 1 | 0 | undefined
  /** How long an open batch waits for more records. Default 5. */
  readonly lingerMs?: number | undefined
  /** A batch that reaches this many bytes, before compression, is sent at once. Default 64 KiB. */
  readonly batchBytes?: number | undefined
  /** Default `none`. */
  readonly compression?: Codec | undefined
  /** The broker drops the repetitions that retries cause (KIP-98). Default true; needs acks `all`. */
  readonly idempotent?: boolean | undefined
  /** Requests in flight to one broker, 1 to 5. Default 5. */
  readonly maxInFlight?: number | undefined
  /** Records wait for room while this many bytes are buffered. Default 32 MiB. */
  readonly maxBufferedBytes?: number | undefined
  /** Time from `send` to the last retry of a record's batch. Default 2 min. */
  readonly deliveryTimeoutMs?: number | undefined
  /** Default: murmur2 of the key, as Java's client; records without a key stay with one partition per batch. */
  readonly partitioner?: Partitioner | undefined
  /** Ask the broker to create topics that do not exist. Default true. */
  readonly autoCreateTopics?: boolean | undefined
}

/** A broker remembers this many batches of a partition and producer, and recognises repetitions of those only. */
const IN_FLIGHT_MAX = 5

/** The options that a transactional producer takes as well: it decides itself about acks and idempotence. */
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

/** The most records that a stream hands over before the producer has taken them. */
const WRITABLE_RECORDS_MAX = 1024

const tracing = tracingChannel('millrace:produce')

export class Producer implements AsyncDisposable {
  readonly #cluster: Cluster
  readonly #accumulator: Accumulator
  readonly #sender: Sender
  readonly #autoCreateTopics: boolean
  readonly #onClose: (self: Closeable) => void
  /** Aborted when the producer may send nothing more. */
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
   * Records of a partition keep the order of the calls. A signal or timeout ends the wait, not the sending.
   *
   * @returns the place of each record, once it is acknowledged
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

  /** Ends all lingering; resolves when everything sent so far is acknowledged or has failed. */
  async flush(options: CallOptions = {}): Promise<void> {
    const call = { timeoutMs: Infinity, ...checked('producer.flush', callOptions, options) }
    await this.#cluster.call(call).wait(this.#accumulator.flush())
  }

  /**
   * A stream of records, for `pipeline()`. It holds its source back while the buffer is full, fails with the first
   * failed record, and finishes when every record is acknowledged.
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
    return this.#begin(
      new Send(topicOf(taken), records, this.#cluster.clock.monotonic(), wantsAcks),
      records,
    )
  }

  /**
   * Sends lines, which become values: much cheaper than records. Without acks. A producer with a partitioner of its
   * own does not ask it for each line.
   *
   * @param lines given @internal
   */
  beginLines(topic: string, lines: Lines): Send {
    const send = new Send(topicOf(topic), [], this.#cluster.clock.monotonic(), false, lines)
    return this.#begin(send, lines)
  }

  #begin(send: Send, records: unknown): Send {
    if (tracing.start.hasSubscribers) {
      const traced = { topic: send.topic.name, records }
      tracing.tracePromise(() => this.#add(send).settled, traced).catch(() => {}) // the caller gets the error
    } else this.#add(send)
    return send
  }

  /** Fails all records that are not in flight. @internal */
  discard(error: KafkaError): void {
    for (const queue of this.#accumulator.topics()) this.#accumulator.failWaiting(queue, error)
    this.#sender.failAll(error)
  }

  /** Sends again as far as the transaction now admits it. @internal */
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

  /** One attempt to find the topic. It fails, and so is repeated, only while sends wait for the topic. */
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
