// Calls: requests that are decoded, performed and encoded, or performed without a frame.

import t from '../protocol/testing/tap.ts'
import { produce } from '../protocol/api/00_produce.ts'
import { fetch } from '../protocol/api/01_fetch.ts'
import { apiVersions } from '../protocol/api/18_api_versions.ts'
import { createDelegationToken } from '../protocol/api/38_create_delegation_token.ts'
import { describeLogDirs } from '../protocol/api/35_describe_log_dirs.ts'
import { apis } from '../protocol/apis.ts'
import { existing, questions } from './testing/questions.ts'
import { batchOf, fetchRequest, valuesOf, World } from './testing/world.ts'

t.test('a caller in this process performs every API with a session and no socket', async (t) => {
  const config = { 'fetch.max.wait.ms': 0, 'group.initial.rebalance.delay.ms': 0 }
  const { local, topic } = await worldOf({ config })
  const topicId = await topic(existing.topic)
  const answered = new Set<string>()
  for (const { api, version, what, request } of questions(topicId)) {
    const answer = await local.perform(api, request, version)
    t.type(answer, 'object', `${api.name} ${version}, ${what}`)
    answered.add(api.name)
  }
  t.strictSame(
    [...answered],
    apis.map(({ name }) => name),
  )
})

t.test('what a caller in this process produces, it fetches', async (t) => {
  const { local, topic } = await worldOf()
  await topic('logs')
  const partitions = [{ index: 0, records: batchOf(['a', 'b']) }]
  const topics = [{ name: 'logs', partitions }]
  const produced = await local.perform(produce, { acks: -1, timeoutMs: 1000, topics }, 12)
  t.match(produced.topics[0]!.partitions, [{ errorCode: 0, baseOffset: 0 }])
  const { responses } = await local.perform(fetch, fetchRequest('logs', 0, 0), 12)
  t.strictSame(valuesOf(responses[0]!.partitions[0]!.records), ['a', 'b'])
})

t.test('a session keeps its client id and software, and answers name its principal', async (t) => {
  const { local } = await worldOf()
  const software = { clientSoftwareName: 'kcat', clientSoftwareVersion: '1.7.0' }
  await local.perform(apiVersions, software)
  t.strictSame(local.session.software, { name: 'kcat', version: '1.7.0' })
  local.session.principal = { type: 'User', name: 'alice' }
  const token = { renewers: [], maxLifetimeMs: -1 }
  t.match(await local.perform(createDelegationToken, token), {
    principalName: 'alice',
    tokenRequesterPrincipalName: 'alice',
  })
})

t.test('an API that is not served is refused', async (t) => {
  const { local } = await worldOf()
  const unknown = { ...describeLogDirs, key: 999 }
  await t.rejects(local.perform(unknown, { topics: null }), { code: 'UNSUPPORTED_VERSION' })
})

async function worldOf(options: Parameters<typeof World.open>[1] = {}) {
  const world = await World.open(t, options)
  const topic = async (name: string) => (await world.topic(name)).topicId
  return { local: world.local, topic }
}
