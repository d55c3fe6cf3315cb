// DescribeAcls: v1 resource pattern types (KIP-290); v2 flexible; v3 users as resources (KIP-373).

import { api, array, int16, int32, int8, string } from '../schema.ts'

/** Kafka's code of the pattern type LITERAL: the exact name. */
export const LITERAL = 3

/** Which ACLs a request selects; null matches any. */
export const aclFilter = {
  resourceTypeFilter: int8,
  resourceNameFilter: string.orNull(),
  patternTypeFilter: int8.default(LITERAL),
  principalFilter: string.orNull(),
  hostFilter: string.orNull(),
  operation: int8,
  permissionType: int8,
}

export const describeAcls = api({
  key: 29,
  name: 'DescribeAcls',
  versions: '1-3',
  flexible: '2+',
  request: aclFilter,
  response: {
    throttleTimeMs: int32.default(0),
    errorCode: int16,
    errorMessage: string.orNull().default(null),
    resources: array({
      resourceType: int8,
      resourceName: string,
      patternType: int8.default(LITERAL),
      acls: array({ principal: string, host: string, operation: int8, permissionType: int8 }),
    }),
  },
})
