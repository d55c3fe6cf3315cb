// UnregisterBroker: only version 0.

import { api, int16, int32, string } from '../schema.ts'

export const unregisterBroker = api({
  key: 64,
  name: 'UnregisterBroker',
  versions: '0',
  flexible: '0+',
  request: { brokerId: int32 },
  response: {
    throttleTimeMs: int32.default(0),
    errorCode: int16,
    errorMessage: string.orNull().default(null),
  },
})
