// Produce: v5 logStartOffset; v8 recordErrors (KIP-467); v9 flexible; v10 leader hint (KIP-951);
// v12 implicit transactions (KIP-890); v13 topic ids.

import { UUID_ZERO } from '../ids.ts'
import {
  api,
  array,
  int16,
  int32,
  int64,
  records,
  string,
  struct,
  uuid,
  type RequestOf,
  type ResponseInput,
} from '../schema.ts'

export const produce = api({
  key: 0,
  name: 'Produce',
  versions: '3-13',
  advertised: '0-13', // with a minimum above 0, librdkafka silently stops compressing; 0 to 2 are refused
  flexible: '9+',
  request: {
    transactionalId: string.orNull().default(null),
    acks: int16, // 0 none, 1 leader, -1 all
    timeoutMs: int32,
    topics: array({
      name: string.in('-12').default(''),
      topicId: uuid.in('13+').default(UUID_ZERO),
      partitions: array({ index: int32, records: records.orNull() }),
    }),
  },
  response: {
    topics: array({
      name: string.in('-12').default(''),
      topicId: uuid.in('13+').default(UUID_ZERO),
      partitions: array({
        index: int32,
        errorCode: int16,
        baseOffset: int64,
        logAppendTimeMs: int64.default(-1),
        logStartOffset: int64.in('5+').default(-1),
        recordErrors: array({ batchIndex: int32, message: string.orNull().default(null) })
          .in('8+')
          .default([]),
        errorMessage: string.orNull().in('8+').default(null),
        currentLeader: struct({ leaderId: int32.default(-1), leaderEpoch: int32.default(-1) }).tag(
          0,
          '10+',
        ),
      }),
    }),
    throttleTimeMs: int32.default(0),
    nodeEndpoints: array({
      nodeId: int32,
      host: string,
      port: int32,
      rack: string.orNull().default(null),
    }).tag(0, '10+'),
  },
})
export type ProduceRequest = RequestOf<typeof produce>
export type ProduceResponse = ResponseInput<typeof produce>
