// AddOffsetsToTxn: v2 may answer PRODUCER_FENCED (KIP-588); v3 flexible; v4 may answer TRANSACTION_ABORTABLE (KIP-890).

import { api, int16, int32, int64, string, type RequestOf, type ResponseInput } from '../schema.ts'

export const addOffsetsToTxn = api({
  key: 25,
  name: 'AddOffsetsToTxn',
  versions: '0-4',
  flexible: '3+',
  request: {
    transactionalId: string,
    producerId: int64,
    producerEpoch: int16,
    groupId: string,
  },
  response: { throttleTimeMs: int32.default(0), errorCode: int16 },
})
export type AddOffsetsToTxnRequest = RequestOf<typeof addOffsetsToTxn>
export type AddOffsetsToTxnResponse = ResponseInput<typeof addOffsetsToTxn>
