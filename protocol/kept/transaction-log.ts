// The records of __transaction_state as Apache Kafka writes them: one for each transactional id. Any thread.
// Format: docs/formats/transactions.md

import { array, int16, int32, int64, int8, message, string, type Decoded } from '../schema.ts'
import { decodeWhole, versionOf } from '../versioned.ts'

export const transactionLogKey = message({
  name: 'TransactionLogKey',
  versions: '0',
  flexible: 'none',
  fields: { transactionalId: string },
})
export const TRANSACTION_LOG_KEY_VERSION = 0

/** v1 is flexible, and has the fields of KIP-890. */
export const transactionLogValue = message({
  name: 'TransactionLogValue',
  versions: '0-1',
  flexible: '1+',
  fields: {
    producerId: int64,
    previousProducerId: int64.default(-1).tag(0, '1+'),
    nextProducerId: int64.default(-1).tag(1, '1+'),
    producerEpoch: int16,
    nextProducerEpoch: int16.default(-1).tag(3, '1+'),
    transactionTimeoutMs: int32,
    /** An index of `allTransactionStates`. */
    transactionStatus: int8,
    transactionPartitions: array({ topic: string, partitionIds: array(int32) }).orNull(),
    lastUpdateTimestampMs: int64,
    startTimestampMs: int64,
    /** 2: every end of a transaction bumps the epoch (KIP-890). */
    clientTransactionVersion: int16.tag(2, '1+'),
    /** Our own field; Kafka ignores unknown tags. Belongs to `previousProducerId`. */
    previousProducerEpoch: int16.default(-1).tag(1000, '1+'),
  },
})
export const TRANSACTION_LOG_VALUE_VERSION = 1

export type TransactionLogValue = Decoded<typeof transactionLogValue>

/**
 * @returns undefined for a record of another kind. A null value deletes the id
 * @throws {KafkaError} CORRUPT_MESSAGE, INVALID_REQUEST
 */
export function decodeTransactionLog(
  key: Uint8Array,
  value: Uint8Array | null,
): { transactionalId: string; value: TransactionLogValue | null } | undefined {
  if (versionOf(key) !== TRANSACTION_LOG_KEY_VERSION) return undefined
  const { transactionalId } = decodeWhole(transactionLogKey, key)
  return { transactionalId, value: value && decodeWhole(transactionLogValue, value) }
}
