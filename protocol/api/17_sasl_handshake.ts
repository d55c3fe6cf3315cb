// SaslHandshake: v1 tokens travel in SaslAuthenticate (KIP-152), not in bare frames. Never flexible.

import { api, array, int16, string } from '../schema.ts'

export const saslHandshake = api({
  key: 17,
  name: 'SaslHandshake',
  versions: '0-1',
  flexible: 'none',
  request: {
    mechanism: string,
  },
  response: {
    errorCode: int16,
    mechanisms: array(string), // those that the broker accepts
  },
})
