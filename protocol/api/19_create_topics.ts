// CreateTopics: v4 counts may be -1, the broker's default (KIP-464); v5 flexible, configs in the response (KIP-525);
// v6 may answer THROTTLING_QUOTA_EXCEEDED (KIP-599); v7 topic id.

import { UUID_ZERO } from '../ids.ts'
import {
  api,
  array,
  bool,
  int16,
  int32,
  int8,
  string,
  uuid,
  type RequestOf,
  type ResponseInput,
} from '../schema.ts'

export const createTopics = api({
  key: 19,
  name: 'CreateTopics',
  versions: '2-7',
  flexible: '5+',
  request: {
    topics: array({
      name: string,
      numPartitions: int32,
      replicationFactor: int16,
      assignments: array({ partitionIndex: int32, brokerIds: array(int32) }).default([]),
      configs: array({ name: string, value: string.orNull() }).default([]),
    }),
    timeoutMs: int32.default(60_000),
    validateOnly: bool.default(false),
  },
  response: {
    throttleTimeMs: int32.default(0),
    topics: array({
      name: string,
      topicId: uuid.in('7+').default(UUID_ZERO),
      errorCode: int16,
      errorMessage: string.orNull().default(null),
      topicConfigErrorCode: int16.tag(0, '5+'),
      numPartitions: int32.in('5+').default(-1),
      replicationFactor: int16.in('5+').default(-1),
      configs: array({
        name: string,
        value: string.orNull(),
        readOnly: bool,
        configSource: int8.default(-1),
        isSensitive: bool,
      })
        .orNull()
        .in('5+')
        .default([]),
    }),
  },
})
export type CreateTopicsRequest = RequestOf<typeof createTopics>
export type CreateTopicsResponse = ResponseInput<typeof createTopics>
