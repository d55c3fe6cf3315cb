// PendingOffsets: what open transactions want to commit in one group. Nobody sees it before the transaction has committed.
// In memory; what is durable lies in __consumer_offsets. Network thread.

import { GroupOffsets, type CommittedOffset, type PartitionOffset } from './offsets.ts'

export class PendingOffsets {
  readonly #byProducer = new Map<number, GroupOffsets>()

  get isEmpty(): boolean {
    return this.#byProducer.size === 0
  }

  /** The producers of which it is not yet known what they commit for this partition. */
  producersOf(topic: string, partition: number): number[] {
    return [...this.#byProducer.keys()].filter(
      (producerId) => this.#byProducer.get(producerId)!.get(topic, partition) !== undefined,
    )
  }

  set(producerId: number, topic: string, partition: number, pending: CommittedOffset): void {
    const offsets = this.#byProducer.get(producerId) ?? new GroupOffsets()
    this.#byProducer.set(producerId, offsets)
    offsets.set(topic, partition, pending)
  }

  ofProducer(producerId: number): Iterable<PartitionOffset> {
    return this.#byProducer.get(producerId)?.list() ?? []
  }

  delete(producerId: number, topic: string, partition: number): void {
    const offsets = this.#byProducer.get(producerId)
    offsets?.delete(topic, partition)
    if (offsets?.isEmpty) this.#byProducer.delete(producerId)
  }

  *list(): Iterable<PartitionOffset & { readonly producerId: number }> {
    for (const [producerId, offsets] of this.#byProducer) {
      for (const each of offsets.list()) yield { producerId, ...each }
    }
  }
}
