// The transaction coordinator's requests, answers and records: plain data, no wire format. Network thread.
// Source: KIP-98, KIP-360 (epoch bumps), KIP-890 (an epoch for each transaction); docs/formats/transactions.md

import type { transactionStates } from '../../protocol/transaction-states.ts'
import { OFFSETS_TOPIC } from '../../storage/topic-name.ts'

export type TransactionState = (typeof transactionStates)[number]

/** How a transaction ended: the label of `millrace_txn_total`. */
export type TransactionResult = 'commit' | 'abort' | 'timeout' | 'fenced'

export interface ProducerIdentity {
  readonly producerId: number
  readonly producerEpoch: number
}

export interface TopicPartitions {
  readonly topic: string
  readonly partitions: readonly number[]
}

/** Where groups commit offsets. */
export const offsetsPartition: TopicPartitions = { topic: OFFSETS_TOPIC, partitions: [0] }

/** The state that survives a restart: each change of a transactional id writes the whole record. */
export interface TransactionRecord extends ProducerIdentity {
  /** -1 for a transactional id that no producer has yet. */
  readonly producerEpoch: number
  /** Id and epoch before the last bump. A request that still carries them is a retry whose answer was lost. */
  readonly previous: ProducerIdentity | null
  /** While a transaction ends: the next producer id, if the epochs of this one are used up. */
  readonly nextProducerId: number | null
  readonly timeoutMs: number
  readonly state: TransactionState
  /**
   * Partitions of the open transaction, empty when there is none; with that of __consumer_offsets if groups commit in
   * it.
   */
  readonly partitions: readonly TopicPartitions[]
  /** ms since the epoch at which the open transaction began; null: none is open. */
  readonly startMs: number | null
  /** ms since the epoch of the last change. */
  readonly updateMs: number
}

/** A request of a transactional producer. */
export interface ProducerRequest extends ProducerIdentity {
  readonly transactionalId: string
}

export interface InitRequest {
  readonly transactionalId: string
  readonly timeoutMs: number
  /** Id and epoch of a producer that goes on after an error (KIP-360); null for a new instance, which fences older ones. */
  readonly current: ProducerIdentity | null
}

export interface EndRequest extends ProducerRequest {
  readonly isCommit: boolean
  /** EndTxn 5: every end gives the producer a new epoch (KIP-890). */
  readonly bumpsEpoch: boolean
}
