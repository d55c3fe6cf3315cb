// WriteTxnMarkers: v1 flexible, the oldest that Kafka still supports; v2 the transaction version of the marker (KIP-1228).

import {
  api,
  array,
  bool,
  int16,
  int32,
  int64,
  int8,
  string,
  type RequestOf,
  type ResponseInput,
} from '../schema.ts'

export const writeTxnMarkers = api({
  key: 27,
  name: 'WriteTxnMarkers',
  versions: '1-2',
  flexible: '1+',
  request: {
    markers: array({
      producerId: int64,
      producerEpoch: int16,
      transactionResult: bool, // true: commit
      topics: array({ name: string, partitionIndexes: array(int32) }),
      coordinatorEpoch: int32,
      transactionVersion: int8.in('2+').default(0),
    }),
  },
  response: {
    markers: array({
      producerId: int64,
      topics: array({
        name: string,
        partitions: array({ partitionIndex: int32, errorCode: int16 }),
      }),
    }),
  },
})
export type WriteTxnMarkersRequest = RequestOf<typeof writeTxnMarkers>
export type WriteTxnMarkersResponse = ResponseInput<typeof writeTxnMarkers>
