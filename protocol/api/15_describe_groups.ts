// DescribeGroups: v1 throttle time; v3 authorized operations (KIP-430); v4 groupInstanceId (KIP-345); v5 flexible;
// v6 GROUP_ID_NOT_FOUND with an errorMessage instead of a dead group (KIP-1043).

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

export const describeGroups = api({
  key: 15,
  name: 'DescribeGroups',
  versions: '0-6',
  flexible: '5+',
  request: {
    groups: array(string),
    includeAuthorizedOperations: bool.in('3+').default(false),
  },
  response: {
    throttleTimeMs: int32.in('1+').default(0),
    groups: array({
      errorCode: int16,
      errorMessage: string.orNull().in('6+').default(null), // KIP-1043
      groupId: string,
      groupState: string,
      protocolType: string,
      protocolData: string, // the chosen protocol; '' unless the group is stable
      members: array({
        memberId: string,
        groupInstanceId: string.orNull().in('4+').default(null), // KIP-345
        clientId: string,
        clientHost: string,
        memberMetadata: bytes,
        memberAssignment: bytes,
      }),
      authorizedOperations: int32.in('3+').default(-0x8000_0000), // the client did not ask for them
    }),
  },
})
export type DescribeGroupsRequest = RequestOf<typeof describeGroups>
export type DescribeGroupsResponse = ResponseInput<typeof describeGroups>
