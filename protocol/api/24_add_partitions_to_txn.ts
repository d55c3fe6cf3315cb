// AddPartitionsToTxn: v2 may answer PRODUCER_FENCED (KIP-588); v3 flexible. Only brokers use versions 4 and 5, among each other
// (KIP-890), so this table has none.

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

export const addPartitionsToTxn = api({
  key: 24,
  name: 'AddPartitionsToTxn',
  versions: '0-3',
  flexible: '3+',
  request: {
    transactionalId: string,
    producerId: int64,
    producerEpoch: int16,
    topics: array({ name: string, partitions: array(int32) }),
  },
  response: {
    throttleTimeMs: int32.default(0),
    topics: array({
      name: string,
      partitions: array({ partitionIndex: int32, errorCode: int16 }),
    }),
  },
})
export type AddPartitionsToTxnRequest = RequestOf<typeof addPartitionsToTxn>
export type AddPartitionsToTxnResponse = ResponseInput<typeof addPartitionsToTxn>
