// DeleteAcls: v1 resource pattern types (KIP-290); v2 flexible; v3 users as resources (KIP-373).

import { api, array, int16, int32, int8, string } from '../schema.ts'
import { aclFilter, LITERAL } from './29_describe_acls.ts'

export const deleteAcls = api({
  key: 31,
  name: 'DeleteAcls',
  versions: '1-3',
  flexible: '2+',
  request: {
    filters: array(aclFilter),
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
