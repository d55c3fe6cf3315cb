// CreatePartitions: v1 as v0; v2 flexible; v3 may answer THROTTLING_QUOTA_EXCEEDED (KIP-599).

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

export const createPartitions = api({
  key: 37,
  name: 'CreatePartitions',
  versions: '0-3',
  flexible: '2+',
  request: {
    topics: array({
      name: string,
      count: int32, // the new total
      assignments: array({ brokerIds: array(int32) })
        .orNull()
        .default(null),
    }),
    timeoutMs: int32,
    validateOnly: bool.default(false),
  },
  response: {
    throttleTimeMs: int32.default(0),
    results: array({ name: string, errorCode: int16, errorMessage: string.orNull().default(null) }),
  },
})
export type CreatePartitionsRequest = RequestOf<typeof createPartitions>
export type CreatePartitionsResponse = ResponseInput<typeof createPartitions>
