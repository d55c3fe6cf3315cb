// CreateDelegationToken: v2 flexible; v3 a token for another principal (KIP-373).

import {
  api,
  array,
  bytes,
  int16,
  int32,
  int64,
  string,
  type RequestOf,
  type ResponseInput,
} from '../schema.ts'

export const createDelegationToken = api({
  key: 38,
  name: 'CreateDelegationToken',
  versions: '1-3',
  flexible: '2+',
  request: {
    ownerPrincipalType: string.orNull().in('3+').default(null), // null is the principal that asks
    ownerPrincipalName: string.orNull().in('3+').default(null),
    renewers: array({ principalType: string, principalName: string }),
    maxLifetimeMs: int64, // -1 is the broker's default
  },
  response: {
    errorCode: int16,
    principalType: string,
    principalName: string,
    tokenRequesterPrincipalType: string.in('3+').default(''),
    tokenRequesterPrincipalName: string.in('3+').default(''),
    issueTimestampMs: int64,
    expiryTimestampMs: int64,
    maxTimestampMs: int64,
    tokenId: string,
    hmac: bytes,
    throttleTimeMs: int32.default(0),
  },
})
export type CreateDelegationTokenRequest = RequestOf<typeof createDelegationToken>
export type CreateDelegationTokenResponse = ResponseInput<typeof createDelegationToken>
