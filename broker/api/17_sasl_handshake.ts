// SaslHandshake: a plaintext listener has nothing to authenticate.
// Versions: 0-1
// Behaviour: ILLEGAL_SASL_STATE, as Apache Kafka answers on PLAINTEXT; the connection goes on.

import { saslHandshake } from '../../protocol/api/17_sasl_handshake.ts'
import { errorCode } from '../../protocol/errors.ts'
import type { Handler } from '../handler.ts'

export function saslHandshakeHandler(): Handler<typeof saslHandshake> {
  return {
    api: saslHandshake,
    handle: () => ({ errorCode: errorCode('ILLEGAL_SASL_STATE'), mechanisms: [] }),
    refuse: (_request, code) => ({ errorCode: code, mechanisms: [] }),
  }
}
