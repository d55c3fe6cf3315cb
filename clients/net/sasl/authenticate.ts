// One authentication on a socket: SaslHandshake names the mechanism, SaslAuthenticate carries its messages (KIP-152).

import { saslHandshake } from '../../../protocol/api/17_sasl_handshake.ts'
import { saslAuthenticate } from '../../../protocol/api/36_sasl_authenticate.ts'
import { errorName, KafkaError } from '../../../protocol/errors.ts'
import type { Api, RequestInput, ResponseOf } from '../../../protocol/schema.ts'
import type { Login } from './login.ts'

/** The part of a connection that a dialogue needs. */
export interface Wire {
  readonly where: string
  version(api: Api, max?: number, min?: number): number
  ask<A extends Api<any, any>>(
    api: A,
    version: number,
    request: RequestInput<A>,
  ): Promise<ResponseOf<A>>
}

/** No mechanism here needs more rounds; a broker that asks for more is faulty. */
const MESSAGES_MAX = 4

/** The most of a broker's own text that an error repeats. */
const REASON_CHARS_MAX = 300

/**
 * @returns how long the session lasts in ms, 0: until the socket closes (KIP-368)
 * @throws {KafkaError} UNSUPPORTED_SASL_MECHANISM, ILLEGAL_SASL_STATE, SASL_AUTHENTICATION_FAILED, or as the socket fails
 */
export async function authenticate(wire: Wire, login: Login): Promise<number> {
  await shakeHands(wire, login)
  const version = wire.version(saslAuthenticate)
  const dialogue = login.dialogue()
  let sessionLifetimeMs = 0
  let step = await dialogue.next(Buffer.alloc(0)) // the first step ignores its input
  for (let messages = 1; step.done !== true; messages++) {
    if (messages > MESSAGES_MAX) throw refused(wire, login, 'it never ends')
    const answer = await wire.ask(saslAuthenticate, version, { authBytes: step.value })
    if (answer.errorCode !== 0) {
      const said = answer.errorMessage ?? errorName(answer.errorCode)!
      throw refused(wire, login, `the broker says: ${login.conceal(said)}`)
    }
    sessionLifetimeMs = answer.sessionLifetimeMs
    step = await dialogue.next(answer.authBytes)
  }
  return sessionLifetimeMs
}

/** Version 0 would send the messages without frames. */
async function shakeHands(wire: Wire, { mechanism }: Login): Promise<void> {
  const version = wire.version(saslHandshake, Infinity, 1)
  const { errorCode, mechanisms } = await wire.ask(saslHandshake, version, { mechanism })
  const error = errorName(errorCode)
  if (error === undefined) return
  if (error === 'ILLEGAL_SASL_STATE')
    throw new KafkaError(
      error,
      `${wire.where} asks for no SASL: leave the option sasl out, or dial another listener`,
    )
  if (error !== 'UNSUPPORTED_SASL_MECHANISM')
    throw new KafkaError(error, `${wire.where} refuses SaslHandshake`)
  const offered = mechanisms
    .slice(0, 10)
    .map((each) => each.slice(0, 50))
    .join(', ')
  throw new KafkaError(
    error,
    `${wire.where}: the broker offers ${offered || 'no mechanism'}; ${mechanism} was asked for`,
  )
}

function refused({ where }: Wire, { mechanism }: Login, why: string): KafkaError {
  const what = `${where} refuses this client by ${mechanism}: ${why.slice(0, REASON_CHARS_MAX)}`
  return new KafkaError('SASL_AUTHENTICATION_FAILED', what)
}
