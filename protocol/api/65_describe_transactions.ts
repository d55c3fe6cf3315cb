// DescribeTransactions: v0 only, flexible from the start (KIP-664).

import {
  api,
  array,
  int16,
  int32,
  int64,
  string,
  type RequestOf,
  type ResponseInput,
} from '../schema.ts'

export const describeTransactions = api({
  key: 65,
  name: 'DescribeTransactions',
  versions: '0',
  flexible: '0+',
  request: { transactionalIds: array(string) },
  response: {
    throttleTimeMs: int32.default(0),
    transactionStates: array({
      errorCode: int16,
      transactionalId: string,
      transactionState: string,
      transactionTimeoutMs: int32,
      transactionStartTimeMs: int64, // -1: no transaction is open
      producerId: int64,
      producerEpoch: int16,
      topics: array({ topic: string, partitions: array(int32) }),
    }),
  },
})
export type DescribeTransactionsRequest = RequestOf<typeof describeTransactions>
export type DescribeTransactionsResponse = ResponseInput<typeof describeTransactions>
