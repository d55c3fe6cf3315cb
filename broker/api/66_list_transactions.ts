// ListTransactions: transactional ids by state, producer id, age of the transaction and pattern (KIP-664, KIP-994, KIP-1152).
// Versions: 0-2
// Behaviour: with a duration only open transactions are listed. The pattern is a regular expression of RE2, as in Apache Kafka,
// and must match the whole id.

import { listTransactions } from '../../protocol/api/66_list_transactions.ts'
import { allTransactionStates } from '../../protocol/transaction-states.ts'
import type { Clock } from '../../storage/clock.ts'
import { matchesWhole } from '../pattern.ts'
import type { Handler } from '../handler.ts'
import type { TransactionCoordinator } from '../txn/coordinator.ts'
import type { TransactionRecord } from '../txn/messages.ts'

const knownStates: ReadonlySet<string> = new Set(allTransactionStates)

interface Filters {
  readonly states: ReadonlySet<string>
  readonly producerIds: ReadonlySet<number>
  readonly durationFilter: number
  readonly nowMs: number
}

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
    async handle(request, context) {
      const { work } = context
      const { transactionalIdPattern: pattern, durationFilter } = request
      const states = await work.distinct(request.stateFilters)
      const producerIds = await work.distinct(request.producerIdFilters)
      const filters = { states, producerIds, durationFilter, nowMs: clock.now() }
      const shown = context.visible(transactions.list(), 'TransactionalId', ({ id }) => id)
      const wanted = [...shown].filter(({ record }) => isWanted(record, filters))
      const matching = await matchesWhole(
        pattern ?? '',
        wanted.map(({ id }) => id),
      )
      const ids = new Set(matching)
      return {
        errorCode: 0,
        unknownStateFilters: await work.each(unknownIn(states), (state) => state),
        transactionStates: await work.each(
          wanted.filter(({ id }) => ids.has(id)),
          ({ id, record }) => ({
            transactionalId: id,
            producerId: record.producerId,
            transactionState: record.state,
          }),
        ),
      }
    },
    refuse: (_request, code) => ({
      errorCode: code,
      unknownStateFilters: [],
      transactionStates: [],
    }),
  }
}

function* unknownIn(states: Iterable<string>): Iterable<string> {
  for (const state of states) if (!knownStates.has(state)) yield state
}

function isWanted(
  { state, producerId, startMs }: TransactionRecord,
  { states, producerIds, durationFilter, nowMs }: Filters,
): boolean {
  if (states.size > 0 && !states.has(state)) return false
  if (producerIds.size > 0 && !producerIds.has(producerId)) return false
  return durationFilter < 0 || (startMs !== null && nowMs - startMs > durationFilter)
}
