// ListTransactions: transactional ids by state, producer id, how long their transaction is open, and a pattern.
// Versions: 0-2
// Behaviour: a duration lists open transactions only. The pattern is a regular expression of RE2, as in Apache Kafka, and
// must match the whole id.

import {
  listTransactions,
  type ListTransactionsRequest,
} from '../../protocol/api/66_list_transactions.ts'
import type { Clock } from '../../storage/clock.ts'
import { matchesWhole } from '../pattern.ts'
import type { Handler } from '../net/handler.ts'
import type { TransactionCoordinator } from '../txn/coordinator.ts'
import { transactionStates, type TransactionRecord } from '../txn/messages.ts'

/** States of Apache Kafka in which nothing is here. */
const otherStates = ['Dead', 'PrepareEpochFence']

interface ListTransactionsDeps {
  readonly transactions: TransactionCoordinator
  readonly clock: Clock
}

export function listTransactionsHandler({
  transactions,
  clock,
}: ListTransactionsDeps): Handler<typeof listTransactions> {
  return {
    api: listTransactions,
    async handle(request) {
      const { transactionalIdPattern: pattern, stateFilters } = request
      const nowMs = clock.now()
      const wanted = [...transactions.list()].filter(({ record }) =>
        isWanted(record, request, nowMs),
      )
      const matching = await matchesWhole(
        pattern ?? '',
        wanted.map(({ id }) => id),
      )
      const ids = new Set(matching)
      return {
        errorCode: 0,
        unknownStateFilters: stateFilters.filter((state) => !isState(state)),
        transactionStates: wanted
          .filter(({ id }) => ids.has(id))
          .map(({ id, record }) => ({
            transactionalId: id,
            producerId: record.producerId,
            transactionState: record.state,
          })),
      }
    },
    refuse: (_request, code) => ({
      errorCode: code,
      unknownStateFilters: [],
      transactionStates: [],
    }),
  }
}

function isState(name: string): boolean {
  return [...transactionStates, ...otherStates].includes(name)
}

function isWanted(
  { state, producerId, startMs }: TransactionRecord,
  { stateFilters, producerIdFilters, durationFilter }: ListTransactionsRequest,
  nowMs: number,
): boolean {
  if (stateFilters.length > 0 && !stateFilters.includes(state)) return false
  if (producerIdFilters.length > 0 && !producerIdFilters.includes(producerId)) return false
  return durationFilter < 0 || (startMs !== null && nowMs - startMs > durationFilter)
}
