// DescribeLogDirs: v2 flexible; v3 errorCode; v4 total and usable bytes (KIP-827).

import { api, array, bool, int16, int32, int64, string, type RequestOf } from '../schema.ts'

export const describeLogDirs = api({
  key: 35,
  name: 'DescribeLogDirs',
  versions: '1-4',
  flexible: '2+',
  request: {
    topics: array({ topic: string, partitions: array(int32) }).orNull(), // null is all topics
  },
  response: {
    throttleTimeMs: int32.default(0),
    errorCode: int16.in('3+').default(0),
    results: array({
      errorCode: int16,
      logDir: string, // absolute path
      topics: array({
        name: string,
        partitions: array({
          partitionIndex: int32,
          partitionSize: int64, // bytes
          offsetLag: int64,
          isFutureKey: bool,
        }),
      }),
      totalBytes: int64.in('4+').default(-1),
      usableBytes: int64.in('4+').default(-1),
    }),
  },
})
export type DescribeLogDirsRequest = RequestOf<typeof describeLogDirs>
