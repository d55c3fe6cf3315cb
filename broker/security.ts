// Answers about parts of Kafka's security that a broker does not have. Network thread.
// Codes are those of an Apache Kafka without an authorizer, and without `delegation.token.secret.key`.

import { errorCode } from '../protocol/errors.ts'
import { ANONYMOUS } from './auth/principal.ts'
import type { Session } from './session.ts'

/** Kafka's message of SECURITY_DISABLED, which its tools print. */
export const NO_AUTHORIZER = 'No Authorizer is configured.'

/** The times of a token in an answer without a token. */
export const NO_TIMESTAMP = -1

/** There are no delegation tokens; a client that nobody knows is not even told so (KIP-48). */
export function noDelegationTokens({ securityProtocol, principal }: Session): number {
  const isStranger =
    securityProtocol === 'PLAINTEXT' ||
    (securityProtocol === 'SSL' && principal.name === ANONYMOUS.name)
  return errorCode(
    isStranger ? 'DELEGATION_TOKEN_REQUEST_NOT_ALLOWED' : 'DELEGATION_TOKEN_AUTH_DISABLED',
  )
}
