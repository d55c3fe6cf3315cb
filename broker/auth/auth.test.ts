// ACLs in the broker: durable, in effect at once for sessions that are open, and told in the audit log. Without sockets.

import t, { type Test } from '../../protocol/testing/tap.ts'
import { metadata } from '../../protocol/api/03_metadata.ts'
import { createTopics } from '../../protocol/api/19_create_topics.ts'
import { describeAcls } from '../../protocol/api/29_describe_acls.ts'
import { initProducerId } from '../../protocol/api/22_init_producer_id.ts'
import { createAcls } from '../../protocol/api/30_create_acls.ts'
import { deleteAcls } from '../../protocol/api/31_delete_acls.ts'
import { canonicalAddress } from '../../protocol/canonical-address.ts'
import { errorName } from '../../protocol/errors.ts'
import { VirtualClock } from '../testing/virtual-clock.ts'
import type { LocalClient } from '../testing/local-client.ts'
import { aclFilter } from '../testing/questions.ts'
import { World } from '../testing/world.ts'
import { ProcessLog } from '../process-log.ts'
import { aclText, type Acl } from './acl.ts'
import { Acls } from './acls.ts'
import { AuditLog } from './audit.ts'
import { STANDARD_AUTHORIZER } from './configs.ts'
import { StandardAuthorizer } from './standard-authorizer.ts'

const config = { 'authorizer.class.name': STANDARD_AUTHORIZER, 'super.users': 'User:admin' }
const readOrders: Acl = {
  resourceType: 2,
  resourceName: 'orders',
  patternType: 3,
  principal: 'User:ann',
  host: '*',
  operation: 3,
  permissionType: 3,
}
function as(client: LocalClient, name: string): LocalClient {
  client.session.principal = { type: 'User', name }
  return client
}

async function create(client: LocalClient, ...acls: readonly Partial<Acl>[]) {
  const creations = acls.map((acl) => {
    const { patternType, ...rest } = { ...readOrders, ...acl }
    return { ...rest, resourcePatternType: patternType }
  })
  const { results } = await client.perform(createAcls, { creations })
  return results.map(({ errorCode }) => errorName(errorCode))
}

/** What a client hears of the topic. */
async function seen(client: LocalClient, name = 'orders') {
  const { topics } = await client.perform(metadata, { topics: [{ name }] })
  return errorName(topics[0]!.errorCode)
}

async function prepared(t: Test) {
  const world = await World.open(t, { config })
  const admin = as(world.local, 'admin')
  const topics = [{ name: 'orders', numPartitions: 1, replicationFactor: 1 }]
  await admin.perform(createTopics, { topics })
  const ann = as(world.client(), 'ann')
  return { world, admin, ann }
}

t.test('an ACL takes effect in open sessions, and loses it when it is deleted', async (t) => {
  const { admin, ann } = await prepared(t)
  t.equal(await seen(ann), 'TOPIC_AUTHORIZATION_FAILED')
  t.strictSame(await create(admin, {}), [undefined])
  t.equal(await seen(ann), undefined)
  await create(admin, { permissionType: 2, operation: 8, host: '127.0.0.1' })
  t.equal(await seen(ann), 'TOPIC_AUTHORIZATION_FAILED', 'a denial is stronger')
  await admin.perform(deleteAcls, { filters: [{ ...aclFilter, permissionType: 2 }] })
  t.equal(await seen(ann), undefined)
  ann.session.principal = { type: 'User', name: 'ben' }
  t.equal(await seen(ann), 'TOPIC_AUTHORIZATION_FAILED', 'a session that is somebody else now')
  t.strictSame(await create(as(ann, 'ann'), {}).catch(() => 'refused'), [
    'CLUSTER_AUTHORIZATION_FAILED',
  ])
})

t.test('an outcome for each ACL of a request, in its order', async (t) => {
  const { admin } = await prepared(t)
  const hosts = ['10.0.0.0/8', '::1', 'localhost', '127.0.0.1', 'fe80::1%eth0', '1.2.3', '']
  const outcomes = await create(admin, ...hosts.map((host) => ({ host })))
  t.strictSame(
    outcomes.map((error) => error ?? 'created'),
    hosts.map((host) => (['::1', '127.0.0.1'].includes(host) ? 'created' : 'INVALID_REQUEST')),
  )
})

t.test('spellings of an address are one address', async (t) => {
  const { admin } = await prepared(t)
  await create(admin, { host: '::1' }, { host: '0:0:0:0:0:0:0:1' }, { host: '::FFFF:127.0.0.1' })
  const { resources } = await admin.perform(describeAcls, {
    ...aclFilter,
    hostFilter: '0000:0:0:0:0:0:0:0001',
  })
  t.match(resources, [{ acls: [{ host: '0:0:0:0:0:0:0:1' }] }], 'the text is the given one')
  const same = await admin.perform(describeAcls, { ...aclFilter, hostFilter: '127.0.0.1' })
  t.match(same.resources, [{ acls: [{ host: '::FFFF:127.0.0.1' }] }])
  t.equal(canonicalAddress('0:0:0:0:0:0:0:1'), canonicalAddress('::1'))
  t.equal(canonicalAddress('::ffff:7f00:1'), '127.0.0.1')
  t.equal(canonicalAddress('::'), '0:0:0:0:0:0:0:0')
  t.equal(canonicalAddress('FD00:0:0::A:1'), 'fd00:0:0:0:0:0:a:1')
  t.equal(canonicalAddress('1:2:3:4:5:6:7::'), '1:2:3:4:5:6:7:0')
  for (const text of [
    '010.0.0.1',
    '256.0.0.1',
    '1.2.3.4.5',
    '1.2.3.',
    ':::',
    'g::1',
    '::1/64',
    ' ',
  ])
    t.equal(canonicalAddress(text), undefined, text)
  const authorizer = new StandardAuthorizer({ superUsers: [], allowEveryoneIfNoAcl: false })
  authorizer.add({ ...readOrders, host: '0:0:0:0:0:0:0:1' })
  const principal = { type: 'User', name: 'ann' }
  const from = (remoteAddress: string) =>
    authorizer.allows({ principal, remoteAddress }, 'Read', 'Topic', 'orders')
  t.strictSame(['::1', '127.0.0.1', '::2'].map(from), [true, false, false])
})

t.test('more ACLs than fit are refused, and none of them is kept', async (t) => {
  const authorizer = new StandardAuthorizer({ superUsers: [], allowEveryoneIfNoAcl: false })
  const written: unknown[] = []
  const records = {
    *list() {},
    write: async (changes: readonly unknown[]) => void written.push(...changes),
  }
  const acls = new Acls({ records, authorizer, warn: () => {} })
  const many = Array.from({ length: 100_001 }, (_, i) => ({
    ...readOrders,
    resourceName: `orders${i}`,
  }))
  await t.rejects(acls.create(many), { code: 'INVALID_REQUEST' })
  t.equal(written.length, 0)
  await acls.create(many.slice(1))
  await acls.create(many.slice(1)) // they are there
  t.equal(written.length, 100_000)
  await t.rejects(acls.create(many), { code: 'INVALID_REQUEST' })
})

t.test('the audit log tells denials and changes, and no silent checks', async (t) => {
  const { world, admin, ann } = await prepared(t)
  await create(admin, {}, { principal: 'ann' })
  await seen(ann, 'bills')
  await seen(ann, 'bills')
  await ann.perform(metadata, { topics: null })
  await admin.perform(deleteAcls, { filters: [aclFilter] })
  await ann.perform(initProducerId, { transactionalId: null, transactionTimeoutMs: 1 })
  const lines = world.logged.filter(({ principal }) => principal !== undefined)
  const from = { remote: '127.0.0.1' }
  t.match(lines, [
    { message: 'topics created', principal: 'User:admin', api: 'CreateTopics', names: ['orders'] },
    {
      message: 'ACLs created',
      principal: 'User:admin',
      api: 'CreateAcls',
      names: ['allow User:ann read topic orders from *'],
    },
    {
      message: 'access denied',
      level: 'info',
      principal: 'User:ann',
      operation: 'Describe',
      resourceType: 'Topic',
      resource: 'bills',
      api: 'Metadata',
      ...from,
    },
    { message: 'ACLs deleted', names: ['allow User:ann read topic orders from *'], ...from },
    { message: 'access denied', operation: 'IdempotentWrite', api: 'InitProducerId', ...from },
  ])
  t.equal(lines.length, 5)
  t.equal(aclText({ ...readOrders, patternType: 4 }), 'allow User:ann read topic orders... from *')
})

t.test('denials cannot fill a disk', async (t) => {
  const clock = new VirtualClock()
  const lines: { leftOut?: number }[] = []
  const log = new ProcessLog('info', clock, { write: (line) => lines.push(JSON.parse(line)) })
  const audit = new AuditLog(clock, log, true)
  const ask = (user: number, name: number) => {
    const principal = { type: 'User', name: `${user}` }
    const question = { operation: 'Read', resourceType: 'Topic', name: `${name}` } as const
    audit.denied({ principal, remoteAddress: '127.0.0.1' }, 'Fetch', question)
  }
  for (let user = 0; user < 20; user++) for (let name = 0; name < 1000; name++) ask(user, name)
  t.equal(lines.length, 200)
  t.equal(audit.deniedCount, 20_000)
  await clock.advance(60_000)
  ask(1, 1)
  ask(1, 1)
  t.equal(lines.length, 201)
  const toldCount = lines.reduce((sum, { leftOut = 0 }) => sum + 1 + leftOut, 0)
  t.equal(toldCount, 20_001, 'the lines say how many there were')
})

t.test('a broker without an authorizer says which settings have no effect', async (t) => {
  const { logged } = await World.open(t, { config: { 'super.users': 'User:admin' } })
  t.match(logged, [
    {
      level: 'warn',
      message: 'without authorizer.class.name these have no effect: super.users',
    },
  ])
})
