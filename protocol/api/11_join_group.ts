// JoinGroup: v1 rebalanceTimeoutMs; v2 throttle time; v4 a new member joins twice, the second time with its assigned id
// (KIP-394); v5 groupInstanceId (KIP-345); v6 flexible; v7 protocolType in the response (KIP-559); v8 reason (KIP-800);
// v9 skipAssignment (KIP-814).

import {
  api,
  array,
  bool,
  bytes,
  int16,
  int32,
  string,
  type RequestOf,
  type ResponseInput,
} from '../schema.ts'

export const joinGroup = api({
  key: 11,
  name: 'JoinGroup',
  versions: '0-9',
  flexible: '6+',
  request: {
    groupId: string,
    sessionTimeoutMs: int32,
    rebalanceTimeoutMs: int32.in('1+').default(-1), // -1: the session timeout
    memberId: string.default(''),
    groupInstanceId: string.orNull().in('5+').default(null), // KIP-345
    protocolType: string,
    protocols: array({ name: string, metadata: bytes }),
    reason: string.orNull().in('8+').default(null),
  },
  response: {
    throttleTimeMs: int32.in('2+').default(0),
    errorCode: int16,
    generationId: int32.default(-1),
    protocolType: string.orNull().in('7+').default(null), // KIP-559
    protocolName: string.orNull('7+'),
    leader: string,
    skipAssignment: bool.in('9+').default(false), // KIP-814
    memberId: string,
    members: array({
      memberId: string,
      groupInstanceId: string.orNull().in('5+').default(null), // KIP-345
      metadata: bytes,
    }),
  },
})
export type JoinGroupRequest = RequestOf<typeof joinGroup>
export type JoinGroupResponse = ResponseInput<typeof joinGroup>
