// What the transaction coordinator keeps, as a table in __transaction_state: one record for each transactional id.
// Network thread. Format: docs/formats/transactions.md

import { KafkaError, type ErrorName } from '../../protocol/errors.ts'
import type { Store, Table } from '../../storage/store.ts'
import type { TransactionTable } from './coordinator.ts'
import type { TransactionRecord } from './messages.ts'

const TOPIC = '__transaction_state'

/** Clients of transactions know this one as "wait a little and ask again". */
const REFUSAL = 'COORDINATOR_NOT_AVAILABLE'

export async function openTransactionState(store: Store): Promise<TransactionTable> {
  const table: Table<string, TransactionRecord> = await store.openTable(TOPIC)
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

export async function newProducerId(store: Store): Promise<number | ErrorName> {
  try {
    return await store.nextProducerId()
  } catch (error) {
    if (error instanceof KafkaError) return REFUSAL
    throw error
  }
}
