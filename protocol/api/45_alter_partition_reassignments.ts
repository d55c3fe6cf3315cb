// AlterPartitionReassignments (KIP-455): v1 allowReplicationFactorChange (KIP-860).

import {
  api,
  array,
  bool,
  int16,
  int32,
  string,
  type RequestOf,
  type ResponseInput,
} from '../schema.ts'

export const alterPartitionReassignments = api({
  key: 45,
  name: 'AlterPartitionReassignments',
  versions: '0-1',
  flexible: '0+',
  request: {
    timeoutMs: int32.default(60_000),
    allowReplicationFactorChange: bool.in('1+').default(true), // KIP-860
    topics: array({
      name: string,
      partitions: array({
        partitionIndex: int32,
        replicas: array(int32).orNull().default(null), // null cancels
      }),
    }),
  },
  response: {
    throttleTimeMs: int32.default(0),
    allowReplicationFactorChange: bool.in('1+').default(true), // KIP-860
    errorCode: int16,
    errorMessage: string.orNull().default(null),
    responses: array({
      name: string,
      partitions: array({
        partitionIndex: int32,
        errorCode: int16,
        errorMessage: string.orNull().default(null),
      }),
    }),
  },
})
export type AlterPartitionReassignmentsRequest = RequestOf<typeof alterPartitionReassignments>
export type AlterPartitionReassignmentsResponse = ResponseInput<typeof alterPartitionReassignments>
