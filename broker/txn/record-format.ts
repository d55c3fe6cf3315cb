// Transactional ids as records of __transaction_state, in Apache Kafka's format and in that of earlier releases.
// Pure.
// Format: docs/formats/transactions.md

import {
  decodeTransactionLog,
  TRANSACTION_LOG_KEY_VERSION,
  TRANSACTION_LOG_VALUE_VERSION,
  transactionLogKey,
  transactionLogValue,
  type TransactionLogValue,
} from '../../protocol/kept/transaction-log.ts'
import { allTransactionStates, transactionStates } from '../../protocol/transaction-states.ts'
import { encodeVersioned } from '../../protocol/versioned.ts'
import type { RecordFormat } from '../../storage/store.ts'
import { packedFormat } from '../../storage/record-format.ts'
import { offsetsPartition, type ProducerIdentity, type TransactionRecord } from './messages.ts'
import { isEnding } from './transitions.ts'

const TRANSACTION_VERSION_2 = 2
/** Values of Kafka's begin with a small version, those of the first release with the mark of a map. */
const OLD_VALUE_MIN = 0x80

/** The first release had group ids instead of the partition of __consumer_offsets. */
type OldRecord = TransactionRecord & { readonly groupIds: readonly string[] }

export const transactionFormat: RecordFormat<string, TransactionRecord> = {
  encode: (transactionalId, record) => ({
    key: encodeVersioned(transactionLogKey, { transactionalId }, TRANSACTION_LOG_KEY_VERSION),
    value: record
      ? encodeVersioned(transactionLogValue, valueOf(record), TRANSACTION_LOG_VALUE_VERSION)
      : null,
  }),
  decode(key, value) {
    if (isOld(key, value)) return decodeOld(key, value)
    const record = decodeTransactionLog(key, value)
    if (record === undefined) return undefined
    return { key: record.transactionalId, value: record.value ? recordOf(record.value) : undefined }
  },
}

function valueOf(record: TransactionRecord) {
  const { producerId, producerEpoch, previous, nextProducerId, partitions, startMs } = record
  return {
    producerId,
    producerEpoch,
    previousProducerId: previous?.producerId ?? -1,
    previousProducerEpoch: previous?.producerEpoch ?? -1,
    nextProducerId: nextProducerId ?? -1,
    transactionTimeoutMs: record.timeoutMs,
    transactionStatus: allTransactionStates.indexOf(record.state),
    transactionPartitions:
      record.state === 'Empty'
        ? null
        : partitions.map(({ topic, partitions: partitionIds }) => ({ topic, partitionIds })),
    lastUpdateTimestampMs: record.updateMs,
    startTimestampMs: startMs ?? -1,
    clientTransactionVersion: hasEnded(record) && previous !== null ? TRANSACTION_VERSION_2 : 0,
  }
}

/** @returns undefined for a forgotten id. @throws {Error} for an unknown state */
function recordOf(value: TransactionLogValue): TransactionRecord | undefined {
  const status = allTransactionStates[value.transactionStatus]
  if (status === 'Dead') return undefined
  const state = transactionStates.find((each) => each === status)
  if (state === undefined) throw new Error(`transaction status ${value.transactionStatus}`)
  const { producerId, producerEpoch, nextProducerId, startTimestampMs } = value
  const record: TransactionRecord = {
    producerId,
    producerEpoch,
    previous: null,
    nextProducerId: nextProducerId < 0 ? null : nextProducerId,
    timeoutMs: value.transactionTimeoutMs,
    state,
    partitions: (value.transactionPartitions ?? []).map(({ topic, partitionIds }) => {
      return { topic, partitions: partitionIds }
    }),
    startMs: startTimestampMs < 0 ? null : startTimestampMs,
    updateMs: value.lastUpdateTimestampMs,
  }
  return { ...record, previous: previousOf(value, record) }
}

/** Kafka does not keep the previous epoch: where every end bumps it, it is one less. */
function previousOf(
  value: TransactionLogValue,
  record: TransactionRecord,
): ProducerIdentity | null {
  const { previousProducerId, previousProducerEpoch, clientTransactionVersion } = value
  const { producerId, producerEpoch } = record
  if (previousProducerEpoch >= 0 && previousProducerId >= 0) {
    return { producerId: previousProducerId, producerEpoch: previousProducerEpoch }
  }
  const isBumped = clientTransactionVersion >= TRANSACTION_VERSION_2 && hasEnded(record)
  return isBumped && producerEpoch > 0 ? { producerId, producerEpoch: producerEpoch - 1 } : null
}

function hasEnded(record: TransactionRecord): boolean {
  return isEnding(record) || record.state === 'CompleteCommit' || record.state === 'CompleteAbort'
}

/** In the first release the key is the plain transactional id, which hardly ever looks like a key of Kafka's. */
function isOld(key: Buffer, value: Buffer | null): boolean {
  if (value !== null) return value.length > 0 && value[0]! >= OLD_VALUE_MIN
  return key.length < 4 || key.readInt32BE() !== key.length - 4
}

const old = packedFormat<string, OldRecord>()

function decodeOld(key: Buffer, value: Buffer | null) {
  const record = old.decode(key, value)!
  if (record.value === undefined) return { key: record.key, value: undefined, isOld: true }
  const { groupIds, ...rest } = record.value
  if (!transactionStates.includes(rest.state)) throw new Error(`transaction state ${rest.state}`)
  const partitions = groupIds.length > 0 ? [...rest.partitions, offsetsPartition] : rest.partitions
  return { key: record.key, value: { ...rest, partitions }, isOld: true }
}
