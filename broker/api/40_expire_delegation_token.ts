// ExpireDelegationToken: there are no delegation tokens.
// Versions: 1-2
// Behaviour: as an Apache Kafka without tokens: DELEGATION_TOKEN_REQUEST_NOT_ALLOWED to strangers, else DELEGATION_TOKEN_AUTH_DISABLED.

import { expireDelegationToken } from '../../protocol/api/40_expire_delegation_token.ts'
import type { Handler } from '../handler.ts'
import { NO_TIMESTAMP, noDelegationTokens } from '../security.ts'

export function expireDelegationTokenHandler(): Handler<typeof expireDelegationToken> {
  const refused = (code: number) => ({ errorCode: code, expiryTimestampMs: NO_TIMESTAMP })
  return {
    api: expireDelegationToken,
    handle: (_request, { session }) => refused(noDelegationTokens(session)),
    refuse: (_request, code) => refused(code),
  }
}
