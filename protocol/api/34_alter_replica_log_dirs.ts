// AlterReplicaLogDirs: v2 flexible.

import { api, array, int16, int32, string, type RequestOf } from '../schema.ts'

export const alterReplicaLogDirs = api({
  key: 34,
  name: 'AlterReplicaLogDirs',
  versions: '1-2',
  flexible: '2+',
  request: {
    dirs: array({
      path: string, // absolute
      topics: array({ name: string, partitions: array(int32) }),
    }),
  },
  response: {
    throttleTimeMs: int32.default(0),
    results: array({
      topicName: string,
      partitions: array({ partitionIndex: int32, errorCode: int16 }),
    }),
  },
})
export type AlterReplicaLogDirsRequest = RequestOf<typeof alterReplicaLogDirs>
