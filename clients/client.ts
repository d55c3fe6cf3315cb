// Client: the handle to a cluster. Owns its sockets; producers, consumers and admins borrow them.

import { Admin } from './admin/admin.ts'
import { callOptions, type CallOptions, type Closeable } from './call.ts'
import { systemClock, type Clock } from './clock.ts'
import { Cluster } from './cluster/cluster.ts'
import { Consumer, type ConsumerOptions } from './consumer/consumer.ts'
import { GroupConsumer } from './group/group-consumer.ts'
import type { GroupConsumerOptions } from './group/group-options.ts'
import { harmless, type Logger } from './logger.ts'
import { parseAddresses } from './net/address.ts'
import { saslOptions, type SaslOptions } from './net/sasl/options.ts'
import { securityOf } from './net/security.ts'
import { tlsOptions, type TlsOptions } from './net/tls/options.ts'
import {
  checked,
  either,
  listOf,
  methods,
  milliseconds,
  patienceMs,
  required,
  shape,
  text,
  whole,
} from './options.ts'
import { Producer, type ProducerOptions } from './producer/producer.ts'
import type { RecordOf, TopicSelector } from './topic.ts'
import {
  TransactionalProducer,
  type TransactionalProducerOptions,
} from './transaction/transactional-producer.ts'

export interface ClientOptions {
  /** Where to begin: `host:port`, one or several. The rest of the cluster is found from there. */
  readonly brokers: string | readonly string[]
  /** How the broker's logs and quotas name this client. Default `millrace`. */
  readonly clientId?: string | undefined
  /** Default false. With true, brokers must show certificates of a CA that Node knows; an object says more. */
  readonly tls?: boolean | TlsOptions | undefined
  /** Who this client is, for brokers that ask. Default: nobody in particular. */
  readonly sasl?: SaslOptions | undefined
  /** Of one attempt to open a socket, of each step of authenticating on it, and of asking for a token. Default 5 s. */
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

const ms = milliseconds(1)

const clientOptions = shape<ClientOptions>({
  brokers: required(
    either<string | readonly string[]>('host:port, one or several', text(), listOf(text(), 1)),
  ),
  clientId: text(0),
  tls: tlsOptions,
  sasl: saslOptions,
  connectTimeoutMs: ms,
  requestTimeoutMs: whole(1),
  timeoutMs: patienceMs,
  bootstrapTimeoutMs: patienceMs,
  retry: shape<NonNullable<ClientOptions['retry']>>({ backoffMs: ms, backoffMaxMs: ms }),
  metadataAgeMaxMs: patienceMs,
  logger: methods<Logger>('debug', 'info', 'warn'),
  clock: methods<Clock>('now', 'monotonic', 'after', 'random'),
})

/** Connects on first use. `close` or `await using` closes its producers and consumers, then its sockets. */
export class Client implements AsyncDisposable {
  readonly #cluster: Cluster
  /** Open producers and consumers: closed before the sockets. */
  readonly #users = new Set<Closeable>()
  readonly #onClose = (user: Closeable): void => void this.#users.delete(user)

  /** @throws {TypeError} for an option that is none, or an address */
  constructor(given: ClientOptions) {
    const options = checked('new Client', clientOptions, given)
    const bootstrap = parseAddresses(options.brokers)
    const connectTimeoutMs = options.connectTimeoutMs ?? 5_000
    const logger = options.logger && harmless(options.logger)
    const clock = options.clock ?? systemClock
    this.#cluster = new Cluster({
      bootstrap,
      clientId: options.clientId ?? 'millrace',
      ...securityOf(options, { bootstrap, clock, logger, timeoutMs: connectTimeoutMs }),
      connectTimeoutMs,
      requestTimeoutMs: options.requestTimeoutMs ?? 30_000,
      timeoutMs: options.timeoutMs ?? 30_000,
      bootstrapTimeoutMs: options.bootstrapTimeoutMs ?? 3_000,
      retry: {
        backoffMs: options.retry?.backoffMs ?? 100,
        backoffMaxMs: options.retry?.backoffMaxMs ?? 1_000,
      },
      metadataAgeMaxMs: options.metadataAgeMaxMs ?? 300_000,
      logger,
      clock,
    })
  }

  /**
   * With `transactionalId`, a producer whose records and commits come in transactions.
   *
   * @throws {TypeError} for an option that is none, and options that contradict each other
   */
  producer(options: TransactionalProducerOptions): TransactionalProducer
  producer(options?: ProducerOptions): Producer
  producer(
    options: ProducerOptions | TransactionalProducerOptions = {},
  ): Producer | TransactionalProducer {
    const producer = has(options, 'transactionalId')
      ? new TransactionalProducer(this.#cluster, options, this.#onClose)
      : new Producer(this.#cluster, options, this.#onClose)
    this.#users.add(producer)
    return producer
  }

  /** With `group`, a member of a consumer group; without, a plain reader of whole partitions that commits nothing. */
  consumer<const T extends readonly TopicSelector[]>(
    options: GroupConsumerOptions<T>,
  ): GroupConsumer<RecordOf<T[number]>>
  consumer<const T extends readonly TopicSelector[]>(
    options: ConsumerOptions<T>,
  ): Consumer<RecordOf<T[number]>>
  consumer(
    options: ConsumerOptions<any> | GroupConsumerOptions<any>,
  ): Consumer<any> | GroupConsumer<any> {
    const consumer = has(options, 'group')
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
    const taken = checked('client.close', callOptions, options)
    const closings = [...this.#users].map((user) => user.close(taken))
    const results = await Promise.allSettled(closings)
    this.#cluster.close()
    for (const result of results) if (result.status === 'rejected') throw result.reason
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

function has<Name extends string>(options: unknown, name: Name): options is Record<Name, any> {
  return typeof options === 'object' && options !== null && name in options
}
