// DescribeQuorum: v1 times of replicas (KIP-836); v2 error messages, directory ids, nodes with their listeners (KIP-853).

import {
  api,
  array,
  int16,
  int32,
  int64,
  string,
  uint16,
  uuid,
  type RequestOf,
  type ResponseInput,
} from '../schema.ts'

/** A voter or an observer. */
const replicas = array({
  replicaId: int32,
  replicaDirectoryId: uuid.in('2+'),
  logEndOffset: int64,
  lastFetchTimestamp: int64.in('1+').default(-1),
  lastCaughtUpTimestamp: int64.in('1+').default(-1),
})

export const describeQuorum = api({
  key: 55,
  name: 'DescribeQuorum',
  versions: '0-2',
  flexible: '0+',
  request: {
    topics: array({ topicName: string, partitions: array({ partitionIndex: int32 }) }),
  },
  response: {
    errorCode: int16,
    errorMessage: string.in('2+').orNull('2+').default(null),
    topics: array({
      topicName: string,
      partitions: array({
        partitionIndex: int32,
        errorCode: int16,
        errorMessage: string.in('2+').orNull('2+').default(null),
        leaderId: int32,
        leaderEpoch: int32,
        highWatermark: int64,
        currentVoters: replicas,
        observers: replicas,
      }),
    }),
    nodes: array({
      nodeId: int32,
      listeners: array({ name: string, host: string, port: uint16 }),
    })
      .in('2+')
      .default([]),
  },
})
export type DescribeQuorumRequest = RequestOf<typeof describeQuorum>
export type DescribeQuorumResponse = ResponseInput<typeof describeQuorum>
