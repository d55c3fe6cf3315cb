// Login: the credentials of a client. Secrets are private fields, which nothing prints.

import { randomBytes } from 'node:crypto'
import { oauthAbort, oauthMessage } from '../../../protocol/sasl/oauthbearer.ts'
import { plainMessage } from '../../../protocol/sasl/plain.ts'
import {
  ScramClient,
  scramKeys,
  type ScramFirst,
  type ScramKeys,
  type ScramMechanism,
} from '../../../protocol/sasl/scram.ts'
import type { SaslOptions } from './options.ts'
import { TokenSource, type TokenSourceDeps } from './token-source.ts'

/** One authentication: yields the client's messages, and receives the broker's answers. */
export type Dialogue = AsyncGenerator<Buffer, void, Uint8Array>

export interface Login {
  readonly mechanism: 'PLAIN' | ScramMechanism | 'OAUTHBEARER'
  /** @throws {KafkaError} from its steps */
  dialogue(): Dialogue
  /** Removes the secrets from a broker's text. */
  conceal(text: string): string
}

export function loginOf(options: SaslOptions, deps: TokenSourceDeps): Login {
  switch (options.mechanism) {
    case 'plain':
      return new PlainLogin(options.username, options.password)
    case 'scram-sha-256':
      return new ScramLogin('SCRAM-SHA-256', options.username, options.password)
    case 'scram-sha-512':
      return new ScramLogin('SCRAM-SHA-512', options.username, options.password)
    case 'oauthbearer':
      return new OauthLogin(new TokenSource(options.token, deps))
  }
}

class PlainLogin implements Login {
  readonly mechanism = 'PLAIN'
  readonly #username: string
  readonly #password: string

  constructor(username: string, password: string) {
    this.#username = username
    this.#password = password
  }

  async *dialogue(): Dialogue {
    yield plainMessage(this.#username, this.#password)
  }

  conceal(text: string): string {
    return text.replaceAll(this.#password, '(secret)')
  }
}

class ScramLogin implements Login {
  readonly mechanism: ScramMechanism
  readonly #username: string
  readonly #password: string
  /** The keys for the last salt: all brokers of a cluster have the same salt, and deriving keys takes milliseconds. */
  #keys: { readonly salt: string; readonly keys: Promise<ScramKeys> } | undefined

  constructor(mechanism: ScramMechanism, username: string, password: string) {
    this.mechanism = mechanism
    this.#username = username
    this.#password = password
  }

  async *dialogue(): Dialogue {
    const nonce = randomBytes(24).toString('base64url')
    const client = new ScramClient(this.mechanism, this.#username, nonce)
    const serverFirst = Buffer.from(yield client.first())
    const serverFinal = yield await client.final(serverFirst, (first) => this.#keysOf(first))
    client.check(Buffer.from(serverFinal))
  }

  #keysOf({ salt, iterations }: ScramFirst): Promise<ScramKeys> {
    const text = `${iterations} ${salt.toString('base64')}`
    if (this.#keys?.salt !== text) {
      const keys = scramKeys(this.mechanism, this.#password, { salt, iterations })
      this.#keys = { salt: text, keys }
    }
    return this.#keys.keys
  }

  conceal(text: string): string {
    return text.replaceAll(this.#password, '(secret)')
  }
}

class OauthLogin implements Login {
  readonly mechanism = 'OAUTHBEARER'
  readonly #tokens: TokenSource

  constructor(tokens: TokenSource) {
    this.#tokens = tokens
  }

  async *dialogue(): Dialogue {
    const { value, extensions = {} } = await this.#tokens.get()
    const answer = yield oauthMessage(value, extensions)
    if (answer.length > 0) yield oauthAbort
  }

  conceal(text: string): string {
    const token = this.#tokens.current
    return token === undefined ? text : text.replaceAll(token, '(secret)')
  }
}
