// ACLs by kafkajs, a foreign client: it creates, lists and deletes them.

import kafkajs from 'kafkajs'
import t from '../../protocol/testing/tap.ts'
import { STANDARD_AUTHORIZER } from '../auth/configs.ts'
import { World } from '../testing/world.ts'

const { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } = kafkajs
const { Kafka, logLevel } = kafkajs

t.test('kafkajs creates, lists and deletes ACLs', async (t) => {
  const config = { 'authorizer.class.name': STANDARD_AUTHORIZER, 'super.users': 'User:ANONYMOUS' }
  const { broker } = await World.open(t, { config })
  const admin = new Kafka({ brokers: [broker.bootstrap], logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  t.teardown(() => admin.disconnect())
  const acl = {
    resourceType: AclResourceTypes.TOPIC,
    resourceName: 'orders',
    resourcePatternType: ResourcePatternTypes.LITERAL,
    principal: 'User:ann',
    host: '*',
    operation: AclOperationTypes.READ,
    permissionType: AclPermissionTypes.ALLOW,
  }
  const prefixed = { ...acl, resourcePatternType: ResourcePatternTypes.PREFIXED }
  t.equal(await admin.createAcls({ acl: [acl, prefixed] }), true)
  await t.rejects(
    admin.createAcls({ acl: [{ ...acl, host: 'localhost' }] }),
    /INVALID_REQUEST|most likely/,
  )
  const filter = {
    resourceType: AclResourceTypes.TOPIC,
    resourceName: 'orders',
    resourcePatternType: ResourcePatternTypes.ANY,
    operation: AclOperationTypes.ANY,
    permissionType: AclPermissionTypes.ANY,
  }
  const { resources } = await admin.describeAcls(filter)
  t.match(
    resources.map(({ resourcePatternType, acls }) => [resourcePatternType, acls]),
    [
      [3, [{ principal: 'User:ann', host: '*', operation: 3, permissionType: 3 }]],
      [4, [{ principal: 'User:ann', host: '*', operation: 3, permissionType: 3 }]],
    ],
  )
  const { filterResponses } = await admin.deleteAcls({ filters: [filter] })
  t.equal(filterResponses[0]!.matchingAcls.length, 2)
  t.strictSame((await admin.describeAcls(filter)).resources, [])
})
