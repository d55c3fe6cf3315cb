// HttpLogins: who a client of HTTP is, by its Authorization header: Basic is checked by the code of PLAIN, Bearer by that of
// OAUTHBEARER, with their bounds, counts and delay. Network thread. For users: docs/guide/security.md, "Metrics and health"

import { KafkaError } from '../../protocol/errors.ts'
import { oauthMessage } from '../../protocol/sasl/oauthbearer.ts'
import { scramMechanisms } from '../../protocol/sasl/scram.ts'
import type { Clock } from '../../storage/clock.ts'
import type { Credentials } from '../auth/credentials.ts'
import { ANONYMOUS, type Principal } from '../auth/principal.ts'
import type { ProcessLog } from '../process-log.ts'
import { OTHER_MECHANISM, type Applicant, type Attempts } from '../sasl/attempts.ts'
import type { SaslRules } from '../sasl/authentication.ts'
import { failureDelay } from '../sasl/failure-delay.ts'
import { Refusal, type Identity, type Mechanism } from '../sasl/mechanism.ts'
import { HttpRefusal } from './refusal.ts'
import type { KnownLogins } from './known-logins.ts'

/** A connection may send many requests at once: further ones are refused. */
const RUNNING_MAX = 64
const HEADER = /^(\w+) +(\S+) *$/

/** What a header comes to. */
interface Proof {
  readonly mechanism: string
  /** The one message of the mechanism. */
  readonly message: Buffer
  /** Whose password it has; undefined for a token. */
  readonly user: string | undefined
}

/** By the scheme, in lower case. */
const proofs: Readonly<Record<string, (value: string) => Proof>> = {
  basic: basicProof,
  bearer: (token) => ({
    mechanism: 'OAUTHBEARER',
    message: oauthMessage(token, {}),
    user: undefined,
  }),
}

export interface HttpLoginsDeps {
  readonly listener: string
  readonly rules: Pick<SaslRules, 'mechanisms' | 'failureDelayMs'>
  readonly attempts: Attempts
  readonly credentials: Credentials
  readonly known: KnownLogins
  readonly clock: Clock
  readonly log: ProcessLog
}

export class HttpLogins {
  readonly #deps: HttpLoginsDeps
  #runningCount = 0

  constructor(deps: HttpLoginsDeps) {
    this.#deps = deps
  }

  /** Of WWW-Authenticate. */
  get challenges(): string[] {
    const { mechanisms } = this.#deps.rules
    const basic = 'Basic realm="millrace", charset="UTF-8"'
    return mechanisms.has('OAUTHBEARER') ? [basic, 'Bearer realm="millrace"'] : [basic]
  }

  /**
   * @param header the Authorization header; undefined without one
   * @param gone aborted when the client hangs up
   * @throws {HttpRefusal} 401, 503
   */
  async principalOf(
    header: string | undefined,
    remoteAddress: string,
    gone: AbortSignal,
  ): Promise<Principal> {
    const headers = { 'www-authenticate': this.challenges }
    if (header === undefined)
      throw new HttpRefusal(401, 'log in with a user of the broker and its password', headers)
    const known = this.#deps.known.find(header)
    if (known !== undefined) return known
    if (this.#runningCount >= RUNNING_MAX) throw new HttpRefusal(503, 'too many logins at a time')
    this.#runningCount++
    const startedAt = this.#deps.clock.monotonic()
    try {
      const principal = await this.#check(header, remoteAddress, gone)
      if (principal !== undefined) return principal
      const { rules, clock } = this.#deps
      await failureDelay(rules.failureDelayMs, startedAt, clock, gone)
    } finally {
      this.#runningCount--
    }
    const closing = { ...headers, connection: 'close' }
    throw new HttpRefusal(401, 'the user name, the password or the token is wrong', closing)
  }

  /** @returns undefined when it fails, which is counted and logged */
  async #check(
    header: string,
    remoteAddress: string,
    gone: AbortSignal,
  ): Promise<Principal | undefined> {
    const { listener, rules, attempts, known } = this.#deps
    const applicant: Applicant = { listener, remoteAddress, principal: ANONYMOUS }
    const [, scheme = '', value = ''] = HEADER.exec(header) ?? []
    const proof = proofs[scheme.toLowerCase()]?.(value)
    const mechanism = proof && rules.mechanisms.get(proof.mechanism)
    if (mechanism === undefined) {
      attempts.failed(applicant, OTHER_MECHANISM, `${scheme || 'the header'} is not offered`)
      return undefined
    }
    try {
      const isCurrent = this.#since(proof!.user)
      const { user, expiresAtMs } = await identityOf(mechanism, proof!.message, gone)
      const principal = { type: 'User', name: user }
      attempts.done({ ...applicant, principal }, mechanism.name)
      known.keep(header, principal, isCurrent, expiresAtMs)
      return principal
    } catch (error) {
      this.#failed(applicant, mechanism, error)
      return undefined
    }
  }

  #failed(applicant: Applicant, { name }: Mechanism, error: unknown): void {
    const { attempts, log } = this.#deps
    if (error instanceof Refusal) attempts.failed(applicant, name, error.message, error.user)
    else if (error instanceof KafkaError) attempts.failed(applicant, name, error.reason)
    else {
      log.error('authentication failed by an error', { error })
      attempts.failed(applicant, name, 'an error in the broker')
    }
  }

  /** @returns a function that tells whether the user has the same credentials as now */
  #since(user: string | undefined): () => boolean {
    if (user === undefined) return () => true
    const find = () => scramMechanisms.map((each) => this.#deps.credentials.find(each, user))
    const before = find()
    return () => find().every((credential, i) => credential === before[i])
  }
}

/** @throws {Refusal | KafkaError} */
async function identityOf(
  mechanism: Mechanism,
  message: Buffer,
  gone: AbortSignal,
): Promise<Identity> {
  const step = await mechanism.converse(message, gone).next(message)
  if (step.done === true) return step.value
  throw new Refusal(step.value.failure ?? 'the mechanism wants more than one message')
}

/** @param value base64 of USER:PASSWORD */
function basicProof(value: string): Proof {
  const bytes = Buffer.from(value, 'base64')
  const colon = bytes.indexOf(':')
  const end = colon === -1 ? bytes.length : colon
  const nul = Buffer.of(0)
  const user = bytes.subarray(0, end)
  const message = Buffer.concat([nul, user, nul, bytes.subarray(end + 1)])
  return { mechanism: 'PLAIN', message, user: user.toString() }
}
