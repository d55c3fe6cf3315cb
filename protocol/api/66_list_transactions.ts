// ListTransactions: flexible from the start (KIP-664); v1 durationFilter (KIP-994); v2 transactionalIdPattern (KIP-1152).

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

export const listTransactions = api({
  key: 66,
  name: 'ListTransactions',
  versions: '0-2',
  flexible: '0+',
  request: {
    stateFilters: array(string), // none: any state
    producerIdFilters: array(int64), // none: any producer
    durationFilter: int64.in('1+').default(-1), // ms; only transactions that run for longer
    transactionalIdPattern: string.orNull().in('2+').default(null), // KIP-1152
  },
  response: {
    throttleTimeMs: int32.default(0),
    errorCode: int16,
    unknownStateFilters: array(string),
    transactionStates: array({
      transactionalId: string,
      producerId: int64,
      transactionState: string,
    }),
  },
})
export type ListTransactionsRequest = RequestOf<typeof listTransactions>
export type ListTransactionsResponse = ResponseInput<typeof listTransactions>
