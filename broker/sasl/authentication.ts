// SaslAuthentication: how far one client has come in logging in, in the states and with the texts of Apache Kafka (KIP-152, KIP-368).
// SaslHandshake names a mechanism, SaslAuthenticate carries its messages; nothing else but one ApiVersions comes before the
// end. Network thread.

import { apiVersions } from '../../protocol/api/18_api_versions.ts'
import { saslAuthenticate } from '../../protocol/api/36_sasl_authenticate.ts'
import { saslHandshake } from '../../protocol/api/17_sasl_handshake.ts'
import { errorCode, KafkaError } from '../../protocol/errors.ts'
import type { Clock } from '../../storage/clock.ts'
import { Disconnect } from '../disconnect.ts'
import type { ProcessLog } from '../process-log.ts'
import type { Authentication, HandshakeAnswer, MessageAnswer, Session } from '../session.ts'
import { OTHER_MECHANISM, type Attempts } from './attempts.ts'
import { failureDelay } from './failure-delay.ts'
import {
  NO_MESSAGE,
  Refusal,
  type Conversation,
  type Identity,
  type Mechanism,
} from './mechanism.ts'

/** As in Apache Kafka: a renewal that comes earlier is refused. */
const RENEWAL_INTERVAL_MS_MIN = 1_000

/** What one listener asks of its clients. */
export interface SaslRules {
  readonly mechanisms: ReadonlyMap<string, Mechanism>
  readonly receiveBytesMax: number
  /** By mechanism; 0: until the connection ends. */
  readonly sessionMs: ReadonlyMap<string, number>
  readonly timeoutMs: number
  /** A failed attempt is answered after this time, or a multiple of it: so the answer's time tells nothing about the user. */
  readonly failureDelayMs: number
}

interface AuthenticationDeps {
  readonly rules: SaslRules
  readonly attempts: Attempts
  readonly clock: Clock
  readonly log: ProcessLog
}

/** What the client may send next: see `admits`. */
type State = 'versions or handshake' | 'handshake' | 'messages' | 'requests' | 'nothing'

export class SaslAuthentication implements Authentication {
  readonly #session: Session
  readonly #deps: AuthenticationDeps
  #state: State = 'versions or handshake'
  #mechanism: Mechanism | undefined
  #conversation: Conversation | undefined
  /** The client has shaken hands by version 0, whose messages are frames of their own (KIP-43). */
  #isBare = false
  #hasFailed = false
  #isDone = false
  /** Monotonic ms: when this login, or its renewal, began. */
  #startedAt: number
  #renewalStartedAt = -Infinity
  /** Monotonic ms. */
  #expiresAt = Infinity

  constructor(session: Session, deps: AuthenticationDeps) {
    this.#session = session
    this.#deps = deps
    this.#startedAt = deps.clock.monotonic()
  }

  get isDone(): boolean {
    return this.#isDone
  }

  get frameBytesMax(): number | undefined {
    return this.#state === 'requests' ? undefined : this.#deps.rules.receiveBytesMax
  }

  get takesBareMessage(): boolean {
    return this.#isBare && this.#state === 'messages'
  }

  isOverdue(now: number): boolean {
    return this.#state !== 'requests' && now - this.#startedAt > this.#deps.rules.timeoutMs
  }

  admits(apiKey: number): boolean {
    switch (this.#state) {
      case 'requests':
        return this.#expiresAt === Infinity || this.#admitsInTime(apiKey)
      case 'versions or handshake':
        if (apiKey === apiVersions.key || apiKey === saslHandshake.key) return true
        break
      case 'handshake':
        if (apiKey === saslHandshake.key) return true
        break
      case 'messages':
        if (apiKey === saslAuthenticate.key) return true
        if (apiKey === apiVersions.key || apiKey === saslHandshake.key) return this.#refuses()
        break
      case 'nothing':
    }
    throw new Disconnect(`a request of API ${apiKey} from a client that has to log in first`)
  }

  #refuses(): false {
    this.#state = 'nothing'
    return false
  }

  /** A session that has ended can still be renewed. */
  #admitsInTime(apiKey: number): boolean {
    const now = this.#deps.clock.monotonic()
    const isEarly = now - this.#renewalStartedAt < RENEWAL_INTERVAL_MS_MIN
    if (apiKey === saslHandshake.key && !isEarly) {
      this.#renewalStartedAt = now
      this.#startedAt = now
      this.#state = 'handshake'
      return true
    }
    if (now > this.#expiresAt) throw new Disconnect('the session has ended, and was not renewed')
    return true
  }

  toldVersions(): void {
    if (this.#state === 'versions or handshake') this.#state = 'handshake'
  }

  shakeHands(name: string, version: number): HandshakeAnswer {
    const { rules, attempts } = this.#deps
    const mechanisms = [...rules.mechanisms.keys()]
    if (this.#state === 'requests')
      return { errorCode: errorCode('ILLEGAL_SASL_STATE'), mechanisms: [], isLast: false }
    const mechanism = rules.mechanisms.get(name)
    if (mechanism === undefined) {
      attempts.failed(this.#session, OTHER_MECHANISM, `${name} is not offered`)
      this.#state = 'nothing'
      return { errorCode: errorCode('UNSUPPORTED_SASL_MECHANISM'), mechanisms, isLast: true }
    }
    const isSame = this.#mechanism === undefined || this.#mechanism === mechanism
    this.#state = isSame ? 'messages' : 'nothing' // Kafka hears nothing more of a client that changes its mechanism
    if (!isSame) attempts.failed(this.#session, mechanism.name, 'another mechanism than before')
    this.#mechanism = mechanism
    this.#isBare = version === 0
    return { errorCode: 0, mechanisms, isLast: false }
  }

  async receive(message: Buffer): Promise<MessageAnswer> {
    const { rules, clock } = this.#deps
    const receivedAt = clock.monotonic()
    if (this.#state !== 'messages') return answerTo('ILLEGAL_SASL_STATE', AFTER_THE_END, false)
    try {
      const step = await this.#converse(message)
      if (step.done === true) return this.#finish(step.value)
      if (step.value.failure !== undefined) this.#fail(step.value.failure)
      return { ...PASSED, authBytes: step.value.message }
    } catch (error) {
      this.#state = 'nothing'
      const told = this.#toldOf(error)
      await failureDelay(rules.failureDelayMs, receivedAt, clock, this.#session.gone)
      return answerTo('SASL_AUTHENTICATION_FAILED', told, true)
    }
  }

  #converse(
    message: Buffer,
  ): Promise<IteratorResult<{ message: Buffer; failure?: string }, Identity>> {
    if (this.#conversation !== undefined) return this.#conversation.next(message)
    this.#hasFailed = false
    this.#conversation = this.#mechanism!.converse(message, this.#session.gone)
    return this.#conversation.next(message) // the first step has the message already
  }

  /** @throws {Refusal} */
  #finish({ user, lastMessage, expiresAtMs = Infinity }: Identity): MessageAnswer {
    const { rules, attempts, clock } = this.#deps
    const { principal: before } = this.#session
    if (this.#isDone && before.name !== user) {
      const told = `Cannot change principals during re-authentication from ${before.type}.${before.name}: User.${user}`
      throw new Refusal('another user than before', { told, user })
    }
    const mechanism = this.#mechanism!.name
    const lifetimeMs = Math.min(
      rules.sessionMs.get(mechanism) || Infinity,
      Math.max(0, expiresAtMs - clock.now()),
    )
    this.#expiresAt = clock.monotonic() + lifetimeMs
    this.#session.principal = { type: 'User', name: user }
    this.#isDone = true
    this.#conversation = undefined
    this.#state = 'requests'
    attempts.done(this.#session, mechanism)
    const sessionLifetimeMs = lifetimeMs === Infinity ? 0 : Math.floor(lifetimeMs)
    return { ...PASSED, authBytes: lastMessage, sessionLifetimeMs }
  }

  /** @returns what the client is told */
  #toldOf(error: unknown): string {
    if (error instanceof Refusal) this.#fail(error.message, error.user)
    else if (error instanceof KafkaError) this.#fail(error.reason)
    else {
      this.#deps.log.error('authentication failed by an error', { error })
      this.#fail('an error in the broker')
    }
    const again = this.#isDone ? 're-authentication' : 'authentication'
    const any = `Authentication failed during ${again} due to invalid credentials with SASL mechanism ${this.#mechanism!.name}`
    return error instanceof Refusal ? (error.told ?? any) : any
  }

  /** Once for a conversation. */
  #fail(reason: string, user?: string): void {
    if (this.#hasFailed) return
    this.#hasFailed = true
    this.#deps.attempts.failed(this.#session, this.#mechanism!.name, reason, user)
  }
}

/** Apache Kafka's text for a message that no login waits for, also where there is no login. */
export const AFTER_THE_END = 'SaslAuthenticate request received after successful authentication'

const PASSED: MessageAnswer = {
  errorCode: 0,
  errorMessage: '', // as Apache Kafka says it
  authBytes: NO_MESSAGE,
  sessionLifetimeMs: 0,
  isLast: false,
}

function answerTo(
  code: 'ILLEGAL_SASL_STATE' | 'SASL_AUTHENTICATION_FAILED',
  errorMessage: string,
  isLast: boolean,
): MessageAnswer {
  return { ...PASSED, errorCode: errorCode(code), errorMessage, isLast }
}
