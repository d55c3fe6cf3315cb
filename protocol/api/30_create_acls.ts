// CreateAcls: v1 resource pattern types (KIP-290); v2 flexible; v3 users as resources (KIP-373).

import { api, array, int16, int32, int8, string } from '../schema.ts'
import { LITERAL } from './29_describe_acls.ts'

export const createAcls = api({
  key: 30,
  name: 'CreateAcls',
  versions: '1-3',
  flexible: '2+',
  request: {
    creations: array({
      resourceType: int8,
      resourceName: string,
      resourcePatternType: int8.default(LITERAL),
      principal: string,
      host: string,
      operation: int8,
      permissionType: int8,
    }),
  },
  response: {
    throttleTimeMs: int32.default(0),
    results: array({ errorCode: int16, errorMessage: string.orNull().default(null) }), // in the order of the request
  },
})
