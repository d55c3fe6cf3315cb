// OAUTHBEARER (RFC 7628, KIP-255): the client's messages, and the server's refusal. Pure.

import { KafkaError } from '../errors.ts'
import { nameIn, saslText } from './saslname.ts'

/** Each pair of the message, and the message itself, ends with it. */
const END = '\x01'

/** The client's answer to a refusal: only then does the broker say in its own words that it refuses. */
export const oauthAbort = Buffer.from(END)

export interface OauthMessage {
  /** The identity to act as; empty for the token's own. */
  readonly authorizationId: string
  readonly token: string
}

/** @param extensions go along as pairs (KIP-342) */
export function oauthMessage(token: string, extensions: Readonly<Record<string, string>>): Buffer {
  const pairs = Object.entries({ auth: `Bearer ${token}`, ...extensions })
  const text = pairs.map(([name, value]) => `${name}=${value}${END}`).join('')
  return Buffer.from(`n,,${END}${text}${END}`)
}

/** Extensions are passed over. @throws {KafkaError} SASL_AUTHENTICATION_FAILED for bytes that are no such message */
export function readOauth(message: Uint8Array): OauthMessage {
  const [header = '', ...pairs] = saslText(message).split(END)
  const names = /^n,(?:a=([^,]*))?,$/.exec(header)
  const isWhole = names !== null && pairs.splice(-2).join() === ','
  const auth = pairs.filter((pair) => pair.startsWith('auth='))
  const [, token] = /^auth=Bearer +([\w.~+/-]+=*)$/i.exec(auth[0] ?? '') ?? []
  if (!isWhole || token === undefined || auth.length !== 1)
    throw new KafkaError('SASL_AUTHENTICATION_FAILED', 'the message has no bearer token')
  return { authorizationId: nameIn(names[1] ?? ''), token }
}

/** The server's refusal of a token (RFC 7628, section 3.2.2). */
export const oauthRefusal = Buffer.from('{"status":"invalid_token"}')
