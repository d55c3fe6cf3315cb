// OffsetFetch: v2 null topics are all, errorCode; v3 throttle time; v5 leader epoch (KIP-320); v6 flexible; v7
// requireStable (KIP-447); v8 several groups (KIP-709); v9 member of the new group protocol (KIP-848).

import {
  api,
  array,
  bool,
  int16,
  int32,
  int64,
  string,
  type RequestOf,
  type ResponseInput,
} from '../schema.ts'

const requestTopics = array({ name: string, partitionIndexes: array(int32) })

const responseTopics = array({
  name: string,
  partitions: array({
    partitionIndex: int32,
    committedOffset: int64, // -1: the group has none
    committedLeaderEpoch: int32.in('5+').default(-1),
    metadata: string.orNull().default(null),
    errorCode: int16,
  }),
})

export const offsetFetch = api({
  key: 9,
  name: 'OffsetFetch',
  versions: '1-9',
  flexible: '6+',
  request: {
    groupId: string.in('-7').default(''),
    topics: requestTopics.orNull('2-7').in('-7').default([]), // null is all topics
    groups: array({
      groupId: string,
      memberId: string.orNull().in('9+').default(null),
      memberEpoch: int32.in('9+').default(-1),
      topics: requestTopics.orNull(), // null is all topics
    })
      .in('8+')
      .default([]),
    requireStable: bool.in('7+').default(false), // KIP-447
  },
  response: {
    throttleTimeMs: int32.in('3+').default(0),
    topics: responseTopics.in('-7').default([]),
    errorCode: int16.in('2-7').default(0),
    groups: array({ groupId: string, topics: responseTopics, errorCode: int16.default(0) })
      .in('8+')
      .default([]),
  },
})
export type OffsetFetchRequest = RequestOf<typeof offsetFetch>
export type OffsetFetchResponse = ResponseInput<typeof offsetFetch>
