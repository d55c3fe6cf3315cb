// DescribeDelegationToken: a plaintext connection may not ask for tokens.
// Versions: 1-3
// Behaviour: DELEGATION_TOKEN_REQUEST_NOT_ALLOWED, as Apache Kafka answers on PLAINTEXT.

import { describeDelegationToken } from '../../protocol/api/41_describe_delegation_token.ts'
import { errorCode } from '../../protocol/errors.ts'
import type { Handler } from '../handler.ts'

export function describeDelegationTokenHandler(): Handler<typeof describeDelegationToken> {
  return {
    api: describeDelegationToken,
    handle: () => ({ errorCode: errorCode('DELEGATION_TOKEN_REQUEST_NOT_ALLOWED'), tokens: [] }),
    refuse: (_request, code) => ({ errorCode: code, tokens: [] }),
  }
}
