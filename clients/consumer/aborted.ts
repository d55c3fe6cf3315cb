// AbortedTransactions: which of the batches that a fetch gave belong to transactions that were aborted. Any thread.
// As Apache Kafka's consumer does it: a transaction on the broker's list begins to count with the batch that reaches its
// first offset, and until its abort marker every transactional batch of that producer is dropped.

import { readEndMarker } from '../../protocol/batch/control.ts'
import type { BatchHeader } from '../../protocol/batch/header.ts'

export interface AbortedTransaction {
  readonly producerId: number
  /** Of its first record in the partition; may lie before what was fetched. */
  readonly firstOffset: number
}

export class AbortedTransactions {
  /** Those that no batch has reached yet, the last offset first. */
  readonly #ahead: AbortedTransaction[]
  /** Producers whose aborted transaction is under way. */
  readonly #producerIds = new Set<number>()

  /** @param transactions of one fetch and partition, in any order */
  constructor(transactions: readonly AbortedTransaction[]) {
    this.#ahead = transactions.toSorted((a, b) => b.firstOffset - a.firstOffset)
  }

  /**
   * Is the batch of an aborted transaction? To be asked of every batch, in order.
   *
   * @throws {KafkaError} CORRUPT_MESSAGE for a control batch that cannot be read
   */
  covers(bytes: Uint8Array, at: number, header: BatchHeader): boolean {
    if (this.#ahead.length === 0 && this.#producerIds.size === 0) return false
    const { producerId, baseOffset, lastOffsetDelta } = header
    while ((this.#ahead.at(-1)?.firstOffset ?? Infinity) <= baseOffset + lastOffsetDelta)
      this.#producerIds.add(this.#ahead.pop()!.producerId)
    if (!header.isTransactional || !this.#producerIds.has(producerId)) return false
    if (header.isControl && readEndMarker(bytes, at, header)?.kind === 'abort')
      this.#producerIds.delete(producerId)
    return true
  }
}
