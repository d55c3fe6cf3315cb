// DescribeProducers: v0 only, flexible from the start (KIP-664). The epoch is an int32 here, and an int16 in all other APIs.

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

export const describeProducers = api({
  key: 61,
  name: 'DescribeProducers',
  versions: '0',
  flexible: '0+',
  request: {
    topics: array({ name: string, partitionIndexes: array(int32) }),
  },
  response: {
    throttleTimeMs: int32.default(0),
    topics: array({
      name: string,
      partitions: array({
        partitionIndex: int32,
        errorCode: int16,
        errorMessage: string.orNull().default(null),
        activeProducers: array({
          producerId: int64,
          producerEpoch: int32,
          lastSequence: int32.default(-1),
          lastTimestamp: int64.default(-1),
          coordinatorEpoch: int32,
          currentTxnStartOffset: int64.default(-1),
        }),
      }),
    }),
  },
})
export type DescribeProducersRequest = RequestOf<typeof describeProducers>
export type DescribeProducersResponse = ResponseInput<typeof describeProducers>
