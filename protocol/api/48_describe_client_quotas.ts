// DescribeClientQuotas (KIP-546): v1 flexible.

import {
  api,
  array,
  bool,
  float64,
  int16,
  int32,
  int8,
  string,
  type RequestOf,
  type ResponseInput,
} from '../schema.ts'

export const describeClientQuotas = api({
  key: 48,
  name: 'DescribeClientQuotas',
  versions: '0-1',
  flexible: '1+',
  request: {
    components: array({
      entityType: string, // user, client-id, ip
      matchType: int8, // 0 the name in `match`, 1 the default, 2 any name
      match: string.orNull(),
    }),
    strict: bool, // without entities that have further components
  },
  response: {
    throttleTimeMs: int32.default(0),
    errorCode: int16,
    errorMessage: string.orNull().default(null),
    entries: array({
      entity: array({ entityType: string, entityName: string.orNull() }), // null is the default
      values: array({ key: string, value: float64 }),
    }).orNull(),
  },
})
export type DescribeClientQuotasResponse = ResponseInput<typeof describeClientQuotas>
export type DescribeClientQuotasRequest = RequestOf<typeof describeClientQuotas>
