// ElectLeaders: v1 kinds of election (KIP-460), errorCode; v2 flexible.

import { api, array, int16, int32, int8, string } from '../schema.ts'

export const electLeaders = api({
  key: 43,
  name: 'ElectLeaders',
  versions: '0-2',
  flexible: '2+',
  request: {
    electionType: int8.in('1+').default(0), // 0 preferred, 1 unclean
    topicPartitions: array({ topic: string, partitions: array(int32) }).orNull(), // null is all
    timeoutMs: int32.default(60_000),
  },
  response: {
    throttleTimeMs: int32.default(0),
    errorCode: int16.in('1+').default(0),
    replicaElectionResults: array({
      topic: string,
      partitionResult: array({
        partitionId: int32,
        errorCode: int16,
        errorMessage: string.orNull().default(null),
      }),
    }),
  },
})
