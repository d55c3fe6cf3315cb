// Throttling: records what clients use, and says for how long each must be kept from more (KIP-219). Formulas are those of
// Apache Kafka's ClientQuotaManager. Without a quota nothing is recorded. Network thread.

import { KafkaError } from '../../protocol/errors.ts'
import type { Clock } from '../../storage/clock.ts'
import type { Requester } from '../auth/principal.ts'
import type { ClientQuotas, Limit } from './client-quotas.ts'
import { clientQuotas, quotaNames, type ClientQuotaName, type QuotaName } from './quota-names.ts'
import { Rate } from './rate.ts'
import { Sensors } from './sensors.ts'
import { TokenBucket } from './token-bucket.ts'
import type { QuotaWindows } from './windows.ts'

type RateName = Exclude<ClientQuotaName, 'controller_mutation_rate'>
const rateNames = ['producer_byte_rate', 'consumer_byte_rate', 'request_percentage'] as const

/** The field in answers has 32 bits. */
const THROTTLE_MS_MAX = 2 ** 31 - 1

/** One request, as far as quotas know it. */
export interface Metered {
  readonly session: Requester
  readonly clientId: string | null
  /** For how long its client must be kept from sending more; grows with each quota that it exceeds. */
  throttleMs: number
}

/** One that was performed. */
interface MeteredCall extends Metered {
  readonly apiName: string
  readonly work: { readonly busyMs: number }
  readonly session: Requester & {
    readonly authentication?: { readonly isDone: boolean } | undefined
  }
}

/** A client needs them to log in, or a broker sends them. */
const exemptApis: ReadonlySet<string> = new Set([
  'SaslHandshake',
  'SaslAuthenticate',
  'WriteTxnMarkers',
])

function isExempt({ apiName, session }: MeteredCall): boolean {
  return exemptApis.has(apiName) || session.authentication?.isDone === false
}

/** What limits the requests of a session; valid for one client id, until the quotas change. */
interface SessionLimits {
  readonly generation: number
  readonly principal: Requester['principal']
  readonly clientId: string | null
  readonly limits: Partial<Record<ClientQuotaName, Limit | undefined>>
}

/** Throttled requests and the sum of their times, for metrics. */
interface ThrottleCount {
  requests: number
  seconds: number
}

interface ThrottlingDeps {
  readonly quotas: ClientQuotas
  readonly windows: QuotaWindows
  readonly clock: Clock
}

export class Throttling {
  readonly quotas: ClientQuotas
  readonly counts: ReadonlyMap<QuotaName, ThrottleCount> = new Map(
    quotaNames.map((name) => [name, { requests: 0, seconds: 0 }]),
  )
  readonly #windows: QuotaWindows
  readonly #clock: Clock
  readonly #rates: Readonly<Record<RateName, Sensors<Rate>>>
  readonly #buckets: Sensors<TokenBucket>
  readonly #connections: Sensors<Rate>
  readonly #limits = new WeakMap<Requester, SessionLimits>()

  constructor({ quotas, windows, clock }: ThrottlingDeps) {
    this.quotas = quotas
    this.#windows = windows
    this.#clock = clock
    const rates = rateNames.map((name) => [
      name,
      new Sensors((now) => new Rate(windows.clients, now)),
    ])
    this.#rates = Object.fromEntries(rates) as Record<RateName, Sensors<Rate>>
    this.#connections = new Sensors((now) => new Rate(windows.clients, now))
    this.#buckets = new Sensors((now) => new TokenBucket(windows.mutations, now))
  }

  /** No client has a quota: every other method would do nothing. */
  get isIdle(): boolean {
    return this.quotas.ofClientsCount === 0
  }

  /** @param byteCount of the whole request */
  produced(metered: Metered, byteCount: number): void {
    this.#record('producer_byte_rate', metered, byteCount)
  }

  /** The most bytes of a fetch: a larger one would exceed the quota even if the client had read nothing before. */
  fetchBytesMax(metered: Metered): number {
    const limit = this.#limitOf('consumer_byte_rate', metered)
    if (limit === undefined) return Infinity
    const { sampleCount, sampleMs } = this.#windows.clients
    return Math.max(1, Math.trunc((limit.perSecond * (sampleCount - 1) * sampleMs) / 1000))
  }

  /** @returns false: the client gets none of the bytes now, and they do not count */
  fetched(metered: Metered, byteCount: number): boolean {
    this.#record('consumer_byte_rate', metered, byteCount)
    if (metered.throttleMs === 0) return true
    const limit = this.#limitOf('consumer_byte_rate', metered)
    if (limit !== undefined) {
      const now = this.#clock.monotonic()
      this.#rates.consumer_byte_rate.of(limit.sensorKey, now).record(-byteCount, now)
    }
    return false
  }

  /** A request is done. @param isAnswered Kafka throttles a Produce without an answer by its bytes only */
  performed(call: MeteredCall, isAnswered: boolean): void {
    if (isAnswered && !isExempt(call)) this.worked(call, call.work.busyMs)
  }

  /** Its answer is encoded: its client learns of this time with the next request. @param busyMs that it took */
  encoded(call: MeteredCall, busyMs: number): void {
    if (isExempt(call)) return
    const limit = this.#limitOf('request_percentage', call)
    if (limit === undefined) return
    const now = this.#clock.monotonic()
    this.#rates.request_percentage.of(limit.sensorKey, now).record(busyMs / 10, now)
  }

  /** @param busyMs that the request has used of the network thread */
  worked(metered: Metered, busyMs: number): void {
    this.#record('request_percentage', metered, busyMs / 10, this.#windows.clients.sampleMs)
  }

  /**
   * Partitions are about to be created or deleted (KIP-599).
   *
   * @param isStrict whether the client understands a refusal
   * @throws {KafkaError} THROTTLING_QUOTA_EXCEEDED while the client has used more than its quota
   */
  mutates(metered: Metered, count: number, isStrict: boolean): void {
    if (this.isIdle) return
    const limit = this.#limitOf('controller_mutation_rate', metered)
    if (limit === undefined) return
    const now = this.#clock.monotonic()
    const { perSecond: rate } = limit
    const bucket = this.#buckets.of(limit.sensorKey, now)
    const exceededMs = isStrict ? bucket.throttleMs(rate, now) : 0
    if (exceededMs === 0) bucket.take(count, rate, now)
    this.#throttle(
      'controller_mutation_rate',
      metered,
      isStrict ? exceededMs : bucket.throttleMs(rate, now),
    )
    if (exceededMs > 0)
      throw new KafkaError('THROTTLING_QUOTA_EXCEEDED', 'The throttling quota has been exceeded.')
  }

  /**
   * An address connects (KIP-612).
   *
   * @returns ms to keep it waiting for its end; 0: it is let in
   */
  connected(address: string): number {
    if (this.quotas.ofAddressesCount === 0) return 0
    const perSecond = this.quotas.connectionRateOf(address)
    if (perSecond === undefined) return 0
    const now = this.#clock.monotonic()
    const rate = this.#connections.of(address, now)
    rate.record(1, now)
    const { sampleMs } = this.#windows.clients
    const ms = Math.min(sampleMs, rate.throttleMs(perSecond, now))
    if (ms === 0) return 0
    rate.record(-1, now)
    this.count('connection_creation_rate', ms)
    return ms
  }

  #record(name: RateName, metered: Metered, amount: number, msMax = Infinity): void {
    const limit = this.#limitOf(name, metered)
    if (limit === undefined) return
    const now = this.#clock.monotonic()
    const rate = this.#rates[name].of(limit.sensorKey, now)
    rate.record(amount, now)
    this.#throttle(name, metered, Math.min(msMax, rate.throttleMs(limit.perSecond, now)))
  }

  #throttle(name: ClientQuotaName, metered: Metered, ms: number): void {
    if (ms === 0) return
    this.count(name, ms)
    metered.throttleMs = Math.max(metered.throttleMs, Math.min(ms, THROTTLE_MS_MAX))
  }

  /** Something was throttled. */
  count(name: QuotaName, ms: number): void {
    const count = this.counts.get(name)!
    count.requests++
    count.seconds += ms / 1000
  }

  #limitOf(name: ClientQuotaName, { session, clientId }: Metered): Limit | undefined {
    const known = this.#limits.get(session)
    if (
      known?.generation === this.quotas.generation &&
      known.clientId === clientId &&
      known.principal === session.principal
    )
      return known.limits[name]
    const { principal } = session
    const found = Object.keys(clientQuotas).map((each) => [
      each,
      this.quotas.limitOf(each as ClientQuotaName, principal.name, clientId ?? ''),
    ])
    const limits = Object.fromEntries(found) as SessionLimits['limits']
    this.#limits.set(session, { generation: this.quotas.generation, principal, clientId, limits })
    return limits[name]
  }
}
