// InitProducerId: v2 flexible; v3 a producer recovers with its known id (KIP-360); v4 may answer PRODUCER_FENCED (KIP-588);
// v5 may answer TRANSACTION_ABORTABLE (KIP-890).

import { api, int16, int32, int64, string, type RequestOf, type ResponseInput } from '../schema.ts'

export const initProducerId = api({
  key: 22,
  name: 'InitProducerId',
  versions: '0-5',
  flexible: '2+',
  request: {
    transactionalId: string.orNull().default(null),
    transactionTimeoutMs: int32.default(0),
    producerId: int64.in('3+').default(-1),
    producerEpoch: int16.in('3+').default(-1),
  },
  response: {
    throttleTimeMs: int32.default(0),
    errorCode: int16,
    producerId: int64.default(-1),
    producerEpoch: int16,
  },
})
export type InitProducerIdRequest = RequestOf<typeof initProducerId>
export type InitProducerIdResponse = ResponseInput<typeof initProducerId>
