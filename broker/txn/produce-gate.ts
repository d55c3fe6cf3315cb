// ProduceGate: decides which transactional batches may go to the writer, and when. A batch for a partition outside
// its transaction waits until the partition has joined (KIP-890), and later batches of its producer wait behind it.
// Network thread.

import type { ErrorName } from '../../protocol/errors.ts'
import type { TransactionCoordinator } from './coordinator.ts'
import type { ProducerRequest, TopicPartitions } from './messages.ts'
import { refusalOfProducer } from './transitions.ts'

export class ProduceGate {
  readonly #coordinator: TransactionCoordinator
  /** By transactional id: resolves when the last of its waiting requests has gone through. */
  readonly #lines = new Map<string, Promise<unknown>>()

  constructor(coordinator: TransactionCoordinator) {
    this.#coordinator = coordinator
  }

  /** undefined when this producer's open transaction takes the batch now. */
  refusalOf(producer: ProducerRequest, topic: string, partition: number): ErrorName | undefined {
    const id = this.#coordinator.get(producer.transactionalId)
    if (id === undefined) return 'INVALID_PRODUCER_ID_MAPPING'
    const refusal = refusalOfProducer(id.record, producer)
    return refusal ?? (id.includes(topic, partition) ? undefined : 'INVALID_TXN_STATE')
  }

  hasLine(transactionalId: string): boolean {
    return this.#lines.has(transactionalId)
  }

  /**
   * Adds partitions to the transaction, then lets the batches through, in the order of the calls.
   *
   * @param pass puts the batches into the writer's inbox without waiting for it; it gets the error if no partition
   *   joined
   */
  passInLine<Passed>(
    producer: ProducerRequest,
    partitions: readonly TopicPartitions[],
    pass: (error: ErrorName | undefined) => Passed,
  ): Promise<Passed> {
    const { transactionalId } = producer
    const before = this.#lines.get(transactionalId) ?? Promise.resolve()
    const passing = before.then(async () => {
      const isNothing = partitions.length === 0
      return pass(isNothing ? undefined : await this.#coordinator.add(producer, partitions))
    })
    const line = passing
      .catch(() => {}) // the caller gets the error
      .then(() => {
        if (this.#lines.get(transactionalId) === line) this.#lines.delete(transactionalId)
      })
    this.#lines.set(transactionalId, line)
    return passing
  }
}
