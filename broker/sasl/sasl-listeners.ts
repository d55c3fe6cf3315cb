// SaslListeners: SASL of all listeners that have it: makes the mechanisms, and an authentication for each client. The HTTP server
// is one of them. Network thread.

import type { Clock } from '../../storage/clock.ts'
import type { Credentials } from '../auth/credentials.ts'
import type { ProcessLog } from '../process-log.ts'
import type { Authentication, Session } from '../session.ts'
import { Attempts } from './attempts.ts'
import { SaslAuthentication, type SaslRules } from './authentication.ts'
import type { Decoys } from './decoys.ts'
import { KeySet } from './key-set.ts'
import type { Mechanism, MechanismName } from './mechanism.ts'
import { OauthBearer } from './oauthbearer.ts'
import { PasswordChecks } from './password-checks.ts'
import { credentialsOf, Plain } from './plain.ts'
import type { SaslConfig } from './sasl-configs.ts'
import { Scram } from './scram.ts'

interface SaslDeps {
  readonly credentials: Credentials
  readonly decoys: Decoys
  readonly checks: PasswordChecks
  readonly clock: Clock
  readonly log: ProcessLog
}

interface SaslListener {
  readonly name: string
  /** Undefined without SASL. */
  readonly sasl: SaslConfig | undefined
}

export class SaslListeners {
  readonly attempts: Attempts
  readonly #deps: SaslDeps
  readonly #rulesByListener = new Map<string, SaslRules>()

  constructor(listeners: readonly SaslListener[], deps: SaslDeps) {
    this.#deps = deps
    this.attempts = new Attempts(deps.log)
    for (const { name, sasl } of listeners)
      if (sasl !== undefined) this.#rulesByListener.set(name, rulesOf(sasl, deps))
  }

  /** Of one listener; undefined without SASL. */
  rulesOf(listener: string): SaslRules | undefined {
    return this.#rulesByListener.get(listener)
  }

  /** @returns undefined on a listener without SASL */
  authenticationOf(session: Session): Authentication | undefined {
    const rules = this.#rulesByListener.get(session.listener)
    if (rules === undefined) return undefined
    const { clock, log } = this.#deps
    return new SaslAuthentication(session, { rules, attempts: this.attempts, clock, log })
  }
}

function rulesOf(config: SaslConfig, deps: SaslDeps): SaslRules {
  const mechanisms = config.mechanisms.map(
    (name) => [name, mechanismOf(name, config, deps)] as const,
  )
  return { ...config, mechanisms: new Map(mechanisms) }
}

function mechanismOf(name: MechanismName, config: SaslConfig, deps: SaslDeps): Mechanism {
  switch (name) {
    case 'PLAIN':
      return new Plain({ ...deps, users: credentialsOf(config.users) })
    case 'SCRAM-SHA-256':
    case 'SCRAM-SHA-512':
      return new Scram(name, deps)
    case 'OAUTHBEARER': {
      const { clock, log } = deps
      const oauth = config.oauth!
      const url = oauth['sasl.oauthbearer.jwks.endpoint.url']
      const refreshMs = oauth['sasl.oauthbearer.jwks.endpoint.refresh.ms']
      return new OauthBearer({
        config: oauth,
        keySet: new KeySet({ url, refreshMs, clock, log }),
        clock,
      })
    }
  }
}
