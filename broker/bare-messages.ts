// Bare messages: after SaslHandshake 0 each message of the mechanism is a frame without header and fields, and so is the answer
// (KIP-43). Nothing in it can tell of an error or of the end of the session: a login that fails ends the connection without an answer.
// Network thread.

import { saslAuthenticate } from '../protocol/api/36_sasl_authenticate.ts'
import { Disconnect } from './disconnect.ts'
import type { Handler } from './handler.ts'
import type { MessageAnswer } from './session.ts'

/** Counted as SaslAuthenticate, whose request it performs. */
export const bareMessages: Handler<typeof saslAuthenticate> = {
  api: saslAuthenticate,
  async handle({ authBytes }, context) {
    const answer = await context.session.authentication!.receive(Buffer.from(authBytes))
    if (!answer.isLast) return answer
    context.endSession()
    return undefined
  },
  refuse() {
    throw new Disconnect('a message of SASL failed')
  },
}

/** @returns a frame: its size first */
export function bareAnswer({ authBytes }: Pick<MessageAnswer, 'authBytes'>): Uint8Array[] {
  const size = Buffer.alloc(4)
  size.writeInt32BE(authBytes.length)
  return [size, authBytes]
}
