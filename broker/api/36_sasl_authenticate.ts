// SaslAuthenticate: the messages by which the client of a SASL listener logs in, or renews its session (KIP-152, KIP-368).
// Versions: 0-2
// Behaviour: a failed login ends the connection. On other listeners ILLEGAL_SASL_STATE, and the connection goes on.

import { saslAuthenticate } from '../../protocol/api/36_sasl_authenticate.ts'
import { errorCode } from '../../protocol/errors.ts'
import type { Handler } from '../handler.ts'
import { AFTER_THE_END } from '../sasl/authentication.ts'

const NOTHING = new Uint8Array(0)

export function saslAuthenticateHandler(): Handler<typeof saslAuthenticate> {
  const refused = (code: number, errorMessage: string | null) => {
    return { errorCode: code, errorMessage, authBytes: NOTHING }
  }
  return {
    api: saslAuthenticate,
    async handle({ authBytes }, context) {
      const { authentication } = context.session
      if (authentication === undefined)
        return refused(errorCode('ILLEGAL_SASL_STATE'), AFTER_THE_END)
      const message = Buffer.from(authBytes)
      context.work.leave() // a check waits for its turn elsewhere
      const { isLast, ...answer } = await authentication.receive(message)
      if (isLast) context.endSession()
      return answer
    },
    refuse: (_request, code) => refused(code, null),
  }
}
