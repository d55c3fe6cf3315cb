// SaslAuthenticate: v1 session lifetime (KIP-368); v2 flexible.

import { api, bytes, int16, int64, string } from '../schema.ts'

export const saslAuthenticate = api({
  key: 36,
  name: 'SaslAuthenticate',
  versions: '0-2',
  flexible: '2+',
  request: {
    authBytes: bytes, // as the mechanism defines them
  },
  response: {
    errorCode: int16,
    errorMessage: string.orNull(),
    authBytes: bytes,
    sessionLifetimeMs: int64.in('1+').default(0), // 0 is no end
  },
})
