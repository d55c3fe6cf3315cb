// ACLs by the client, against a broker of its own, which is restarted on its data.

import t from '../../protocol/testing/tap.ts'
import { Broker } from '../../broker/broker.ts'
import { Client, PartialError, type Acl, type NewAcl } from '../index.ts'

const config = {
  'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
  'super.users': 'User:ANONYMOUS',
}
const dataDir = t.testdir()
const readOrders: NewAcl = {
  resourceType: 'topic',
  resourceName: 'orders',
  principal: 'User:ann',
  operation: 'read',
}
const stored: Acl = {
  resourceType: 'topic',
  resourceName: 'orders',
  patternType: 'literal',
  principal: 'User:ann',
  host: '*',
  operation: 'read',
  permission: 'allow',
}

t.test('ACLs are created, found, kept over a restart and deleted', async (t) => {
  {
    await using broker = await Broker.start({ dataDir, config })
    await using client = new Client({ brokers: broker.bootstrap })
    const { acls } = client.admin()
    await acls.create([
      readOrders,
      { ...readOrders, resourceName: 'or', patternType: 'prefixed', operation: 'describeConfigs' },
      { ...readOrders, resourceType: 'user', resourceName: 'User:ben', operation: 'createTokens' },
    ])
    t.strictSame(await acls.list({ resourceName: 'orders' }), [stored])
    t.equal((await acls.list({ resourceName: 'orders', patternType: 'match' })).length, 2)
    const refused = acls.create([
      { ...readOrders, host: '10.0.0.0/8' },
      { ...readOrders, host: '10.0.0.7', permission: 'deny' },
    ])
    t.ok((await refused.catch((error: unknown) => error)) instanceof PartialError)
    await t.rejects(refused, {
      code: 'INVALID_REQUEST',
      message: /User:ann read topic orders from 10.0.0.0\/8: host 10.0.0.0\/8: a range/,
    })
    t.match(await acls.list({ permission: 'deny' }), [{ host: '10.0.0.7' }])
  }
  await using broker = await Broker.start({ dataDir, config })
  await using client = new Client({ brokers: broker.bootstrap })
  const { acls } = client.admin()
  t.equal((await acls.list()).length, 4)
  const filters = [
    { resourceName: 'orders' },
    { principal: 'User:ann', operation: 'read' },
  ] as const
  t.equal((await acls.delete(filters)).length, 2)
  t.equal((await acls.delete([{}])).length, 2)
  t.strictSame(await acls.list(), [])
})

t.test('users who have logged in may do what ACLs say, and lose it at once', async (t) => {
  const login = 'org.apache.kafka.common.security.plain.PlainLoginModule required'
  await using broker = await Broker.start({
    ephemeral: true,
    config: {
      'authorizer.class.name': config['authorizer.class.name'],
      'super.users': 'User:root',
      listeners: 'SASL_PLAINTEXT://127.0.0.1:0',
      'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-512',
      'listener.name.sasl_plaintext.plain.sasl.jaas.config': `${login} user_root="secret";`,
    },
  })
  const as = (username: string, mechanism: 'plain' | 'scram-sha-512' = 'scram-sha-512') =>
    new Client({ brokers: broker.bootstrap, sasl: { mechanism, username, password: 'secret' } })
  await using root = as('root', 'plain')
  const admin = root.admin()
  await admin.createTopics(['orders'])
  await admin.users.upsert([
    { user: 'ann', password: 'secret' },
    { user: 'ben', password: 'secret' },
  ])
  const read = { ...readOrders, principal: 'User:ben' }
  await admin.acls.create([
    { ...readOrders, operation: 'write' },
    read,
    { ...read, resourceType: 'group', resourceName: 'bills' },
  ])
  await using ann = as('ann')
  await using producer = ann.producer()
  t.match(await producer.send('orders', { value: 'x' }), { offset: 0 })
  await t.rejects(ann.admin().createTopics(['bills']), { code: 'TOPIC_AUTHORIZATION_FAILED' })
  await t.rejects(ann.admin().acls.list(), { code: 'CLUSTER_AUTHORIZATION_FAILED' })
  await using ben = as('ben')
  await using consumer = ben.consumer({ topics: ['orders'], group: 'bills', from: 'earliest' })
  for await (const { value } of consumer) {
    t.equal(value?.toString(), 'x')
    break
  }
  await using benProducer = ben.producer()
  await t.rejects(benProducer.send('orders', { value: 'y' }), {
    code: 'CLUSTER_AUTHORIZATION_FAILED', // not even a producer id, for want of any topic to write to
  })
  await admin.acls.delete([{ principal: 'User:ann' }])
  await t.rejects(producer.send('orders', { value: 'z' }), { code: 'TOPIC_AUTHORIZATION_FAILED' })
})

t.test('arguments are checked', async (t) => {
  await using client = new Client({ brokers: '127.0.0.1:1' })
  const { acls } = client.admin()
  const create = (acl: object) => acls.create([acl as NewAcl])
  await t.rejects(create({ ...readOrders, operation: 'any' }), /operation/)
  await t.rejects(create({ ...readOrders, resourceName: '' }), /resourceName/)
  await t.rejects(create({ ...readOrders, patternType: 'match' }), /patternType/)
  await t.rejects(acls.list({ patternType: 'any' as 'match' }), /patternType/)
})
