// CreateDelegationToken: a plaintext connection may not ask for tokens.
// Versions: 1-3
// Behaviour: DELEGATION_TOKEN_REQUEST_NOT_ALLOWED, as Apache Kafka answers on PLAINTEXT.

import { createDelegationToken } from '../../protocol/api/38_create_delegation_token.ts'
import { errorCode } from '../../protocol/errors.ts'
import type { Handler } from '../handler.ts'
import { ANONYMOUS, NO_TIMESTAMP } from '../security.ts'

const { principalType, principalName } = ANONYMOUS

const nothing = {
  issueTimestampMs: NO_TIMESTAMP,
  expiryTimestampMs: NO_TIMESTAMP,
  maxTimestampMs: NO_TIMESTAMP,
  tokenId: '',
  hmac: new Uint8Array(0),
  tokenRequesterPrincipalType: principalType,
  tokenRequesterPrincipalName: principalName,
}

export function createDelegationTokenHandler(): Handler<typeof createDelegationToken> {
  return {
    api: createDelegationToken,
    handle: ({ ownerPrincipalType, ownerPrincipalName }) => ({
      ...nothing,
      errorCode: errorCode('DELEGATION_TOKEN_REQUEST_NOT_ALLOWED'),
      principalType: ownerPrincipalType ?? principalType,
      principalName: ownerPrincipalName ?? principalName,
    }),
    refuse: (_request, code) => ({ ...nothing, ...ANONYMOUS, errorCode: code }),
  }
}
