// Client: the handle to a cluster. Owns its sockets; producers, consumers and admins borrow them.

import { Admin } from './admin/admin.ts'
import { callOptions, type CallOptions, type Closeable } from './call.ts'
import { clusterFor, type ClientOptions } from './client-options.ts'
import type { Cluster } from './cluster/cluster.ts'
import { Consumer, type ConsumerOptions } from './consumer/consumer.ts'
import { GroupConsumer } from './group/group-consumer.ts'
import type { GroupConsumerOptions } from './group/group-options.ts'
import { checked } from './options.ts'
import { Producer, type ProducerOptions } from './producer/producer.ts'
import type { RecordOf, TopicSelector } from './topic.ts'
import {
  TransactionalProducer,
  type TransactionalProducerOptions,
} from './transaction/transactional-producer.ts'

/** Connects on first use. `close` or `await using` closes its producers and consumers, then its sockets. */
export class Client implements AsyncDisposable {
  readonly #cluster: Cluster
  /** Open producers and consumers: closed before the sockets. */
  readonly #users = new Set<Closeable>()
  readonly #onClose = (user: Closeable): void => void this.#users.delete(user)

  /** @throws {TypeError} for an unknown or wrong option, or a wrong address */
  constructor(given: ClientOptions) {
    this.#cluster = clusterFor('new Client', given)
  }

  /**
   * With `transactionalId`, a producer that sends and commits in transactions only.
   *
   * @throws {TypeError} for an unknown or wrong option, and for options that contradict each other
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

  /** With `group`, a member of a consumer group; without it, a consumer that reads all partitions and commits nothing. */
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

  /** Producers flush before they close. Idempotent. */
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
