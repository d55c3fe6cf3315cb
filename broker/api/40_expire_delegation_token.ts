// ExpireDelegationToken: a plaintext connection may not ask for tokens.
// Versions: 1-2
// Behaviour: DELEGATION_TOKEN_REQUEST_NOT_ALLOWED, as Apache Kafka answers on PLAINTEXT.

import { expireDelegationToken } from '../../protocol/api/40_expire_delegation_token.ts'
import { errorCode } from '../../protocol/errors.ts'
import type { Handler } from '../handler.ts'
import { NO_TIMESTAMP } from '../security.ts'

export function expireDelegationTokenHandler(): Handler<typeof expireDelegationToken> {
  const refused = (code: number) => ({ errorCode: code, expiryTimestampMs: NO_TIMESTAMP })
  return {
    api: expireDelegationToken,
    handle: () => refused(errorCode('DELEGATION_TOKEN_REQUEST_NOT_ALLOWED')),
    refuse: (_request, code) => refused(code),
  }
}
