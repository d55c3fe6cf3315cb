// DescribeDelegationToken: v2 flexible; v3 the principal that requested a token (KIP-373).

import { api, array, bytes, int16, int32, int64, string } from '../schema.ts'

const principal = { principalType: string, principalName: string }

export const describeDelegationToken = api({
  key: 41,
  name: 'DescribeDelegationToken',
  versions: '1-3',
  flexible: '2+',
  request: {
    owners: array(principal).orNull(), // null: tokens of all owners
  },
  response: {
    errorCode: int16,
    tokens: array({
      ...principal,
      tokenRequesterPrincipalType: string.in('3+').default(''),
      tokenRequesterPrincipalName: string.in('3+').default(''),
      issueTimestamp: int64,
      expiryTimestamp: int64,
      maxTimestamp: int64,
      tokenId: string,
      hmac: bytes,
      renewers: array(principal),
    }),
    throttleTimeMs: int32.default(0),
  },
})
