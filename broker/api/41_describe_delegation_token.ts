// DescribeDelegationToken: there are no delegation tokens.
// Versions: 1-3
// Behaviour: as an Apache Kafka without tokens: DELEGATION_TOKEN_REQUEST_NOT_ALLOWED to strangers, else DELEGATION_TOKEN_AUTH_DISABLED.

import { describeDelegationToken } from '../../protocol/api/41_describe_delegation_token.ts'
import type { Handler } from '../handler.ts'
import { noDelegationTokens } from '../security.ts'

export function describeDelegationTokenHandler(): Handler<typeof describeDelegationToken> {
  return {
    api: describeDelegationToken,
    handle: (_request, { session }) => ({ errorCode: noDelegationTokens(session), tokens: [] }),
    refuse: (_request, code) => ({ errorCode: code, tokens: [] }),
  }
}
