// EndTxn: v2 may answer PRODUCER_FENCED (KIP-588); v3 flexible; v4 may answer TRANSACTION_ABORTABLE; v5 bumps the epoch at
// every end and answers with the producer's next id and epoch (KIP-890).

import {
  api,
  bool,
  int16,
  int32,
  int64,
  string,
  type RequestOf,
  type ResponseInput,
} from '../schema.ts'

export const endTxn = api({
  key: 26,
  name: 'EndTxn',
  versions: '0-5',
  flexible: '3+',
  request: {
    transactionalId: string,
    producerId: int64,
    producerEpoch: int16,
    committed: bool,
  },
  response: {
    throttleTimeMs: int32.default(0),
    errorCode: int16,
    producerId: int64.in('5+').default(-1),
    producerEpoch: int16.in('5+').default(-1),
  },
})
export type EndTxnRequest = RequestOf<typeof endTxn>
export type EndTxnResponse = ResponseInput<typeof endTxn>
