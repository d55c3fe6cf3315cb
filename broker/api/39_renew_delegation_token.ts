// RenewDelegationToken: a plaintext connection may not ask for tokens.
// Versions: 1-2
// Behaviour: DELEGATION_TOKEN_REQUEST_NOT_ALLOWED, as Apache Kafka answers on PLAINTEXT.

import { renewDelegationToken } from '../../protocol/api/39_renew_delegation_token.ts'
import { errorCode } from '../../protocol/errors.ts'
import type { Handler } from '../handler.ts'
import { NO_TIMESTAMP } from '../security.ts'

export function renewDelegationTokenHandler(): Handler<typeof renewDelegationToken> {
  const refused = (code: number) => ({ errorCode: code, expiryTimestampMs: NO_TIMESTAMP })
  return {
    api: renewDelegationToken,
    handle: () => refused(errorCode('DELEGATION_TOKEN_REQUEST_NOT_ALLOWED')),
    refuse: (_request, code) => refused(code),
  }
}
