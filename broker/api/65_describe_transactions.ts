// DescribeTransactions: the state of transactional ids, and the partitions of their open transactions.
// Versions: 0
// Behaviour: of a transaction that is ending, the partitions that have not heard yet.

import {
  describeTransactions,
  type DescribeTransactionsResponse,
} from '../../protocol/api/65_describe_transactions.ts'
import { errorCode } from '../../protocol/errors.ts'
import type { Handler } from '../handler.ts'
import type { TransactionCoordinator } from '../txn/coordinator.ts'

type TransactionAnswer = DescribeTransactionsResponse['transactionStates'][number]

export function describeTransactionsHandler({
  transactions,
}: {
  readonly transactions: TransactionCoordinator
}): Handler<typeof describeTransactions> {
  return {
    api: describeTransactions,
    handle: async ({ transactionalIds }, { work }) => ({
      transactionStates: await work.each(transactionalIds, (id) => answerFor(transactions, id)),
    }),
    refuse: ({ transactionalIds }, code) => ({
      transactionStates: transactionalIds.map((id) => failed(id, code)),
    }),
  }
}

function answerFor(transactions: TransactionCoordinator, transactionalId: string) {
  const record = transactions.get(transactionalId)?.record
  if (record === undefined) return failed(transactionalId, errorCode('TRANSACTIONAL_ID_NOT_FOUND'))
  return {
    errorCode: 0,
    transactionalId,
    transactionState: record.state,
    transactionTimeoutMs: record.timeoutMs,
    transactionStartTimeMs: record.startMs ?? -1,
    producerId: record.producerId,
    producerEpoch: record.producerEpoch,
    topics: record.partitions,
  }
}

function failed(transactionalId: string, code: number): TransactionAnswer {
  return {
    errorCode: code,
    transactionalId,
    transactionState: '',
    transactionTimeoutMs: 0,
    transactionStartTimeMs: -1,
    producerId: -1,
    producerEpoch: -1,
    topics: [],
  }
}
