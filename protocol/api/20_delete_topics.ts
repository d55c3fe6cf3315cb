// DeleteTopics: v3 may answer TOPIC_DELETION_DISABLED; v4 flexible; v5 errorMessage (KIP-599); v6 by name or topic id.

import { UUID_ZERO } from '../ids.ts'
import {
  api,
  array,
  int16,
  int32,
  string,
  uuid,
  type RequestOf,
  type ResponseInput,
} from '../schema.ts'

export const deleteTopics = api({
  key: 20,
  name: 'DeleteTopics',
  versions: '1-6',
  flexible: '4+',
  request: {
    topics: array({ name: string.orNull().default(null), topicId: uuid.default(UUID_ZERO) })
      .in('6+')
      .default([]),
    topicNames: array(string).in('-5').default([]),
    timeoutMs: int32,
  },
  response: {
    throttleTimeMs: int32.default(0),
    responses: array({
      name: string.orNull('6+'),
      topicId: uuid.in('6+').default(UUID_ZERO),
      errorCode: int16,
      errorMessage: string.orNull().in('5+').default(null), // KIP-599
    }),
  },
})
export type DeleteTopicsRequest = RequestOf<typeof deleteTopics>
export type DeleteTopicsResponse = ResponseInput<typeof deleteTopics>
