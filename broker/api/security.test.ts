// Requests about security to a broker without it: the answers of an Apache Kafka with a plaintext listener and no
// authorizer (clients/testing/interop/kafka.interop.ts compares the two). Through a real socket.

import t from '../../protocol/testing/tap.ts'
import { saslHandshake } from '../../protocol/api/17_sasl_handshake.ts'
import { apiVersions } from '../../protocol/api/18_api_versions.ts'
import { describeAcls } from '../../protocol/api/29_describe_acls.ts'
import { createAcls } from '../../protocol/api/30_create_acls.ts'
import { deleteAcls } from '../../protocol/api/31_delete_acls.ts'
import { saslAuthenticate } from '../../protocol/api/36_sasl_authenticate.ts'
import { createDelegationToken } from '../../protocol/api/38_create_delegation_token.ts'
import { renewDelegationToken } from '../../protocol/api/39_renew_delegation_token.ts'
import { expireDelegationToken } from '../../protocol/api/40_expire_delegation_token.ts'
import { describeDelegationToken } from '../../protocol/api/41_describe_delegation_token.ts'
import { errorName } from '../../protocol/errors.ts'
import type { Api } from '../../protocol/schema.ts'
import { World } from '../testing/world.ts'

const world = await World.open(t)
const client = await world.connect()

function versionsOf({ versions }: Api<any, any>): number[] {
  return Array.from({ length: versions.to - versions.from + 1 }, (_, i) => versions.from + i)
}

const hmac = Buffer.from('hmac')
const filter = {
  resourceTypeFilter: 1,
  resourceNameFilter: null,
  principalFilter: null,
  hostFilter: null,
  operation: 1,
  permissionType: 1,
}
const acl = {
  resourceType: 2,
  resourceName: 'logs',
  principal: 'User:a',
  host: '*',
  operation: 3,
  permissionType: 3,
}

t.test('SASL on a plaintext listener is out of place, and the connection goes on', async (t) => {
  for (const version of versionsOf(saslHandshake)) {
    const answer = await client.send(saslHandshake, { mechanism: 'PLAIN' }, version)
    t.same(answer, { errorCode: 34, mechanisms: [] })
  }
  for (const version of versionsOf(saslAuthenticate)) {
    const { errorCode } = await client.send(saslAuthenticate, { authBytes: hmac }, version)
    t.equal(errorName(errorCode), 'ILLEGAL_SASL_STATE')
  }
  t.equal((await client.send(apiVersions, { clientSoftwareName: '' }, 2)).errorCode, 0)
})

t.test('ACLs are neither told nor taken: security is disabled', async (t) => {
  for (const version of versionsOf(describeAcls)) {
    const described = await client.send(describeAcls, filter, version)
    t.match(described, { errorCode: 54, errorMessage: /No Authorizer/, resources: [] })
    const created = await client.send(createAcls, { creations: [acl, acl] }, version)
    t.match(created.results, [{ errorCode: 54 }, { errorCode: 54 }])
    const deleted = await client.send(deleteAcls, { filters: [filter] }, version)
    t.match(deleted.filterResults, [{ errorCode: 54, matchingAcls: [] }])
  }
})

t.test('a plaintext connection may not ask for delegation tokens', async (t) => {
  const refused = { errorCode: 64 }
  for (const version of versionsOf(createDelegationToken)) {
    const request = { renewers: [], maxLifetimeMs: -1 }
    const created = await client.send(createDelegationToken, request, version)
    t.match(created, { ...refused, principalType: 'User', principalName: 'ANONYMOUS' })
    const described = await client.send(describeDelegationToken, { owners: null }, version)
    t.match(described, { ...refused, tokens: [] })
  }
  for (const version of versionsOf(renewDelegationToken)) {
    const renew = { hmac, renewPeriodMs: 1 }
    const renewed = await client.send(renewDelegationToken, renew, version)
    t.match(renewed, { ...refused, expiryTimestampMs: -1 })
    const expire = { hmac, expiryTimePeriodMs: 1 }
    const expired = await client.send(expireDelegationToken, expire, version)
    t.match(expired, { ...refused, expiryTimestampMs: -1 })
  }
  const ofAnother = {
    ownerPrincipalType: 'User',
    ownerPrincipalName: 'b',
    renewers: [],
    maxLifetimeMs: 1,
  }
  t.match(await client.send(createDelegationToken, ofAnother), { ...refused, principalName: 'b' })
})
