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

t.test('arguments are checked', async (t) => {
  await using client = new Client({ brokers: '127.0.0.1:1' })
  const { acls } = client.admin()
  const create = (acl: object) => acls.create([acl as NewAcl])
  await t.rejects(create({ ...readOrders, operation: 'any' }), /operation/)
  await t.rejects(create({ ...readOrders, resourceName: '' }), /resourceName/)
  await t.rejects(create({ ...readOrders, patternType: 'match' }), /patternType/)
  await t.rejects(acls.list({ patternType: 'any' as 'match' }), /patternType/)
})
