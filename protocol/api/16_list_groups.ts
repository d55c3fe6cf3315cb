// ListGroups: v1 throttle time; v3 flexible; v4 filter by state (KIP-518); v5 filter by type (KIP-848).

import { api, array, int16, int32, string, type RequestOf, type ResponseInput } from '../schema.ts'

export const listGroups = api({
  key: 16,
  name: 'ListGroups',
  versions: '0-5',
  flexible: '3+',
  request: {
    statesFilter: array(string).in('4+').default([]), // empty is all states
    typesFilter: array(string).in('5+').default([]), // empty is all types
  },
  response: {
    throttleTimeMs: int32.in('1+').default(0),
    errorCode: int16,
    groups: array({
      groupId: string,
      protocolType: string,
      groupState: string.in('4+').default(''),
      groupType: string.in('5+').default(''),
    }),
  },
})
export type ListGroupsRequest = RequestOf<typeof listGroups>
export type ListGroupsResponse = ResponseInput<typeof listGroups>
