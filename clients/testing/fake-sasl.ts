// FakeSasl: gives a FakeBroker SASL as Apache Kafka has it: the server's side of SCRAM, sessions, refusals.

import { createHash, createHmac, randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import { saslHandshake } from '../../protocol/api/17_sasl_handshake.ts'
import { saslAuthenticate } from '../../protocol/api/36_sasl_authenticate.ts'
import { errorCode } from '../../protocol/errors.ts'
import { scramKeys, type ScramMechanism } from '../../protocol/sasl/scram.ts'
import type { Api, ResponseInput } from '../../protocol/schema.ts'
import type { FakeBroker } from './fake-broker.ts'

export interface FakeSaslOptions {
  readonly mechanisms: readonly string[]
  /** User -> password. */
  readonly users?: Readonly<Record<string, string>>
  /** Accepted tokens. */
  readonly tokens?: ReadonlySet<string>
  sessionLifetimeMs?: number
  /** The message of a refusal. */
  refusal?: string
  /** Changes the broker's messages. */
  tamper?: (bytes: Buffer) => Buffer
}

/** The authentication state of a socket; a handshake on an authenticated socket starts another authentication. */
interface State {
  mechanism?: string
  isKnown: boolean
  /** Returns the last message of SCRAM; undefined for a wrong proof. */
  finish?: (clientFinal: string) => Buffer | undefined
  isRefused?: boolean
}

type Answer = ResponseInput<typeof saslAuthenticate>

export class FakeSasl {
  readonly options: FakeSaslOptions
  /** The clients' messages, without frames. */
  readonly said: Buffer[] = []
  readonly #states = new WeakMap<Socket, State>()

  constructor(broker: FakeBroker, options: FakeSaslOptions) {
    this.options = options
    broker.admits = (api, socket) => isSasl(api) || this.#stateOf(socket).isKnown
    broker.always(saslHandshake, ({ mechanism }, _, socket) => {
      const isOffered = options.mechanisms.includes(mechanism)
      if (isOffered) this.#states.set(socket, { mechanism, isKnown: false })
      const code = errorCode(isOffered ? undefined : 'UNSUPPORTED_SASL_MECHANISM')
      return { errorCode: code, mechanisms: [...options.mechanisms] }
    })
    broker.always(saslAuthenticate, ({ authBytes }, _, socket) => {
      const message = Buffer.from(authBytes)
      this.said.push(message)
      return this.#answer(this.#stateOf(socket), message)
    })
  }

  #stateOf(socket: Socket): State {
    const known = this.#states.get(socket)
    if (known !== undefined) return known
    const state: State = { isKnown: false }
    this.#states.set(socket, state)
    return state
  }

  #answer(state: State, message: Buffer): Answer | Promise<Answer> {
    switch (state.mechanism) {
      case 'PLAIN':
        return this.#plain(state, message)
      case 'OAUTHBEARER':
        return this.#oauth(state, message)
      default:
        return state.finish === undefined
          ? this.#scramFirst(state, message.toString())
          : this.#scramFinal(state, message.toString())
    }
  }

  #plain(state: State, message: Buffer): Answer {
    const [, user = '', password] = message.toString().split('\0')
    return this.options.users?.[user] === password ? this.#welcome(state) : this.#refuse()
  }

  #oauth(state: State, message: Buffer): Answer {
    if (state.isRefused === true) return this.#refuse()
    const [, token = ''] = message.toString().split('\x01', 2)[1]?.split('auth=Bearer ') ?? []
    if (this.options.tokens?.has(token) === true) return this.#welcome(state)
    state.isRefused = true
    return said(Buffer.from('{"status":"invalid_token"}'))
  }

  async #scramFirst(state: State, message: string): Promise<Answer> {
    const [, user = '', clientNonce = ''] = /^n,,n=([^,]*),r=(.*)$/.exec(message) ?? []
    const name = user.replaceAll('=2C', ',').replaceAll('=3D', '=')
    const password = this.options.users?.[name]
    if (password === undefined) return this.#refuse()
    const mechanism = state.mechanism as ScramMechanism
    const hash = mechanism === 'SCRAM-SHA-256' ? 'sha256' : 'sha512'
    const hmac = (key: Buffer, text: string) => createHmac(hash, key).update(text).digest()
    const salt = randomBytes(16)
    const keys = await scramKeys(mechanism, password, { salt, iterations: 4096 })
    const nonce = clientNonce + randomBytes(12).toString('base64')
    const first = `r=${nonce},s=${salt.toString('base64')},i=4096`
    state.finish = (clientFinal) => {
      const [withoutProof = '', proof = ''] = clientFinal.split(',p=')
      const text = `${message.slice('n,,'.length)},${first},${withoutProof}`
      const signature = hmac(keys.storedKey, text)
      const clientKey = Buffer.from(Buffer.from(proof, 'base64').map((b, i) => b ^ signature[i]!))
      if (!createHash(hash).update(clientKey).digest().equals(keys.storedKey)) return undefined
      return Buffer.from(`v=${hmac(keys.serverKey, text).toString('base64')}`)
    }
    return said(this.#sent(Buffer.from(first)))
  }

  #scramFinal(state: State, message: string): Answer {
    const last = state.finish!(message)
    return last === undefined ? this.#refuse() : this.#welcome(state, last)
  }

  #welcome(state: State, last: Buffer = Buffer.alloc(0)): Answer {
    state.isKnown = true
    const { sessionLifetimeMs = 0 } = this.options
    return { ...said(this.#sent(last)), sessionLifetimeMs }
  }

  #refuse(): Answer {
    const { refusal = 'Authentication failed: Invalid username or password' } = this.options
    const code = errorCode('SASL_AUTHENTICATION_FAILED')
    return { errorCode: code, errorMessage: refusal, authBytes: Buffer.alloc(0) }
  }

  #sent(bytes: Buffer): Buffer {
    return this.options.tamper?.(bytes) ?? bytes
  }
}

function said(authBytes: Buffer): Answer {
  return { errorCode: 0, errorMessage: null, authBytes }
}

function isSasl({ key }: Api): boolean {
  return key === saslHandshake.key || key === saslAuthenticate.key
}
