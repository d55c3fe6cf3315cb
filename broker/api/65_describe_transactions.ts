// DescribeTransactions: the state of transactional ids, and the partitions of their open transactions (KIP-664).
// Versions: 0
// Behaviour: of a transaction that is ending the answer has the partitions without a marker yet.

import {
  describeTransactions,
  type DescribeTransactionsResponse,
} from '../../protocol/api/65_describe_transactions.ts'
import { errorCode } from '../../protocol/errors.ts'
import type { Handler, RequestContext } from '../handler.ts'
import type { TransactionCoordinator } from '../txn/coordinator.ts'

type TransactionAnswer = DescribeTransactionsResponse['transactionStates'][number]

export function describeTransactionsHandler({
  transactions,
}: {
  readonly transactions: TransactionCoordinator
}): Handler<typeof describeTransactions> {
  return {
    api: describeTransactions,
    handle: async ({ transactionalIds }, context) => ({
      transactionStates: await context.work.each(transactionalIds, (id) =>
        context.allows('Describe', 'TransactionalId', id)
          ? answerFor(transactions, id, context)
          : failed(id, errorCode('TRANSACTIONAL_ID_AUTHORIZATION_FAILED')),
      ),
    }),
    refuse: ({ transactionalIds }, code) => ({
      transactionStates: transactionalIds.map((id) => failed(id, code)),
    }),
  }
}

function answerFor(
  transactions: TransactionCoordinator,
  transactionalId: string,
  context: RequestContext,
): TransactionAnswer {
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
    topics: [...context.visible(record.partitions, 'Topic', ({ topic }) => topic)],
  }
}

function failed(transactionalId: string, code: number): TransactionAnswer {
  return {
    errorCode: code,
    transactionalId,
    transactionState: '',
    transactionTimeoutMs: 0,
    transactionStartTimeMs: 0,
    producerId: 0,
    producerEpoch: 0,
    topics: [],
  }
}
