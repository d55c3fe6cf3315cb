// The transaction coordinator's durable state: a table in __transaction_state, with Apache Kafka's records. Network
// thread. Format: docs/formats/transactions.md

import { KafkaError, type ErrorName } from '../../protocol/errors.ts'
import type { Store, Table } from '../../storage/store.ts'
import { TRANSACTIONS_TOPIC } from '../../storage/topic-name.ts'
import type { TransactionTable } from './coordinator.ts'
import type { TransactionRecord } from './messages.ts'
import { transactionFormat } from './record-format.ts'

/** Clients of transactions treat this one as "wait a little and ask again". */
const REFUSAL = 'COORDINATOR_NOT_AVAILABLE'

export async function openTransactionState(store: Store): Promise<TransactionTable> {
  const table: Table<string, TransactionRecord> = await store.tables.open(
    TRANSACTIONS_TOPIC,
    transactionFormat,
  )
  store.producerIds.skipTo(idsUsedIn(table.entries()))
  return {
    entries: () => table.entries(),
    async put(transactionalId, record) {
      try {
        await table.write([[transactionalId, record]])
        return undefined
      } catch (error) {
        if (error instanceof KafkaError) return REFUSAL
        throw error
      }
    },
  }
}

/** Counts ids of Apache Kafka too. @returns the first id above all ids that a record names */
function idsUsedIn(entries: Iterable<[string, TransactionRecord]>): number {
  let end = 0
  for (const [, { producerId, nextProducerId }] of entries) {
    end = Math.max(end, producerId + 1, (nextProducerId ?? -1) + 1)
  }
  return end
}

/** @returns the epoch of a producer whose transaction has not ended everywhere; undefined: none */
export function openEpochOf(table: TransactionTable, producerId: number): number | undefined {
  for (const [, record] of table.entries()) {
    if (record.producerId === producerId && record.partitions.length > 0) {
      return record.producerEpoch
    }
  }
  return undefined
}

export async function newProducerId(store: Store): Promise<number | ErrorName> {
  try {
    return await store.producerIds.next()
  } catch (error) {
    if (error instanceof KafkaError) return REFUSAL
    throw error
  }
}
