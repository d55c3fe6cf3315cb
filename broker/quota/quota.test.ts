// Quotas on a virtual clock: rates and times as Apache Kafka has them, precedence, and bounded memory.

import t from '../../protocol/testing/tap.ts'
import type { Change, ClientQuotaRecord } from '../../storage/store.ts'
import { VirtualClock } from '../testing/virtual-clock.ts'
import { ClientQuotas, type EntityQuotas } from './client-quotas.ts'
import type { QuotaEntity } from './entity.ts'
import { Rate } from './rate.ts'
import { Sensors } from './sensors.ts'
import { kafkaRates, kafkaTokens } from './testing/kafka-rates.ts'
import { Throttling } from './throttling.ts'
import { TokenBucket } from './token-bucket.ts'

const window = { sampleCount: 11, sampleMs: 1000 }
const windows = { clients: window, mutations: window }

t.test('rates and throttle times are those of Apache Kafka, to the last digit', async (t) => {
  const rate = new Rate(window, kafkaRates[0]![0])
  for (const [ms, amount, perSecond, throttleMs] of kafkaRates) {
    rate.record(amount, ms)
    t.ok(Math.abs(rate.perSecond(ms) - perSecond) < 1e-6, `at ${ms}: ${perSecond}`)
    t.equal(rate.throttleMs(1000, ms), throttleMs, `at ${ms}`)
  }
})

t.test('token buckets are those of Apache Kafka', async (t) => {
  const bucket = new TokenBucket(window, kafkaTokens[0]![0])
  for (const [ms, count, tokens, throttleMs] of kafkaTokens) {
    bucket.take(count, 2, ms)
    t.ok(Math.abs(bucket.tokens(2, ms) - tokens) < 1e-6, `at ${ms}: ${tokens}`)
    t.equal(bucket.throttleMs(2, ms), throttleMs, `at ${ms}`)
  }
})

/** Quotas that are stored nowhere. */
async function quotasOf(entries: readonly EntityQuotas[]): Promise<ClientQuotas> {
  const records = {
    list: (): [string, ClientQuotaRecord][] => [],
    async write(_: readonly Change<string, ClientQuotaRecord>[]) {},
  }
  const quotas = new ClientQuotas({ records, warn() {} })
  await quotas.change(async () => entries)
  return quotas
}

t.test('the most specific quota counts, and says which clients share it', async (t) => {
  const levels: readonly QuotaEntity[] = [
    { user: 'ann', 'client-id': 'app' },
    { user: 'ann', 'client-id': null },
    { user: 'ann' },
    { user: null, 'client-id': 'app' },
    { user: null, 'client-id': null },
    { user: null },
    { 'client-id': 'app' },
    { 'client-id': null },
  ]
  const entries = levels.map((entity, i) => ({ entity, quotas: { producer_byte_rate: i + 1 } }))
  const quotas = await quotasOf(entries)
  const limit = (user: string, clientId: string) =>
    quotas.limitOf('producer_byte_rate', user, clientId)
  const shared = [
    ['ann', 'app'],
    ['ann', 'app'],
    ['ann'],
    ['ann', 'app'],
    ['ann', 'app'],
    ['ann'],
    [null, 'app'],
    [null, 'app'],
  ]
  for (const [i, each] of entries.entries()) {
    const perSecond = i + 1
    t.strictSame(limit('ann', 'app'), { perSecond, sensorKey: JSON.stringify(shared[i]) })
    await quotas.change(async () => [{ ...each, quotas: {} }])
  }
  t.equal(limit('ann', 'app'), undefined)
  t.equal(quotas.ofClientsCount, 0)
})

t.test('quotas of one kind leave the others to less specific entities', async (t) => {
  const quotas = await quotasOf([
    { entity: { user: 'ann' }, quotas: { producer_byte_rate: 1 } },
    { entity: { 'client-id': null }, quotas: { consumer_byte_rate: 2 } },
  ])
  t.equal(quotas.limitOf('producer_byte_rate', 'ann', 'x')?.perSecond, 1)
  t.equal(quotas.limitOf('consumer_byte_rate', 'ann', 'x')?.perSecond, 2)
  t.equal(quotas.limitOf('producer_byte_rate', 'bob', 'x'), undefined)
})

t.test('an address matches in any spelling', async (t) => {
  const quotas = await quotasOf([
    { entity: { ip: '0:0:0:0:0:0:0:1' }, quotas: { connection_creation_rate: 3 } },
    { entity: { ip: null }, quotas: { connection_creation_rate: 9 } },
  ])
  t.equal(quotas.connectionRateOf('::1'), 3)
  t.equal(quotas.connectionRateOf('10.0.0.1'), 9)
})

const metered = (clientId: string, name = 'ann') => ({
  session: { principal: { type: 'User', name }, remoteAddress: '127.0.0.1' },
  clientId,
  throttleMs: 0,
})

t.test('a producer that waits as it is told keeps to its quota', async (t) => {
  const quotas = await quotasOf([{ entity: { user: 'ann' }, quotas: { producer_byte_rate: 1000 } }])
  const clock = new VirtualClock()
  const throttling = new Throttling({ quotas, windows, clock })
  let sent = 0
  while (clock.monotonic() < 60_000) {
    const request = metered('app')
    throttling.produced(request, 400)
    sent += 400
    await clock.advance(request.throttleMs + 1)
  }
  const perSecond = sent / (clock.monotonic() / 1000)
  t.ok(perSecond > 900 && perSecond < 1200, `${perSecond}`)
  t.ok(throttling.counts.get('producer_byte_rate')!.requests > 10)
})

t.test('clients of one user share the quota of the user, and others have none', async (t) => {
  const quotas = await quotasOf([{ entity: { user: 'ann' }, quotas: { producer_byte_rate: 1000 } }])
  const throttling = new Throttling({ quotas, windows, clock: new VirtualClock() })
  const [one, two, other] = [metered('a'), metered('b'), metered('a', 'bob')]
  throttling.produced(one, 9000)
  throttling.produced(two, 9000)
  throttling.produced(other, 1e9)
  t.strictSame([one.throttleMs, two.throttleMs, other.throttleMs], [0, 8000, 0])
})

t.test('a fetch above the quota counts nothing; a change of the quota takes effect', async (t) => {
  const entity = { 'client-id': 'app' }
  const quotas = await quotasOf([{ entity, quotas: { consumer_byte_rate: 1000 } }])
  const throttling = new Throttling({ quotas, windows, clock: new VirtualClock() })
  t.equal(throttling.fetchBytesMax(metered('app')), 10_000)
  t.equal(throttling.fetched(metered('app'), 10_000), true)
  const over = metered('app')
  t.equal(throttling.fetched(over, 1000), false)
  t.equal(over.throttleMs, 1000)
  const again = metered('app')
  throttling.fetched(again, 1000)
  t.equal(again.throttleMs, 1000)
  await quotas.change(async () => [{ entity, quotas: { consumer_byte_rate: 2000 } }])
  t.equal(throttling.fetched(metered('app'), 1000), true)
  await quotas.change(async () => [{ entity, quotas: {} }])
  t.equal(throttling.isIdle, true)
})

t.test('time of the thread is throttled for one sample at most', async (t) => {
  const quotas = await quotasOf([
    { entity: { 'client-id': null }, quotas: { request_percentage: 1 } },
  ])
  const throttling = new Throttling({ quotas, windows, clock: new VirtualClock() })
  const [little, much] = [metered('app'), metered('app')]
  throttling.worked(little, 101)
  throttling.worked(much, 60_000)
  t.strictSame([little.throttleMs, much.throttleMs], [100, 1000])
})

t.test('a strict client is refused partitions, an old one waits', async (t) => {
  const quotas = await quotasOf([
    { entity: { user: null }, quotas: { controller_mutation_rate: 1 } },
  ])
  const throttling = new Throttling({ quotas, windows, clock: new VirtualClock() })
  const [first, refused, old] = [metered('a'), metered('a'), metered('a')]
  throttling.mutates(first, 21, true)
  t.throws(() => throttling.mutates(refused, 1, true), { code: 'THROTTLING_QUOTA_EXCEEDED' })
  throttling.mutates(old, 1, false)
  t.strictSame([first.throttleMs, refused.throttleMs, old.throttleMs], [0, 10_000, 11_000])
})

t.test('clients with endless names leave little behind', async (t) => {
  const sensors = new Sensors((now) => new Rate(window, now))
  for (let i = 0; i < 100_000; i++) sensors.of(`client ${i}`, i).record(1, i)
  t.ok(sensors.count < 30_000, `${sensors.count}`)
  const busy = sensors.of('busy', 100_000)
  for (let now = 100_000; now < 150_000; now++) {
    sensors.of('busy', now).record(1, now)
    sensors.of(`other ${now}`, now)
  }
  t.equal(sensors.of('busy', 150_000), busy, 'one in use stays')
})
