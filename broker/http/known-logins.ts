// KnownLogins: logins that have succeeded a moment ago, so that a scraper's next request costs no check of its password. Keeps
// neither passwords nor tokens, only what a secret makes of them. Network thread.

import { createHmac } from 'node:crypto'
import type { Clock } from '../../storage/clock.ts'
import type { Principal } from '../auth/principal.ts'

const KNOWN_MS = 60_000
const LOGINS_MAX = 64

interface Login {
  readonly principal: Principal
  /** Monotonic ms. */
  readonly endsAt: number
  /** The user still has the password that was checked. */
  readonly isCurrent: () => boolean
}

export class KnownLogins {
  readonly #secret: Buffer
  readonly #clock: Clock
  /** By what the secret makes of the header; the oldest first. */
  readonly #logins = new Map<string, Login>()

  constructor(secret: Buffer, clock: Clock) {
    this.#secret = secret
    this.#clock = clock
  }

  /** @param header as the client sent it */
  find(header: string): Principal | undefined {
    const key = this.#keyOf(header)
    const login = this.#logins.get(key)
    if (login === undefined) return undefined
    if (login.endsAt > this.#clock.monotonic() && login.isCurrent()) return login.principal
    this.#logins.delete(key)
    return undefined
  }

  /** @param expiresAtMs epoch ms: when the proof itself ends */
  keep(
    header: string,
    principal: Principal,
    isCurrent: () => boolean,
    expiresAtMs = Infinity,
  ): void {
    const lifetimeMs = Math.min(KNOWN_MS, expiresAtMs - this.#clock.now())
    const key = this.#keyOf(header)
    this.#logins.delete(key)
    this.#logins.set(key, { principal, endsAt: this.#clock.monotonic() + lifetimeMs, isCurrent })
    const [oldest] = this.#logins.keys()
    if (this.#logins.size > LOGINS_MAX) this.#logins.delete(oldest!)
  }

  #keyOf(header: string): string {
    return createHmac('sha256', this.#secret).update(header).digest('base64')
  }
}
