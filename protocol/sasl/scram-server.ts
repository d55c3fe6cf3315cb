// SCRAM (RFC 5802, RFC 7677): the server's side of one authentication. It derives nothing from a password, so it is cheap.
// Any thread.

import { createHash, timingSafeEqual } from 'node:crypto'
import { KafkaError } from '../errors.ts'
import { nameIn, saslText } from './saslname.ts'
import {
  SCRAM_MESSAGE_BYTES_MAX,
  scramHashes,
  scramHmac,
  type ScramCredential,
  type ScramMechanism,
} from './scram.ts'

/** `n,a=NAME,` and `n=NAME,r=NONCE,...`: without channel binding, and without an extension that must be understood. */
const FIRST = /^(n,(?:a=([^,]*))?,)(n=([^,]+),r=([!-+\x2d-~]+)((?:,[A-Za-z]+=[^,]+)*))$/
const FINAL =
  /^(c=([A-Za-z0-9+/]+={0,2}),r=([!-+\x2d-~]+)(?:,[A-Za-z]+=[^,]+)*),p=([A-Za-z0-9+/]+={0,2})$/

export class ScramServer {
  readonly username: string
  /** The identity to act as; empty for the user's own. */
  readonly authorizationId: string
  /** By name; Kafka's `tokenauth` is one (KIP-48). */
  readonly extensions: ReadonlyMap<string, string>
  readonly #mechanism: ScramMechanism
  readonly #channelBinding: string
  readonly #firstBare: string
  readonly #clientNonce: string
  #nonce = ''
  #serverFirst = ''

  /** @throws {KafkaError} SASL_AUTHENTICATION_FAILED for bytes that are no first message */
  constructor(mechanism: ScramMechanism, clientFirst: Uint8Array) {
    const [, header = '', authorizationId = '', bare = '', name = '', nonce = '', extensions = ''] =
      FIRST.exec(textOf(clientFirst)) ?? refuse('the first message is none of SCRAM')
    this.#mechanism = mechanism
    this.username = nameIn(name)
    this.authorizationId = nameIn(authorizationId)
    this.extensions = new Map(
      extensions
        .split(',')
        .slice(1)
        .map((pair) => pair.split(/=(.*)/s, 2) as [string, string]),
    )
    this.#channelBinding = Buffer.from(header).toString('base64')
    this.#firstBare = bare
    this.#clientNonce = nonce
  }

  /** @param nonce printable ASCII without commas, which nobody can foresee */
  first({ salt, iterations }: ScramCredential, nonce: string): Buffer {
    this.#nonce = this.#clientNonce + nonce
    this.#serverFirst = `r=${this.#nonce},s=${salt.toString('base64')},i=${iterations}`
    return Buffer.from(this.#serverFirst)
  }

  /**
   * @returns the signature by which the client knows the server
   * @throws {KafkaError} SASL_AUTHENTICATION_FAILED for a wrong password, or another nonce than the one of `first`
   */
  final({ storedKey, serverKey }: ScramCredential, clientFinal: Uint8Array): Buffer {
    const [, withoutProof = '', channelBinding, nonce, proof = ''] =
      FINAL.exec(textOf(clientFinal)) ?? refuse('the last message is none of SCRAM')
    if (channelBinding !== this.#channelBinding) refuse('the channel binding has changed')
    if (!this.#isOurs(nonce)) refuse('the last message has another nonce')
    const message = [this.#firstBare, this.#serverFirst, withoutProof].join(',')
    const signature = scramHmac(this.#mechanism, storedKey, message)
    const proven = Buffer.from(proof, 'base64')
    if (proven.length !== signature.length) refuse('the proof has another length')
    const clientKey = proven.map((byte, i) => byte ^ signature[i]!)
    const { name } = scramHashes[this.#mechanism]
    if (!timingSafeEqual(createHash(name).update(clientKey).digest(), storedKey))
      refuse('the password is wrong')
    return Buffer.from(`v=${scramHmac(this.#mechanism, serverKey, message).toString('base64')}`)
  }

  /**
   * librdkafka before 2.6.1 puts its own nonce before the whole one, which proves as much. Apache Kafka refuses it since 4.0:
   * docs/decisions/0028-logging-in-to-the-broker.md
   */
  #isOurs(nonce: string | undefined): boolean {
    return nonce === this.#nonce || nonce === this.#clientNonce + this.#nonce
  }
}

function textOf(message: Uint8Array): string {
  if (message.length > SCRAM_MESSAGE_BYTES_MAX) refuse(`a message of ${message.length} bytes`)
  return saslText(message)
}

function refuse(why: string): never {
  throw new KafkaError('SASL_AUTHENTICATION_FAILED', why)
}
