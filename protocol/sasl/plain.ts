// PLAIN (RFC 4616): the one message of the mechanism. Pure.

import { KafkaError } from '../errors.ts'
import { saslText } from './saslname.ts'

export interface PlainMessage {
  /** The identity to act as; empty for the user's own. */
  readonly authorizationId: string
  readonly username: string
  readonly password: string
}

/** @param username and @param password without NUL */
export function plainMessage(username: string, password: string): Buffer {
  return Buffer.from(`\0${username}\0${password}`)
}

/** @throws {KafkaError} SASL_AUTHENTICATION_FAILED for bytes that are no such message */
export function readPlain(message: Uint8Array): PlainMessage {
  const [authorizationId = '', username = '', password, ...more] = saslText(message).split('\0')
  if (password === undefined || more.length > 0)
    throw new KafkaError('SASL_AUTHENTICATION_FAILED', 'the message has not three parts')
  return { authorizationId, username, password }
}
