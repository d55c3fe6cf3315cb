// LeaveGroup: v1 throttle time; v3 several members, by groupInstanceId too (KIP-345); v4 flexible; v5 reason (KIP-800).

import { api, array, int16, int32, string, type RequestOf, type ResponseInput } from '../schema.ts'

export const leaveGroup = api({
  key: 13,
  name: 'LeaveGroup',
  versions: '0-5',
  flexible: '4+',
  request: {
    groupId: string,
    memberId: string.in('-2').default(''),
    members: array({
      memberId: string,
      groupInstanceId: string.orNull().default(null), // KIP-345
      reason: string.orNull().in('5+').default(null),
    })
      .in('3+')
      .default([]),
  },
  response: {
    throttleTimeMs: int32.in('1+').default(0),
    errorCode: int16,
    members: array({
      memberId: string,
      groupInstanceId: string.orNull().default(null), // KIP-345
      errorCode: int16,
    })
      .in('3+')
      .default([]),
  },
})
export type LeaveGroupRequest = RequestOf<typeof leaveGroup>
export type LeaveGroupResponse = ResponseInput<typeof leaveGroup>
