// SaslHandshake: the client of a SASL listener says by which mechanism it logs in (KIP-43).
// Versions: 0-1; after 0 the client's messages come without SaslAuthenticate: broker/bare-messages.ts
// Behaviour: an unknown mechanism ends the connection. On other listeners ILLEGAL_SASL_STATE, and the connection goes on.

import { saslHandshake } from '../../protocol/api/17_sasl_handshake.ts'
import { errorCode } from '../../protocol/errors.ts'
import type { Handler } from '../handler.ts'

export function saslHandshakeHandler(): Handler<typeof saslHandshake> {
  return {
    api: saslHandshake,
    handle({ mechanism }, context) {
      const { authentication } = context.session
      if (authentication === undefined)
        return { errorCode: errorCode('ILLEGAL_SASL_STATE'), mechanisms: [] }
      const { isLast, ...answer } = authentication.shakeHands(mechanism, context.version)
      if (isLast) context.endSession()
      return answer
    },
    refuse: (_request, code) => ({ errorCode: code, mechanisms: [] }),
  }
}
