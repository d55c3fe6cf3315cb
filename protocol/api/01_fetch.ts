// Fetch: v5 logStartOffset; v7 sessions (KIP-227); v9 leader epoch fencing (KIP-320); v10 zstd; v11 preferred replica
// (KIP-392); v12 flexible, diverging epoch (KIP-595); v13 topic ids (KIP-516); v15 replicaState (KIP-903);
// v16 node endpoints (KIP-951); v17 directory id (KIP-853).

import { UUID_ZERO } from '../ids.ts'
import {
  api,
  array,
  int16,
  int32,
  int64,
  int8,
  records,
  string,
  struct,
  uuid,
  type RequestOf,
  type ResponseInput,
} from '../schema.ts'

export const fetch = api({
  key: 1,
  name: 'Fetch',
  versions: '4-17',
  flexible: '12+',
  request: {
    clusterId: string.orNull().tag(0, '12+').default(null),
    replicaId: int32.in('-14').default(-1),
    replicaState: struct({ replicaId: int32.default(-1), replicaEpoch: int64.default(-1) }).tag(
      1,
      '15+',
    ),
    maxWaitMs: int32,
    minBytes: int32,
    maxBytes: int32.default(0x7fffffff),
    isolationLevel: int8.default(0), // 0 read uncommitted, 1 read committed
    sessionId: int32.in('7+').default(0),
    sessionEpoch: int32.in('7+').default(-1), // -1 no session wanted
    topics: array({
      topic: string.in('-12').default(''),
      topicId: uuid.in('13+').default(UUID_ZERO),
      partitions: array({
        partition: int32,
        currentLeaderEpoch: int32.in('9+').default(-1),
        fetchOffset: int64,
        lastFetchedEpoch: int32.in('12+').default(-1),
        logStartOffset: int64.in('5+').default(-1), // only a follower says it
        partitionMaxBytes: int32,
        replicaDirectoryId: uuid.tag(0, '17+'),
      }),
    }),
    forgottenTopicsData: array({
      topic: string.in('-12').default(''),
      topicId: uuid.in('13+').default(UUID_ZERO),
      partitions: array(int32),
    })
      .in('7+')
      .default([]),
    rackId: string.in('11+').default(''),
  },
  response: {
    throttleTimeMs: int32.default(0),
    errorCode: int16.in('7+').default(0),
    sessionId: int32.in('7+').default(0),
    responses: array({
      topic: string.in('-12').default(''),
      topicId: uuid.in('13+').default(UUID_ZERO),
      partitions: array({
        partitionIndex: int32,
        errorCode: int16,
        highWatermark: int64,
        lastStableOffset: int64.default(-1),
        logStartOffset: int64.in('5+').default(-1),
        divergingEpoch: struct({ epoch: int32.default(-1), endOffset: int64.default(-1) }).tag(
          0,
          '12+',
        ),
        currentLeader: struct({ leaderId: int32.default(-1), leaderEpoch: int32.default(-1) }).tag(
          1,
          '12+',
        ),
        snapshotId: struct({ endOffset: int64.default(-1), epoch: int32.default(-1) }).tag(
          2,
          '12+',
        ),
        abortedTransactions: array({ producerId: int64, firstOffset: int64 }).orNull(), // null: read uncommitted
        preferredReadReplica: int32.in('11+').default(-1),
        records: records.orNull(),
      }),
    }),
    nodeEndpoints: array({
      nodeId: int32,
      host: string,
      port: int32,
      rack: string.orNull().default(null),
    }).tag(0, '16+'),
  },
})
export type FetchRequest = RequestOf<typeof fetch>
export type FetchResponse = ResponseInput<typeof fetch>
