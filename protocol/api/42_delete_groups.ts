// DeleteGroups: v1 as v0; v2 flexible.

import { api, array, int16, int32, string, type RequestOf, type ResponseInput } from '../schema.ts'

export const deleteGroups = api({
  key: 42,
  name: 'DeleteGroups',
  versions: '0-2',
  flexible: '2+',
  request: {
    groupsNames: array(string),
  },
  response: {
    throttleTimeMs: int32.default(0),
    results: array({ groupId: string, errorCode: int16 }),
  },
})
export type DeleteGroupsRequest = RequestOf<typeof deleteGroups>
export type DeleteGroupsResponse = ResponseInput<typeof deleteGroups>
