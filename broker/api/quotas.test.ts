// Client quotas over sockets: set, described, kept, and obeyed. Time is virtual: it moves only when a test says so.

import t, { type Test } from '../../protocol/testing/tap.ts'
import { fetch } from '../../protocol/api/01_fetch.ts'
import { metadata } from '../../protocol/api/03_metadata.ts'
import { produce } from '../../protocol/api/00_produce.ts'
import { createTopics } from '../../protocol/api/19_create_topics.ts'
import { deleteTopics } from '../../protocol/api/20_delete_topics.ts'
import { createPartitions } from '../../protocol/api/37_create_partitions.ts'
import { describeClientQuotas } from '../../protocol/api/48_describe_client_quotas.ts'
import { alterClientQuotas } from '../../protocol/api/49_alter_client_quotas.ts'
import { errorName } from '../../protocol/errors.ts'
import type { RawClient } from '../testing/raw-client.ts'
import { settle, VirtualClock } from '../testing/virtual-clock.ts'
import { batchOf, fetchRequest, World } from '../testing/world.ts'

type Entity = Readonly<Record<string, string | null>>
type Quotas = Readonly<Record<string, number | null>>

const namesOf = (entity: Entity) =>
  Object.entries(entity).map(([entityType, entityName]) => ({ entityType, entityName }))

/** @param quotas null to remove */
const entryOf = (entity: Entity, quotas: Quotas) => ({
  entity: namesOf(entity),
  ops: Object.entries(quotas).map(([key, value]) => {
    return { key, value: value ?? 0, remove: value === null }
  }),
})

/** @returns the error, in words if there are any */
async function alter(client: RawClient, entity: Entity, quotas: Quotas, validateOnly = false) {
  const entries = [entryOf(entity, quotas)]
  const answer = await client.send(alterClientQuotas, { entries, validateOnly })
  const { errorCode, errorMessage } = answer.entries[0]!
  return errorName(errorCode) === undefined ? 'ok' : `${errorName(errorCode)} ${errorMessage}`
}

/** Every entity as text, with its quotas. */
async function described(
  client: RawClient,
  components: readonly (readonly [type: string, matchType: number, match?: string])[] = [],
  strict = false,
): Promise<Record<string, Record<string, number>>> {
  const answer = await client.send(describeClientQuotas, {
    components: components.map(([entityType, matchType, match = null]) => {
      return { entityType, matchType, match }
    }),
    strict,
  })
  const text = (entity: readonly { entityType: string; entityName: string | null }[]) =>
    entity.map(({ entityType, entityName }) => `${entityType}=${entityName}`).join(' ')
  return Object.fromEntries(
    answer.entries!.map(({ entity, values }) => [
      text(entity),
      Object.fromEntries(values.map(({ key, value }) => [key, value])),
    ]),
  )
}

async function worldOf(t: Test, config: Record<string, string | number> = {}) {
  const clock = new VirtualClock()
  const world = await World.open(t, { clock, config })
  const client = await world.connect()
  return { clock, world, client }
}

t.test('quotas are set, changed, described by filters and removed', async (t) => {
  const { client } = await worldOf(t)
  t.equal(await alter(client, { user: 'ann' }, { producer_byte_rate: 1000 }), 'ok')
  t.equal(await alter(client, { user: 'ann' }, { consumer_byte_rate: 2000.0000001 }), 'ok')
  t.equal(await alter(client, { user: null, 'client-id': null }, { request_percentage: 0.5 }), 'ok')
  t.equal(await alter(client, { 'client-id': 'app', user: 'ann' }, { producer_byte_rate: 3 }), 'ok')
  t.equal(await alter(client, { ip: '::1' }, { connection_creation_rate: 4 }), 'ok')
  t.equal(await alter(client, { ip: '0:0:0:0:0:0:0:1' }, { connection_creation_rate: 5 }), 'ok')
  const ann = { 'user=ann': { producer_byte_rate: 1000, consumer_byte_rate: 2000.0000001 } }
  const both = { 'client-id=app user=ann': { producer_byte_rate: 3 } }
  const defaults = { 'user=null client-id=null': { request_percentage: 0.5 } }
  const ip = { 'ip=0:0:0:0:0:0:0:1': { connection_creation_rate: 5 } }
  const [EXACT, DEFAULT, ANY] = [0, 1, 2] as const
  t.strictSame(await described(client), { ...ann, ...defaults, ...both, ...ip })
  t.strictSame(await described(client, [], true), {})
  t.strictSame(await described(client, [['user', EXACT, 'ann']]), { ...ann, ...both })
  t.strictSame(await described(client, [['user', EXACT, 'ann']], true), ann)
  t.strictSame(await described(client, [['user', DEFAULT]]), defaults)
  t.strictSame(await described(client, [['client-id', ANY]]), { ...defaults, ...both })
  t.strictSame(await described(client, [['ip', EXACT, '::1']]), ip)
  t.equal(await alter(client, { user: 'ann' }, { producer_byte_rate: null, nothing: null }), 'ok')
  t.equal(await alter(client, { user: 'bob' }, { producer_byte_rate: null }), 'ok')
  t.equal(await alter(client, { ip: '::1' }, { connection_creation_rate: null }), 'ok')
  t.strictSame(await described(client, [['user', ANY]], true), {
    'user=ann': { consumer_byte_rate: 2000.0000001 },
  })
  t.strictSame(await described(client, [['ip', ANY]]), {})
})

t.test(
  'what cannot take effect is refused in words, and the rest of the request is done',
  async (t) => {
    const { client, world } = await worldOf(t)
    const refused = async (entity: Entity, quotas: Quotas, why: RegExp) => {
      t.match(await alter(client, entity, quotas), why, JSON.stringify([entity, quotas]))
    }
    const rate = { producer_byte_rate: 1 }
    await refused({}, rate, /^INVALID_REQUEST.*empty/)
    await refused({ planet: 'a' }, rate, /unknown entity type planet/)
    await refused({ user: 'a', ip: '::1' }, { connection_creation_rate: 1 }, /cannot be combined/)
    await refused({ user: '' }, rate, /name of user is empty/)
    await refused({ user: 'x'.repeat(3000) }, rate, /3000 characters/)
    for (const ip of ['10.0.0.0/8', 'no.such.host', '127.1', '1.2.3.4:5'])
      await refused({ ip }, { connection_creation_rate: 1 }, /is no address/)
    await refused({ ip: '::1' }, rate, /no quota producer_byte_rate of this entity/)
    await refused({ ip: '::1' }, { connection_creation_rate: 2 ** 31 }, /at most/)
    for (const name of ['constructor', 'connection_creation_rate', ''])
      await refused({ user: 'a' }, { [name]: 1 }, /no quota/)
    for (const value of [0, -1, NaN])
      await refused({ user: 'a' }, { request_percentage: value }, /greater than 0/)
    await refused({ user: 'a' }, { producer_byte_rate: 1.5 }, /whole number/)
    await refused({ user: 'a' }, { producer_byte_rate: Infinity }, /at most/)
    const entries = [
      entryOf({ user: 'a' }, { producer_byte_rate: 1, planet: 2 }),
      entryOf({ user: 'b' }, rate),
      entryOf({ user: 'c' }, rate),
      entryOf({ user: 'c' }, rate),
      {
        entity: namesOf({ user: 'd' }),
        ops: [1, 2].map((value) => ({ key: 'x', value, remove: false })),
      },
    ]
    const answer = await client.send(alterClientQuotas, { entries, validateOnly: false })
    t.strictSame(
      answer.entries.map(({ errorCode, entity }) => [entity[0]!.entityName, errorName(errorCode)]),
      [
        ['a', 'INVALID_REQUEST'],
        ['b', undefined],
        ['c', 'INVALID_REQUEST'],
        ['d', 'INVALID_REQUEST'],
      ],
    )
    t.equal(await alter(client, { user: 'e' }, rate, true), 'ok')
    t.strictSame(await described(client), { 'user=b': rate })
    const audited = world.logged.filter(({ message }) => message === 'quotas changed')
    t.match(audited, [{ names: ['user b'], api: 'AlterClientQuotas' }])
    t.equal(audited.length, 1)
  },
)

const MILLION = 1_000_000
/** Versions of CreateTopics. */
const CREATION = { isStrict: 7, old: 5 }

function produceRequest(byteCount: number, acks = -1) {
  const records = batchOf(['x'.repeat(byteCount)])
  const topics = [{ name: 'logs', partitions: [{ index: 0, records }] }]
  return { transactionalId: null, acks, timeoutMs: 1000, topics }
}

/** Does the broker answer without that time passes? */
async function isAnswered(answer: Promise<unknown>, clock: VirtualClock): Promise<boolean> {
  let isThere = false
  answer.then(
    () => (isThere = true),
    () => {},
  )
  for (let i = 0; i < 50; i++) {
    await settle()
    await clock.advance(0)
  }
  return isThere
}

t.test(
  'an answer above the quota comes at once, and the next request waits as long as it says',
  async (t) => {
    const { clock, world } = await worldOf(t)
    const { client } = await world.topic('logs')
    const other = await world.connect()
    await alter(other, { 'client-id': null }, { producer_byte_rate: MILLION / 10 })
    const [first, second] = [
      await client.send(produce, produceRequest(MILLION / 2), 9),
      await client.send(produce, produceRequest(MILLION), 9),
    ]
    t.equal(first.throttleTimeMs, 0)
    t.ok(second.throttleTimeMs > 4900 && second.throttleTimeMs < 5200, `${second.throttleTimeMs}`)
    t.equal(second.topics[0]!.partitions[0]!.errorCode, 0)
    const next = client.send(metadata, { topics: null, allowAutoTopicCreation: false })
    t.equal(await isAnswered(next, clock), false, 'muted')
    const answered = other.send(metadata, { topics: null, allowAutoTopicCreation: false })
    t.equal(await isAnswered(answered, clock), true, 'other connections are not')
    await clock.advance(second.throttleTimeMs - 1)
    t.equal(await isAnswered(next, clock), false, 'muted to the end')
    await clock.advance(1)
    t.equal((await next).throttleTimeMs, 0)
  },
)

t.test('a producer without answers is muted as well, and a muted client may leave', async (t) => {
  const { clock, world } = await worldOf(t)
  const { client } = await world.topic('logs')
  await alter(client, { user: null }, { producer_byte_rate: MILLION / 20 })
  client.write(produce, produceRequest(900_000, 0), 9)
  const next = client.send(metadata, { topics: null, allowAutoTopicCreation: false })
  t.equal(await isAnswered(next, clock), false)
  await clock.advance(7000)
  t.equal(await isAnswered(next, clock), false)
  await clock.advance(2000)
  await next
  client.write(produce, produceRequest(900_000, 0), 9)
  await settle()
  client.socket.end()
})

t.test('a fetch is cut to what the quota ever allows, and answers nothing above it', async (t) => {
  const { clock, world } = await worldOf(t)
  const { client } = await world.topic('logs')
  for (let i = 0; i < 20; i++) await client.send(produce, produceRequest(100_000), 9)
  await alter(client, { 'client-id': null }, { consumer_byte_rate: 100_000 })
  const ask = (offset: number, session?: object) =>
    client.send(
      fetch,
      { ...fetchRequest('logs', 0, offset), ...session, maxBytes: 50 * MILLION },
      11,
    )
  const first = await ask(0)
  const { records } = first.responses[0]!.partitions[0]!
  t.ok(records!.length > 800_000 && records!.length <= MILLION, `${records!.length}`)
  t.equal(first.throttleTimeMs, 0)
  const second = await ask(9, { sessionId: 0, sessionEpoch: 0 })
  t.match(second, { errorCode: 0, sessionId: 0, responses: [] })
  t.ok(second.throttleTimeMs > 5000, `${second.throttleTimeMs}`)
  await clock.advance(11_000)
  const again = await ask(9, { sessionId: 0, sessionEpoch: 0 })
  t.equal(again.throttleTimeMs, 0, 'its bytes were not counted before')
  t.equal(again.responses[0]!.partitions[0]!.records!.length, records!.length)
})

t.test(
  'partitions above the quota are refused to new clients, and slow old ones down',
  async (t) => {
    const { clock, client } = await worldOf(t, { 'controller.quota.window.num': 1 })
    await alter(client, { user: null }, { controller_mutation_rate: 1 })
    const create = (name: string, numPartitions: number, version: number) => {
      const topics = [{ name, numPartitions, replicationFactor: 1 }]
      return client.send(createTopics, { topics }, version)
    }
    t.match(await create('a', 3, CREATION.isStrict), {
      throttleTimeMs: 0,
      topics: [{ errorCode: 0 }],
    })
    const refused = await create('b', 1, CREATION.isStrict)
    t.equal(errorName(refused.topics[0]!.errorCode), 'THROTTLING_QUOTA_EXCEEDED')
    t.equal(refused.throttleTimeMs, 2000)
    await clock.advance(2000)
    const more = {
      topics: [{ name: 'a', count: 5, assignments: null }],
      timeoutMs: 1,
      validateOnly: false,
    }
    t.match(await client.send(createPartitions, more), { results: [{ errorCode: 0 }] })
    const gone = await client.send(deleteTopics, { topics: [{ name: 'a' }], timeoutMs: 1 })
    t.equal(errorName(gone.responses[0]!.errorCode), 'THROTTLING_QUOTA_EXCEEDED')
    await clock.advance(gone.throttleTimeMs)
    const old = await create('c', 2, CREATION.old)
    t.match(old, { throttleTimeMs: 2000, topics: [{ errorCode: 0 }] })
  },
)

t.test('a filter that contradicts itself is refused', async (t) => {
  const { client } = await worldOf(t)
  const component = (entityType: string, matchType = 2, match: string | null = null) => {
    return { entityType, matchType, match }
  }
  const asked = async (...components: ReturnType<typeof component>[]) => {
    const answer = await client.send(describeClientQuotas, { components, strict: false })
    return [errorName(answer.errorCode), answer.entries]
  }
  t.same(await asked(component('user'), component('client-id', 0, 'a')), [undefined, []])
  t.same(await asked(component('ip', 1)), [undefined, []])
  const refused = ['INVALID_REQUEST', null]
  t.same(await asked(component('user'), component('user', 0, 'a')), refused)
  t.same(await asked(component('ip'), component('user')), refused)
  t.same(await asked(component('user', 0)), refused)
  t.same(await asked(component('user', 1, 'a')), refused)
  t.same(await asked(component('user', 2, 'a')), refused)
  t.same(await asked(component('user', 9)), refused)
  t.same(await asked(component('')), refused)
  t.same(await asked(component('planet')), ['UNSUPPORTED_VERSION', null])
})
