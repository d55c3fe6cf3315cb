// AbortedTransactions: which of the fetched batches belong to aborted transactions. Any thread.
// As in Apache Kafka's consumer (KIP-98), an aborted transaction of the broker's list starts with the batch that
// reaches its first offset. From there to its abort marker every transactional batch of that producer is dropped.

import { readEndMarker } from '../../protocol/batch/control.ts'
import type { BatchHeader } from '../../protocol/batch/header.ts'

export interface AbortedTransaction {
  readonly producerId: number
  /** Offset of the transaction's first record in the partition; it may lie before the fetched bytes. */
  readonly firstOffset: number
}

export class AbortedTransactions {
  /** Transactions that no batch has reached yet, the last offset first. */
  readonly #ahead: AbortedTransaction[]
  /** Producers with an aborted transaction that has started and not ended. */
  readonly #producerIds = new Set<number>()

  /** @param transactions of one fetch and partition, in any order */
  constructor(transactions: readonly AbortedTransaction[]) {
    this.#ahead = transactions.toSorted((a, b) => b.firstOffset - a.firstOffset)
  }

  /**
   * Does the batch belong to an aborted transaction? The caller asks for every batch, in order.
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
