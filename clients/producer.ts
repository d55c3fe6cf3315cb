// Producer: records in, batches out, one acknowledgement per record.

import type { Writable } from 'node:stream'
import type { Codec } from '../protocol/compression/index.ts'
import type { CallOptions } from './call.ts'
import type { Cluster } from './cluster.ts'
import type { ProducerRecord, TopicLike } from './topic.ts'

export interface ProducerOptions {
  /** `all` (default): durable before acknowledged. `1`: written. `0`: sent, offsets unknown. */
  readonly acks?: 'all' | 1 | 0 | undefined
  /** How long an open batch waits for more records. Default 5. */
  readonly lingerMs?: number | undefined
  /** A batch of at least this many bytes, before compression, is sent at once. Default 64 KiB. */
  readonly batchBytes?: number | undefined
  /** Default `none`. */
  readonly compression?: Codec | undefined
  /** The broker drops what a retry sends twice. Default: true with acks `all`, which it needs. */
  readonly idempotent?: boolean | undefined
  /** Requests under way to one broker. Default 5, which is also the most. */
  readonly maxInFlight?: number | undefined
  /** Records wait for room beyond this many buffered bytes. Default 32 MiB. */
  readonly maxBufferedBytes?: number | undefined
  /** From `send` to the last retry of a record's batch. Default 2 min. */
  readonly deliveryTimeoutMs?: number | undefined
  /** Default: murmur2 of the key as Java does it; records without a key stick to one partition per batch. */
  readonly partitioner?: Partitioner | undefined
  /** Ask the broker to create topics that do not exist. Default true. */
  readonly autoCreateTopics?: boolean | undefined
}

/** @returns the partition, or undefined to leave the choice to the producer (any, but the same for a whole batch) */
export type Partitioner = (record: {
  readonly topic: string
  readonly key: Uint8Array | null
  readonly partitionCount: number
}) => number | undefined

/** Where a record is. `offset` is -1 with acks 0. */
export interface RecordAck {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly timestamp: number
}

export class Producer implements AsyncDisposable {
  constructor(cluster: Cluster, options: ProducerOptions, onClose: (self: Producer) => void) {
    void [cluster, options, onClose]
  }

  /**
   * Sends one record, or several as one call.
   *
   * Records of a partition keep the order of the calls. A signal or timeout stops the waiting, not the sending.
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
  async send(
    topic: TopicLike,
    records: unknown,
    options: CallOptions = {},
  ): Promise<RecordAck | RecordAck[]> {
    void [topic, records, options]
    throw new Error('not built yet')
  }

  /** Sends what lingers; resolves when every record given so far is acknowledged or has failed. */
  async flush(options: CallOptions = {}): Promise<void> {
    void options
  }

  /** A stream of records for `pipeline()`: holds its source back while the buffer is full; ends when all is acknowledged. */
  writable<T extends TopicLike>(topic: T): Writable {
    void topic
    throw new Error('not built yet')
  }

  /** Flushes; further sends are refused. */
  async close(options: CallOptions = {}): Promise<void> {
    void options
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}
