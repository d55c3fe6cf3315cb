// Metadata: v1 null topics mean all, rack, controller, isInternal; v2 clusterId; v3 throttle time; v4
// allowAutoTopicCreation; v5 offline replicas; v7 leader epoch; v8 authorized operations (KIP-430); v9 flexible;
// v10 topic ids in the response; v11 no cluster operations (KIP-700); v12 topic ids in the request; v13 errorCode (KIP-1102).

import { UUID_ZERO } from '../ids.ts'
import {
  api,
  array,
  bool,
  int16,
  int32,
  string,
  uuid,
  type RequestOf,
  type ResponseInput,
} from '../schema.ts'

/** The value of authorized operations if the client did not ask for them. */
const NOT_ASKED_FOR = -0x8000_0000

export const metadata = api({
  key: 3,
  name: 'Metadata',
  versions: '0-13',
  flexible: '9+',
  request: {
    topics: array({
      topicId: uuid.in('10+').default(UUID_ZERO),
      name: string.orNull('10+'),
    }).orNull('1+'), // null is all topics; empty none, in v0 all
    allowAutoTopicCreation: bool.in('4+').default(true),
    includeClusterAuthorizedOperations: bool.in('8-10').default(false),
    includeTopicAuthorizedOperations: bool.in('8+').default(false),
  },
  response: {
    throttleTimeMs: int32.in('3+').default(0),
    brokers: array({
      nodeId: int32,
      host: string,
      port: int32,
      rack: string.orNull().in('1+').default(null),
    }),
    clusterId: string.orNull().in('2+').default(null),
    controllerId: int32.in('1+').default(-1),
    topics: array({
      errorCode: int16,
      name: string.orNull('12+'),
      topicId: uuid.in('10+').default(UUID_ZERO),
      isInternal: bool.in('1+').default(false),
      partitions: array({
        errorCode: int16,
        partitionIndex: int32,
        leaderId: int32,
        leaderEpoch: int32.in('7+').default(-1),
        replicaNodes: array(int32),
        isrNodes: array(int32),
        offlineReplicas: array(int32).in('5+').default([]),
      }),
      topicAuthorizedOperations: int32.in('8+').default(NOT_ASKED_FOR),
    }),
    clusterAuthorizedOperations: int32.in('8-10').default(NOT_ASKED_FOR),
    errorCode: int16.in('13+').default(0), // KIP-1102
  },
})
export type MetadataRequest = RequestOf<typeof metadata>
export type MetadataResponse = ResponseInput<typeof metadata>
