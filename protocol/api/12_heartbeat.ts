// Heartbeat: v1 throttle time; v3 groupInstanceId (KIP-345); v4 flexible.

import { api, int16, int32, string, type RequestOf, type ResponseInput } from '../schema.ts'

export const heartbeat = api({
  key: 12,
  name: 'Heartbeat',
  versions: '0-4',
  flexible: '4+',
  request: {
    groupId: string,
    generationId: int32,
    memberId: string,
    groupInstanceId: string.orNull().in('3+').default(null), // KIP-345
  },
  response: {
    throttleTimeMs: int32.in('1+').default(0),
    errorCode: int16,
  },
})
export type HeartbeatRequest = RequestOf<typeof heartbeat>
export type HeartbeatResponse = ResponseInput<typeof heartbeat>
