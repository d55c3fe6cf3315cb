// DescribeTopicPartitions: topics page by page (KIP-966).

import { UUID_ZERO } from '../ids.ts'
import {
  api,
  array,
  bool,
  int16,
  int32,
  string,
  struct,
  uuid,
  type RequestOf,
  type ResponseInput,
} from '../schema.ts'

/** The value of authorized operations if the client did not ask for them. */
const NOT_ASKED_FOR = -0x8000_0000

/** The first topic and partition of a page. */
const cursor = struct({ topicName: string, partitionIndex: int32 })

export const describeTopicPartitions = api({
  key: 75,
  name: 'DescribeTopicPartitions',
  versions: '0',
  flexible: '0+',
  request: {
    topics: array({ name: string }), // empty is all topics
    responsePartitionLimit: int32.default(2000),
    cursor: cursor.orNull().default(null),
  },
  response: {
    throttleTimeMs: int32.default(0),
    topics: array({
      errorCode: int16,
      name: string.orNull(),
      topicId: uuid.default(UUID_ZERO),
      isInternal: bool.default(false),
      partitions: array({
        errorCode: int16,
        partitionIndex: int32,
        leaderId: int32,
        leaderEpoch: int32.default(-1),
        replicaNodes: array(int32),
        isrNodes: array(int32),
        eligibleLeaderReplicas: array(int32).orNull().default(null),
        lastKnownElr: array(int32).orNull().default(null),
        offlineReplicas: array(int32).default([]),
      }),
      topicAuthorizedOperations: int32.default(NOT_ASKED_FOR),
    }),
    nextCursor: cursor.orNull().default(null),
  },
})
export type DescribeTopicPartitionsRequest = RequestOf<typeof describeTopicPartitions>
export type DescribeTopicPartitionsResponse = ResponseInput<typeof describeTopicPartitions>
