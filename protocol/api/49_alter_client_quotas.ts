// AlterClientQuotas (KIP-546): v1 flexible.

import { api, array, bool, float64, int16, int32, string, type RequestOf } from '../schema.ts'

const entity = array({ entityType: string, entityName: string.orNull() }) // null is the default

export const alterClientQuotas = api({
  key: 49,
  name: 'AlterClientQuotas',
  versions: '0-1',
  flexible: '1+',
  request: {
    entries: array({ entity, ops: array({ key: string, value: float64, remove: bool }) }),
    validateOnly: bool,
  },
  response: {
    throttleTimeMs: int32.default(0),
    entries: array({
      errorCode: int16,
      errorMessage: string.orNull().default(null),
      entity,
    }),
  },
})
export type AlterClientQuotasRequest = RequestOf<typeof alterClientQuotas>
