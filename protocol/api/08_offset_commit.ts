// OffsetCommit: v3 throttle time; v5 no retention time; v6 leader epoch (KIP-320); v7 groupInstanceId (KIP-345);
// v8 flexible; v9 for the new group protocol too (KIP-848).

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

export const offsetCommit = api({
  key: 8,
  name: 'OffsetCommit',
  versions: '2-9',
  flexible: '8+',
  request: {
    groupId: string,
    generationIdOrMemberEpoch: int32.default(-1), // -1: from outside the group
    memberId: string.default(''),
    groupInstanceId: string.orNull().in('7+').default(null), // KIP-345
    retentionTimeMs: int64.in('-4').default(-1),
    topics: array({
      name: string,
      partitions: array({
        partitionIndex: int32,
        committedOffset: int64,
        committedLeaderEpoch: int32.in('6+').default(-1),
        committedMetadata: string.orNull().default(null),
      }),
    }),
  },
  response: {
    throttleTimeMs: int32.in('3+').default(0),
    topics: array({
      name: string,
      partitions: array({ partitionIndex: int32, errorCode: int16 }),
    }),
  },
})
export type OffsetCommitRequest = RequestOf<typeof offsetCommit>
export type OffsetCommitResponse = ResponseInput<typeof offsetCommit>
