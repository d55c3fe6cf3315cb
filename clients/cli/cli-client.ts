// CliClient: the client of a verb. It loads only the parts that the verb asks for, where the library's Client loads all:
// docs/decisions/0033

import { Admin } from '../admin/admin.ts'
import { clusterFor, type ClientOptions } from '../client-options.ts'
import type { Cluster } from '../cluster/cluster.ts'
import type { Consumer, ConsumerOptions } from '../consumer/consumer.ts'
import type { GroupConsumer } from '../group/group-consumer.ts'
import type { GroupConsumerOptions } from '../group/group-options.ts'
import type { Producer, ProducerOptions } from '../producer/producer.ts'
import type { TopicSelector } from '../topic.ts'
import type {
  TransactionalProducer,
  TransactionalProducerOptions,
} from '../transaction/transactional-producer.ts'

const nothing = (): void => {}

/** Connects on first use. A verb disposes of its producers and consumers before it. */
export class CliClient implements Disposable {
  readonly #cluster: Cluster

  /** @throws {TypeError} for a wrong address or option */
  constructor(options: ClientOptions) {
    this.#cluster = clusterFor('millrace', options)
  }

  admin(): Admin {
    return new Admin(this.#cluster)
  }

  async consumer(options: ConsumerOptions<readonly TopicSelector[]>): Promise<Consumer> {
    const { Consumer } = await import('../consumer/consumer.ts')
    return new Consumer<any>(this.#cluster, options, nothing)
  }

  async groupConsumer(
    options: GroupConsumerOptions<readonly TopicSelector[]>,
  ): Promise<GroupConsumer> {
    const { GroupConsumer } = await import('../group/group-consumer.ts')
    return new GroupConsumer<any>(this.#cluster, options, nothing)
  }

  async producer(options: ProducerOptions): Promise<Producer> {
    const { Producer } = await import('../producer/producer.ts')
    return new Producer(this.#cluster, options, nothing)
  }

  async transactionalProducer(
    options: TransactionalProducerOptions,
  ): Promise<TransactionalProducer> {
    const { TransactionalProducer } = await import('../transaction/transactional-producer.ts')
    return new TransactionalProducer(this.#cluster, options, nothing)
  }

  [Symbol.dispose](): void {
    this.#cluster.close()
  }
}
