// DescribeCluster: flexible from v0; v1 endpoint type (KIP-919); v2 fenced brokers (KIP-1073).

import {
  api,
  array,
  bool,
  int16,
  int32,
  int8,
  string,
  type RequestOf,
  type ResponseInput,
} from '../schema.ts'

export const describeCluster = api({
  key: 60,
  name: 'DescribeCluster',
  versions: '0-2',
  flexible: '0+',
  request: {
    includeClusterAuthorizedOperations: bool.default(false),
    endpointType: int8.in('1+').default(1), // 1 brokers, 2 controllers
    includeFencedBrokers: bool.in('2+').default(false),
  },
  response: {
    throttleTimeMs: int32.default(0),
    errorCode: int16,
    errorMessage: string.orNull().default(null),
    endpointType: int8.in('1+').default(1),
    clusterId: string,
    controllerId: int32.default(-1),
    brokers: array({
      brokerId: int32,
      host: string,
      port: int32,
      rack: string.orNull().default(null),
      isFenced: bool.in('2+').default(false),
    }),
    clusterAuthorizedOperations: int32.default(-0x8000_0000), // the client did not ask for them
  },
})
export type DescribeClusterRequest = RequestOf<typeof describeCluster>
export type DescribeClusterResponse = ResponseInput<typeof describeCluster>
