// CreateDelegationToken: there are no delegation tokens.
// Versions: 1-3
// Behaviour: as an Apache Kafka without tokens: DELEGATION_TOKEN_REQUEST_NOT_ALLOWED to strangers, else DELEGATION_TOKEN_AUTH_DISABLED.

import {
  createDelegationToken,
  type CreateDelegationTokenRequest,
  type CreateDelegationTokenResponse,
} from '../../protocol/api/38_create_delegation_token.ts'
import type { Handler } from '../handler.ts'
import { NO_TIMESTAMP, noDelegationTokens } from '../security.ts'
import type { Session } from '../session.ts'

const nothing = {
  issueTimestampMs: NO_TIMESTAMP,
  expiryTimestampMs: NO_TIMESTAMP,
  maxTimestampMs: NO_TIMESTAMP,
  tokenId: '',
  hmac: new Uint8Array(0),
}

/** A request without an owner is for the principal that asks (KIP-373). */
function refused(
  { principal }: Session,
  { ownerPrincipalType, ownerPrincipalName }: CreateDelegationTokenRequest,
  code: number,
): CreateDelegationTokenResponse {
  return {
    ...nothing,
    errorCode: code,
    principalType: ownerPrincipalType ?? principal.type,
    principalName: ownerPrincipalName ?? principal.name,
    tokenRequesterPrincipalType: principal.type,
    tokenRequesterPrincipalName: principal.name,
  }
}

export function createDelegationTokenHandler(): Handler<typeof createDelegationToken> {
  return {
    api: createDelegationToken,
    handle: (request, { session }) => refused(session, request, noDelegationTokens(session)),
    refuse: (request, code, { session }) => refused(session, request, code),
  }
}
