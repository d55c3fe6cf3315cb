// ListOffsets: v2 isolation level; v4 leader epoch fencing (KIP-320); v6 flexible; v7 timestamp -3, the largest one
// (KIP-734); v8 -4 earliest local (KIP-405); v9 -5 latest tiered (KIP-1005); v10 timeoutMs (KIP-1075).

import {
  api,
  array,
  int16,
  int32,
  int64,
  int8,
  string,
  type RequestOf,
  type ResponseInput,
} from '../schema.ts'

export const listOffsets = api({
  key: 2,
  name: 'ListOffsets',
  versions: '1-10',
  flexible: '6+',
  request: {
    replicaId: int32.default(-1),
    isolationLevel: int8.in('2+').default(0), // 0 read uncommitted, 1 read committed
    topics: array({
      name: string,
      partitions: array({
        partitionIndex: int32,
        currentLeaderEpoch: int32.in('4+').default(-1),
        timestamp: int64, // ms, or -1 latest, -2 earliest
      }),
    }),
    timeoutMs: int32.in('10+').default(0), // KIP-1075
  },
  response: {
    throttleTimeMs: int32.in('2+').default(0),
    topics: array({
      name: string,
      partitions: array({
        partitionIndex: int32,
        errorCode: int16,
        timestamp: int64.default(-1),
        offset: int64.default(-1),
        leaderEpoch: int32.in('4+').default(-1),
      }),
    }),
  },
})
export type ListOffsetsRequest = RequestOf<typeof listOffsets>
export type ListOffsetsResponse = ResponseInput<typeof listOffsets>
