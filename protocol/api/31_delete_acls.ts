// DeleteAcls: v1 resource pattern types (KIP-290); v2 flexible; v3 users as resources (KIP-373).

import { api, array, int16, int32, int8, string, type RequestOf } from '../schema.ts'

/** Kafka's code of a pattern type: the name as it stands. */
const LITERAL = 3

export const deleteAcls = api({
  key: 31,
  name: 'DeleteAcls',
  versions: '1-3',
  flexible: '2+',
  request: {
    filters: array({
      resourceTypeFilter: int8,
      resourceNameFilter: string.orNull(), // null matches any, as in all filters
      patternTypeFilter: int8.default(LITERAL),
      principalFilter: string.orNull(),
      hostFilter: string.orNull(),
      operation: int8,
      permissionType: int8,
    }),
  },
  response: {
    throttleTimeMs: int32.default(0),
    filterResults: array({
      errorCode: int16,
      errorMessage: string.orNull().default(null),
      matchingAcls: array({
        errorCode: int16,
        errorMessage: string.orNull().default(null),
        resourceType: int8,
        resourceName: string,
        patternType: int8.default(LITERAL),
        principal: string,
        host: string,
        operation: int8,
        permissionType: int8,
      }),
    }),
  },
})
export type DeleteAclsRequest = RequestOf<typeof deleteAcls>
