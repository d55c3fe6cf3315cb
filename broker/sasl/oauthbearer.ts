// OAUTHBEARER (RFC 7628, KIP-255, KIP-768): the client shows a token, a JWT that a token server has signed. Unsigned tokens, and those
// signed with a shared secret, are refused always. Extensions have no effect. Network thread.

import type { JSONWebKeySet, JWTPayload, JWTVerifyGetKey } from 'jose'
import { oauthRefusal, readOauth } from '../../protocol/sasl/oauthbearer.ts'
import type { Clock } from '../../storage/clock.ts'
import type { KeySet } from './key-set.ts'
import { NO_MESSAGE, Refusal, type Conversation, type Mechanism } from './mechanism.ts'
import type { OauthConfig } from './sasl-configs.ts'

/** With public keys only. */
const ALGORITHMS = ['RS', 'PS', 'ES']
  .flatMap((kind) => [`${kind}256`, `${kind}384`, `${kind}512`])
  .concat('EdDSA', 'Ed25519')

interface OauthBearerDeps {
  readonly config: OauthConfig
  readonly keySet: KeySet
  readonly clock: Clock
}

interface Token {
  readonly user: string
  readonly expiresAtMs: number
}

export class OauthBearer implements Mechanism {
  readonly name = 'OAUTHBEARER'
  readonly #deps: OauthBearerDeps
  /** Keys that are imported already. */
  readonly #imported = new WeakMap<JSONWebKeySet, JWTVerifyGetKey>()

  constructor(deps: OauthBearerDeps) {
    this.#deps = deps
  }

  async *converse(message: Buffer): Conversation {
    const { authorizationId, token } = readOauth(message)
    let checked: Token
    try {
      checked = await this.#check(token)
    } catch (error) {
      const reason = reasonOf(error)
      yield { message: oauthRefusal, failure: reason } // the client answers, and is told in an error's text, too
      throw new Refusal(reason, { told: oauthRefusal.toString() })
    }
    const { user, expiresAtMs } = checked
    if (authorizationId !== '' && authorizationId !== user) {
      const told = `Client requested an authorization id (${authorizationId}) that is different from the token's principal name (${user})`
      throw new Refusal('the client asks for another identity', {
        told: `Authentication failed: ${told}`,
        user,
      })
    }
    return { user, lastMessage: NO_MESSAGE, expiresAtMs }
  }

  /** @throws {Error} why the token is not good */
  async #check(token: string): Promise<Token> {
    const jose = await import('jose') // not before: only brokers with this mechanism need it
    const { config, keySet, clock } = this.#deps
    const verify = (keys: JSONWebKeySet) => {
      const keyOf = this.#imported.get(keys) ?? jose.createLocalJWKSet(keys)
      this.#imported.set(keys, keyOf)
      const issuer = config['sasl.oauthbearer.expected.issuer']
      const audience = config['sasl.oauthbearer.expected.audience']
      return jose.jwtVerify(token, keyOf, {
        algorithms: ALGORITHMS,
        requiredClaims: ['exp', 'iat'],
        clockTolerance: config['sasl.oauthbearer.clock.skew.seconds'],
        currentDate: new Date(clock.now()),
        ...(issuer !== '' && { issuer }),
        ...(audience.length > 0 && { audience: [...audience] }),
      })
    }
    try {
      return this.#tokenOf((await verify(await keySet.keys())).payload)
    } catch (error) {
      if (!(error instanceof jose.errors.JWKSNoMatchingKey)) throw error
      return this.#tokenOf((await verify(await keySet.keys(true))).payload)
    }
  }

  /** @throws {Error} */
  #tokenOf(claims: JWTPayload): Token {
    const { config } = this.#deps
    const userClaim = config['sasl.oauthbearer.sub.claim.name']
    const user = claims[userClaim]
    if (typeof user !== 'string' || user.trim() === '')
      throw new Error(`the claim ${userClaim} is no name`)
    const scopeClaim = config['sasl.oauthbearer.scope.claim.name']
    const scopes = [claims[scopeClaim] ?? []].flat()
    if (!scopes.every((scope) => typeof scope === 'string' && scope.trim() !== ''))
      throw new Error(`the claim ${scopeClaim} has no scopes`)
    return { user: user.trim(), expiresAtMs: claims.exp! * 1000 }
  }
}

/** Errors of jose name claims and algorithms, never the token. */
function reasonOf(error: unknown): string {
  return `the token is refused: ${(error as Error).message}`
}
