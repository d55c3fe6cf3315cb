// SyncGroup: v1 throttle time; v3 groupInstanceId (KIP-345); v4 flexible; v5 protocolType and protocolName (KIP-559).

import {
  api,
  array,
  bytes,
  int16,
  int32,
  string,
  type RequestOf,
  type ResponseInput,
} from '../schema.ts'

export const syncGroup = api({
  key: 14,
  name: 'SyncGroup',
  versions: '0-5',
  flexible: '4+',
  request: {
    groupId: string,
    generationId: int32,
    memberId: string,
    groupInstanceId: string.orNull().in('3+').default(null), // KIP-345
    protocolType: string.orNull().in('5+').default(null), // KIP-559
    protocolName: string.orNull().in('5+').default(null), // KIP-559
    assignments: array({ memberId: string, assignment: bytes }).default([]), // only the leader sends any
  },
  response: {
    throttleTimeMs: int32.in('1+').default(0),
    errorCode: int16,
    protocolType: string.orNull().in('5+').default(null), // KIP-559
    protocolName: string.orNull().in('5+').default(null), // KIP-559
    assignment: bytes,
  },
})
export type SyncGroupRequest = RequestOf<typeof syncGroup>
export type SyncGroupResponse = ResponseInput<typeof syncGroup>
