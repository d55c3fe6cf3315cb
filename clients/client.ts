// Client: the handle to a cluster. Owns its sockets; producers, consumers and admins borrow them.

import { Admin } from './admin.ts'
import type { CallOptions, Closeable } from './call.ts'
import { systemClock, type Clock } from './clock.ts'
import { Cluster } from './cluster.ts'
import { Consumer, type ConsumerOptions } from './consumer.ts'
import { GroupConsumer, type GroupConsumerOptions } from './group-consumer.ts'
import type { Logger } from './logger.ts'
import { parseAddresses } from './net/address.ts'
import { Producer, type ProducerOptions } from './producer.ts'
import type { RecordOf, TopicLike } from './topic.ts'
import {
  TransactionalProducer,
  type TransactionalProducerOptions,
} from './transactional-producer.ts'

export interface ClientOptions {
  /** Where to begin: `host:port`, one or several. The rest of the cluster is found from there. */
  readonly brokers: string | readonly string[]
  /** How the broker's logs and quotas name this client. Default `millrace`. */
  readonly clientId?: string | undefined
  /** Of one attempt to open a socket. Default 5 s. */
  readonly connectTimeoutMs?: number | undefined
  /** Of one request; the socket is then closed. Default 30 s. */
  readonly requestTimeoutMs?: number | undefined
  /** Of a call, retries included, unless the call says otherwise. Default 30 s. */
  readonly timeoutMs?: number | undefined
  /** How long a client that has not reached any broker yet tries before its calls fail. Default 3 s. */
  readonly bootstrapTimeoutMs?: number | undefined
  /** Pause before a retry: doubles from `backoffMs` (100) to `backoffMaxMs` (1000), with jitter. */
  readonly retry?:
    | { readonly backoffMs?: number | undefined; readonly backoffMaxMs?: number | undefined }
    | undefined
  /** Metadata older than this is asked for again, which finds new partitions. Default 5 min. */
  readonly metadataAgeMaxMs?: number | undefined
  /** Hears what the client does on its own: reconnects, resets. Default: nobody. */
  readonly logger?: Logger | undefined
  /** For tests and simulators. */
  readonly clock?: Clock | undefined
}

/** Connects on first use. `close` or `await using` closes its producers and consumers, then its sockets. */
export class Client implements AsyncDisposable {
  readonly #cluster: Cluster
  /** Open producers and consumers: closed before the sockets. */
  readonly #users = new Set<Closeable>()
  readonly #onClose = (user: Closeable): void => void this.#users.delete(user)

  /** @throws {TypeError} for an address that is none */
  constructor(options: ClientOptions) {
    this.#cluster = new Cluster({
      bootstrap: parseAddresses(options.brokers),
      clientId: options.clientId ?? 'millrace',
      connectTimeoutMs: options.connectTimeoutMs ?? 5_000,
      requestTimeoutMs: options.requestTimeoutMs ?? 30_000,
      timeoutMs: options.timeoutMs ?? 30_000,
      bootstrapTimeoutMs: options.bootstrapTimeoutMs ?? 3_000,
      retry: {
        backoffMs: options.retry?.backoffMs ?? 100,
        backoffMaxMs: options.retry?.backoffMaxMs ?? 1_000,
      },
      metadataAgeMaxMs: options.metadataAgeMaxMs ?? 300_000,
      logger: options.logger,
      clock: options.clock ?? systemClock,
    })
  }

  /**
   * With `transactionalId`, a producer whose records and commits come in transactions.
   *
   * @throws {TypeError} for options that contradict each other
   */
  producer(options: TransactionalProducerOptions): TransactionalProducer
  producer(options?: ProducerOptions): Producer
  producer(
    options: ProducerOptions | TransactionalProducerOptions = {},
  ): Producer | TransactionalProducer {
    const producer =
      'transactionalId' in options
        ? new TransactionalProducer(this.#cluster, options, this.#onClose)
        : new Producer(this.#cluster, options, this.#onClose)
    this.#users.add(producer)
    return producer
  }

  /** With `group`, a member of a consumer group; without, a plain reader of whole partitions that commits nothing. */
  consumer<const T extends readonly TopicLike[]>(
    options: GroupConsumerOptions<T>,
  ): GroupConsumer<RecordOf<T[number]>>
  consumer<const T extends readonly TopicLike[]>(
    options: ConsumerOptions<T>,
  ): Consumer<RecordOf<T[number]>>
  consumer(
    options: ConsumerOptions<any> | GroupConsumerOptions<any>,
  ): Consumer<any> | GroupConsumer<any> {
    const consumer =
      'group' in options
        ? new GroupConsumer<any>(this.#cluster, options, this.#onClose)
        : new Consumer<any>(this.#cluster, options, this.#onClose)
    this.#users.add(consumer)
    return consumer
  }

  admin(): Admin {
    return new Admin(this.#cluster)
  }

  /** Producers flush what they have. Idempotent. */
  async close(options: CallOptions = {}): Promise<void> {
    const closings = [...this.#users].map((user) => user.close(options))
    const results = await Promise.allSettled(closings)
    this.#cluster.close()
    for (const result of results) if (result.status === 'rejected') throw result.reason
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}
