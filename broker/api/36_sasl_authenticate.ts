// SaslAuthenticate: a plaintext listener has nothing to authenticate.
// Versions: 0-2
// Behaviour: ILLEGAL_SASL_STATE, as Apache Kafka answers on PLAINTEXT; the connection goes on.

import { saslAuthenticate } from '../../protocol/api/36_sasl_authenticate.ts'
import { errorCode } from '../../protocol/errors.ts'
import type { Handler } from '../handler.ts'

const NOTHING = new Uint8Array(0)

export function saslAuthenticateHandler(): Handler<typeof saslAuthenticate> {
  const refused = (code: number, errorMessage: string | null) => {
    return { errorCode: code, errorMessage, authBytes: NOTHING }
  }
  return {
    api: saslAuthenticate,
    handle: () => refused(errorCode('ILLEGAL_SASL_STATE'), 'the listener is plaintext'),
    refuse: (_request, code) => refused(code, null),
  }
}
