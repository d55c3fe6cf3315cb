// TokenSource: the token of a client, from the user's function, renewed in time and shared by all sockets.

import { KafkaError } from '../../../protocol/errors.ts'
import type { Clock } from '../../clock.ts'
import type { Logger } from '../../logger.ts'
import { mute, thrownText } from '../../shown.ts'
import { checkedToken, type OauthToken } from './options.ts'

/** The rest of a token's lifetime is for retries of the next one. */
const RENEWED_AFTER = 0.8

export interface TokenSourceDeps {
  readonly clock: Clock
  readonly logger: Logger | undefined
  /** The time limit of the function. */
  readonly timeoutMs: number
}

export class TokenSource {
  readonly #ask: () => unknown
  readonly #deps: TokenSourceDeps
  /** The current token, and the time from which to renew it: wall time, like `expiresAt`. */
  #token: OauthToken | undefined
  #renewAt = 0
  /** Concurrent callers share one call of the function. */
  #asking: Promise<OauthToken> | undefined

  constructor(ask: () => unknown, deps: TokenSourceDeps) {
    this.#ask = ask
    this.#deps = deps
  }

  /**
   * @throws {KafkaError} SASL_AUTHENTICATION_FAILED if the function has never returned a token, afterwards NETWORK_EXCEPTION:
   *   a function that worked once may work again
   */
  async get(): Promise<OauthToken> {
    const { clock, logger } = this.#deps
    if (clock.now() < this.#renewAt) return this.#token!
    try {
      this.#asking ??= this.#renew()
      return await this.#asking
    } catch (error) {
      const token = this.#token
      if (token === undefined || clock.now() >= token.expiresAt) throw error
      logger?.warn({ error }, 'no new token; the old one still holds')
      return token
    }
  }

  /** Does the text contain the token? */
  get current(): string | undefined {
    return this.#token?.value
  }

  async #renew(): Promise<OauthToken> {
    const { clock } = this.#deps
    const askedAt = clock.now()
    try {
      const token = checkedToken(await this.#given())
      if (token.expiresAt <= clock.now())
        throw new TypeError(`sasl.token(): expiresAt is ${when(token.expiresAt)}, which is over`)
      this.#token = token
      this.#renewAt = askedAt + (token.expiresAt - askedAt) * RENEWED_AFTER
      return token
    } catch (error) {
      const code = this.#token === undefined ? 'SASL_AUTHENTICATION_FAILED' : 'NETWORK_EXCEPTION'
      throw new KafkaError(code, `there is no token: ${thrownText(error)}`, { cause: error })
    } finally {
      this.#asking = undefined
    }
  }

  /** The function's result or error, or a timeout. */
  #given(): Promise<unknown> {
    const { clock, timeoutMs } = this.#deps
    return new Promise((resolve, reject) => {
      const timer = clock.after(timeoutMs, () =>
        reject(new TypeError(`sasl.token() has given nothing within ${timeoutMs} ms`)),
      )
      const given = (async () => await this.#ask())()
      mute(given)
      void given.then(resolve, reject).finally(() => timer.cancel())
    })
  }
}

function when(ms: number): string {
  const date = new Date(ms)
  return Number.isNaN(date.getTime()) ? `${ms}` : `${ms} (${date.toISOString()}; it is in ms)`
}
