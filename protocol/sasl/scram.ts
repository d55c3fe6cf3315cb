// SCRAM (RFC 5802, RFC 7677): the client's messages, what it checks of the server's, and the keys. The server's side:
// scram-server.ts. Any thread.
// Names and passwords are taken as UTF-8 without SASLprep, as Apache Kafka takes them.

import { createHash, createHmac, pbkdf2, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { KafkaError } from '../errors.ts'
import {
  ITERATIONS_MIN,
  scramMechanismCodes,
  scramMechanisms,
  STORED_ITERATIONS_MAX,
  type ScramMechanism,
} from './scram-mechanisms.ts'
import { escapedName } from './saslname.ts'

export type { ScramMechanism }
export { ITERATIONS_MIN, scramMechanismCodes, scramMechanisms, STORED_ITERATIONS_MAX }

export const scramHashes = {
  'SCRAM-SHA-256': { name: 'sha256', bytes: 32 },
  'SCRAM-SHA-512': { name: 'sha512', bytes: 64 },
} as const

/** What a server may ask for: it costs half a second of one pool thread. */
const ITERATIONS_MAX = 1_000_000

export const SCRAM_MESSAGE_BYTES_MAX = 4_096

/** No channel binding, no other identity: `n,,`. */
const GS2_HEADER = 'n,,'
const CHANNEL_BINDING = `c=${Buffer.from(GS2_HEADER).toString('base64')}`

/** What a password comes to (RFC 5802, section 3). */
export interface ScramKeys {
  readonly clientKey: Buffer
  readonly storedKey: Buffer
  readonly serverKey: Buffer
}

/** What a server keeps of a password: it proves the password, and nobody can log in with it. */
export interface ScramCredential extends Omit<ScramKeys, 'clientKey'> {
  readonly salt: Buffer
  readonly iterations: number
}

export interface ScramFirst {
  readonly nonce: string
  readonly salt: Buffer
  readonly iterations: number
}

/** One authentication. Its messages are asked for in their order. */
export class ScramClient {
  readonly #mechanism: ScramMechanism
  readonly #nonce: string
  readonly #firstBare: string
  #serverSignature: Buffer | undefined

  /** @param nonce printable ASCII without commas, never used before */
  constructor(mechanism: ScramMechanism, username: string, nonce: string) {
    this.#mechanism = mechanism
    this.#nonce = nonce
    this.#firstBare = `n=${escapedName(username)},r=${nonce}`
  }

  first(): Buffer {
    return Buffer.from(GS2_HEADER + this.#firstBare)
  }

  /**
   * @param keysOf derives the keys of the password
   * @throws {KafkaError} SASL_AUTHENTICATION_FAILED for a first message of the server that proves nothing or asks too much
   */
  async final(
    serverFirst: Buffer,
    keysOf: (first: ScramFirst) => Promise<ScramKeys>,
  ): Promise<Buffer> {
    const first = readFirst(serverFirst)
    if (!first.nonce.startsWith(this.#nonce) || first.nonce.length === this.#nonce.length)
      throw untrusted('its nonce does not continue the one of this client')
    const keys = await keysOf(first)
    const withoutProof = `${CHANNEL_BINDING},r=${first.nonce}`
    const message = [this.#firstBare, serverFirst.toString(), withoutProof].join(',')
    const signature = scramHmac(this.#mechanism, keys.storedKey, message)
    const proof = Buffer.from(keys.clientKey.map((byte, i) => byte ^ signature[i]!))
    this.#serverSignature = scramHmac(this.#mechanism, keys.serverKey, message)
    return Buffer.from(`${withoutProof},p=${proof.toString('base64')}`)
  }

  /** @throws {KafkaError} SASL_AUTHENTICATION_FAILED: the server has not shown that it knows the password's keys */
  check(serverFinal: Buffer): void {
    const [, kind, value = ''] = /^([ve])=([^,]*)/.exec(textOf(serverFinal)) ?? []
    if (kind === 'e') throw untrusted(`it ends with the error ${value.slice(0, 100)}`)
    const signature = kind === 'v' ? Buffer.from(value, 'base64') : Buffer.alloc(0)
    const wanted = this.#serverSignature
    if (wanted?.length !== signature.length || !timingSafeEqual(signature, wanted))
      throw untrusted('its signature is wrong, so it does not know the password itself')
  }
}

/** Takes milliseconds of a pool thread. */
export async function scramKeys(
  mechanism: ScramMechanism,
  password: string,
  first: Pick<ScramFirst, 'salt' | 'iterations'>,
): Promise<ScramKeys> {
  return scramKeysOf(mechanism, await saltedPassword(mechanism, password, first))
}

/** Takes milliseconds of a pool thread. The result logs in as well as the password does. */
export function saltedPassword(
  mechanism: ScramMechanism,
  password: string,
  { salt, iterations }: Pick<ScramFirst, 'salt' | 'iterations'>,
): Promise<Buffer> {
  const { name, bytes } = scramHashes[mechanism]
  return promisify(pbkdf2)(password, salt, iterations, bytes, name)
}

/** @param salted not empty */
export function scramKeysOf(mechanism: ScramMechanism, salted: Uint8Array): ScramKeys {
  const clientKey = scramHmac(mechanism, salted, 'Client Key')
  return {
    clientKey,
    storedKey: createHash(scramHashes[mechanism].name).update(clientKey).digest(),
    serverKey: scramHmac(mechanism, salted, 'Server Key'),
  }
}

export function scramHmac(mechanism: ScramMechanism, key: Uint8Array, text: string): Buffer {
  return createHmac(scramHashes[mechanism].name, key).update(text).digest()
}

/** A name that begins with `m=` would be an extension that is not known here, and is refused (RFC 5802, section 5.1). */
function readFirst(bytes: Buffer): ScramFirst {
  const match = /^r=([!-+\x2d-~]+),s=([A-Za-z0-9+/]+={0,2}),i=(\d{1,10})(?:,|$)/.exec(textOf(bytes))
  if (match === null) throw untrusted('its first message is none of SCRAM')
  const [, nonce = '', salt = '', count] = match
  const iterations = Number(count)
  if (iterations < ITERATIONS_MIN || iterations > ITERATIONS_MAX)
    throw untrusted(
      `it asks for ${iterations} iterations, allowed are ${ITERATIONS_MIN} to ${ITERATIONS_MAX}`,
    )
  return { nonce, salt: Buffer.from(salt, 'base64'), iterations }
}

function textOf(bytes: Buffer): string {
  if (bytes.length > SCRAM_MESSAGE_BYTES_MAX) throw untrusted(`it sends ${bytes.length} bytes`)
  return bytes.toString()
}

function untrusted(why: string): KafkaError {
  return new KafkaError('SASL_AUTHENTICATION_FAILED', `the broker is not to be trusted: ${why}`)
}
