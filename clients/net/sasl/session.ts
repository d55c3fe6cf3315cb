// SaslSession: keeps a socket authenticated. It renews a session that is about to end before the next
// request; requests that come meanwhile wait (KIP-368).

import { KafkaError } from '../../../protocol/errors.ts'
import type { Clock } from '../../clock.ts'
import { tell } from '../../events.ts'
import type { Logger } from '../../logger.ts'
import { authenticate, type Wire } from './authenticate.ts'
import type { Login } from './login.ts'

/** Kafka's client renews after 85 to 95 % of the time too. */
const RENEWED_AFTER_MIN = 0.85
const RENEWED_AFTER_SPREAD = 0.1

/** Apache Kafka refuses a renewal within a second of the last. */
const RENEWED_AFTER_MIN_MS = 1_000

export interface SaslSessionDeps {
  readonly login: Login
  readonly clock: Clock
  readonly logger: Logger | undefined
  readonly wire: Wire
  /** Have all answers come? */
  readonly isQuiet: () => boolean
  /** Closes the socket: it takes no more requests. */
  readonly fail: (error: KafkaError) => void
}

export class SaslSession {
  readonly #deps: SaslSessionDeps
  /** Monotonic ms. */
  #renewAt = Infinity
  /** Requests that wait for the renewal; undefined: no renewal is running. */
  #held: (() => void)[] | undefined
  #isRenewing = false

  constructor(deps: SaslSessionDeps) {
    this.#deps = deps
  }

  /** @throws {KafkaError} see `authenticate` */
  async begin(): Promise<void> {
    const { clock, logger, wire, login } = this.#deps
    const startedAt = clock.monotonic()
    const told = () => ({
      address: wire.where,
      mechanism: login.mechanism,
      durationMs: clock.monotonic() - startedAt,
    })
    try {
      const lifetimeMs = await authenticate(wire, login)
      const share = RENEWED_AFTER_MIN + RENEWED_AFTER_SPREAD * clock.random()
      const afterMs = Math.max(RENEWED_AFTER_MIN_MS, lifetimeMs * share)
      this.#renewAt = lifetimeMs > 0 ? clock.monotonic() + afterMs : Infinity
      tell('authenticate', told(), logger, 'debug', 'authenticated')
    } catch (thrown) {
      const error = placed(thrown, wire.where)
      tell('authenticate', { ...told(), error }, logger, 'debug', 'authentication failed')
      throw error
    }
  }

  /** Starts a request, after the renewal if one is due. Requests start in the order of their calls. */
  pass<T>(start: () => Promise<T>): Promise<T> {
    if (this.#held === undefined) {
      if (this.#deps.clock.monotonic() < this.#renewAt) return start()
      this.#held = []
      queueMicrotask(() => this.goOn())
    }
    const held = this.#held
    return new Promise((resolve) => held.push(() => resolve(start())))
  }

  /** Call it when an answer has come. */
  goOn(): void {
    if (this.#held !== undefined && !this.#isRenewing && this.#deps.isQuiet()) void this.#renew()
  }

  /** Releases the waiting requests, which the closed socket then fails. */
  release(): void {
    const held = this.#held ?? []
    this.#held = undefined
    for (const start of held) start()
  }

  async #renew(): Promise<void> {
    this.#isRenewing = true
    try {
      await this.begin()
    } catch (error) {
      this.#deps.fail(error as KafkaError)
    } finally {
      this.#isRenewing = false
      this.release()
    }
  }
}

/** Adds the broker's address to errors of a mechanism, which do not have it. */
function placed(error: unknown, where: string): KafkaError {
  if (!(error instanceof KafkaError)) {
    const { message } = error as Error
    return new KafkaError('SASL_AUTHENTICATION_FAILED', `${where}: ${message}`, { cause: error })
  }
  if (error.reason.includes(where)) return error
  return new KafkaError(error.code, `${where}: ${error.reason}`, { cause: error.cause })
}
