// PLAIN (RFC 4616): the one message of the mechanism. Pure.

import { KafkaError } from '../errors.ts'
import { saslText } from './saslname.ts'

const PARTS = 3

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
  const parts = saslText(message).split('\0', PARTS + 1)
  const [authorizationId = '', username = '', password = ''] = parts
  if (parts.length !== PARTS) {
    const got = `expected ${PARTS} tokens, got ${parts.length}` // Kafka's text
    throw new KafkaError('SASL_AUTHENTICATION_FAILED', `Invalid SASL/PLAIN response: ${got}`)
  }
  return { authorizationId, username, password }
}
