// Answers that are bounded by what exists: duplicates, topics created together, answers that are too large.

import t from '../../protocol/testing/tap.ts'
import { fetch } from '../../protocol/api/01_fetch.ts'
import { metadata } from '../../protocol/api/03_metadata.ts'
import { createTopics } from '../../protocol/api/19_create_topics.ts'
import { deleteTopics } from '../../protocol/api/20_delete_topics.ts'
import { describeConfigs } from '../../protocol/api/32_describe_configs.ts'
import { describeLogDirs } from '../../protocol/api/35_describe_log_dirs.ts'
import { deleteGroups } from '../../protocol/api/42_delete_groups.ts'
import { errorCode } from '../../protocol/errors.ts'
import { UUID_ZERO } from '../../protocol/ids.ts'
import { realFs } from '../../storage/fs.ts'
import { batchOf, fetchRequest, produceTo, World } from '../testing/world.ts'

const TOPIC = 2

t.test('a topic that Metadata is asked for often is in the answer once', async (t) => {
  const world = await World.open(t)
  const { client, topicId } = await world.topic('wide', 50)
  const topics = Array.from({ length: 12_000 }, () => ({ name: 'wide' }))
  for (const version of [0, 9, 13]) {
    const answer = await client.send(metadata, { topics }, version)
    t.match(answer.topics, [{ name: 'wide', errorCode: 0 }])
    t.equal(answer.topics.length, 1)
  }
  const byId = [{ topicId, name: null }, { topicId, name: null }, { name: 'wide' }]
  t.equal((await client.send(metadata, { topics: byId })).topics.length, 2, 'an id and a name')
})

t.test('a partition that is fetched often is read once, from where it was said last', async (t) => {
  const world = await World.open(t)
  const { client } = await world.topic('logs')
  for (const value of ['a', 'b', 'c']) await produceTo(client, 'logs', 0, batchOf([value]))
  const { topics, ...others } = fetchRequest('logs', 0, 0)
  const { partitions } = topics[0]!
  const often = Array.from({ length: 300_000 }, () => partitions[0]!)
  const last = { ...partitions[0]!, fetchOffset: 2 }
  const asked = [
    { topic: 'logs', partitions: often },
    { topic: 'logs', partitions: [last] },
  ]
  const { responses } = await client.send(fetch, { ...others, topics: asked }, 11)
  t.equal(responses.length, 1)
  t.match(responses[0]!.partitions, [{ partitionIndex: 0, highWatermark: 3 }])
  t.equal(responses[0]!.partitions[0]!.records?.length, batchOf(['c']).length)
})

t.test('what DescribeLogDirs and DeleteGroups are asked twice, they answer once', async (t) => {
  const world = await World.open(t)
  const { client } = await world.topic('logs', 2)
  const topics = [
    { topic: 'logs', partitions: [1, 1, 7] },
    { topic: 'none', partitions: [0] },
    { topic: 'logs', partitions: [0, 1] },
  ]
  const { results } = await client.send(describeLogDirs, { topics })
  t.match(results[0]!.topics, [{ partitions: [{ partitionIndex: 1 }, { partitionIndex: 0 }] }])
  t.equal(results[0]!.topics.length, 1)
  const deleted = await client.send(deleteGroups, { groupsNames: ['g', 'g'] })
  t.equal(deleted.results.length, 1)
})

t.test('topics that Metadata creates are created together', async (t) => {
  let syncCount = 0
  const sync = (fd: number) => {
    syncCount++
    realFs.sync(fd)
  }
  const fs = { ...realFs, sync }
  const world = await World.open(t, { fs })
  const client = await world.connect()
  const create = async (count: number, prefix: string) => {
    const before = syncCount
    const topics = Array.from({ length: count }, (_, i) => ({ name: `${prefix}${i}` }))
    const answer = await client.send(metadata, { topics })
    t.ok(answer.topics.every((topic) => topic.errorCode === 0 && topic.partitions.length === 1))
    return syncCount - before
  }
  const startedAt = performance.now()
  const many = await create(60, 'many')
  t.comment(`60 topics: ${many} syncs, ${(performance.now() - startedAt).toFixed()} ms`)
  const one = await create(1, 'one')
  t.comment(`1 topic: ${one} syncs`)
  t.ok(many <= 60 + one, 'each topic has files of its own to sync, and all share one record')
})

t.test('a topic that is deleted while others are created does not come back', async (t) => {
  const world = await World.open(t)
  const { client } = await world.topic('doomed')
  const other = await world.connect()
  const topics = Array.from({ length: 60 }, (_, i) => ({ name: `new${i}` }))
  const correlationId = client.write(metadata, { topics: [...topics, { name: 'doomed' }] })
  for (let turns = 0; turns < 5; turns++) await new Promise(setImmediate)
  const deleted = await other.send(deleteTopics, { topics: [{ name: 'doomed' }], timeoutMs: 1000 })
  t.equal(deleted.responses[0]!.errorCode, 0)
  await client.answerTo(metadata, metadata.versions.to, correlationId)
  const { topics: left } = await other.send(metadata, { topics: null })
  t.same(new Set(left.map(({ name }) => name)), new Set(topics.map(({ name }) => name)))
})

t.test('one request creates 10,000 partitions at most', async (t) => {
  const world = await World.open(t)
  const client = await world.connect()
  const topics = [9000, 1000, 1].map((numPartitions, i) => {
    return { name: `t${i}`, numPartitions, replicationFactor: 1 }
  })
  const answer = await client.send(createTopics, { topics, timeoutMs: 1000, validateOnly: true })
  const policy = errorCode('POLICY_VIOLATION')
  t.same(
    answer.topics.map((topic) => topic.errorCode),
    [0, 0, policy],
  )
})

t.test('versions 10 and 11 of Metadata refuse ids, which they could not answer', async (t) => {
  const world = await World.open(t)
  const { client, topicId } = await world.topic('logs')
  const unknown = Buffer.alloc(16, 5).toString('base64url')
  for (const version of [10, 11]) {
    for (const id of [topicId, unknown, UUID_ZERO]) {
      const asked = [{ topicId: id, name: null }, { name: 'logs' }]
      const { topics } = await client.send(metadata, { topics: asked }, version)
      const invalid = { errorCode: errorCode('INVALID_REQUEST'), partitions: [] }
      t.match(topics, [
        { ...invalid, topicId: id, name: '' },
        { ...invalid, name: 'logs' },
      ])
    }
  }
  const { topics } = await client.send(metadata, { topics: [{ topicId: unknown, name: null }] }, 12)
  t.match(topics, [{ errorCode: errorCode('UNKNOWN_TOPIC_ID'), topicId: unknown, name: null }])
  t.notOk(world.logged.some(({ level }) => level === 'error'))
})

t.test('an answer above response.max.bytes is refused, and the log says so', async (t) => {
  const world = await World.open(t, { config: { 'response.max.bytes': 1024 * 1024 } })
  const { client } = await world.topic('logs')
  const describe = (resourceCount: number) => {
    const resource = { resourceType: TOPIC, resourceName: 'logs', configurationKeys: null }
    const resources = Array.from({ length: resourceCount }, () => resource)
    return client.send(describeConfigs, { resources })
  }
  const codesOf = ({ results }: Awaited<ReturnType<typeof describe>>) =>
    new Set(results.map((result) => result.errorCode))
  t.same(codesOf(await describe(100)), new Set([0]))
  t.same(codesOf(await describe(5000)), new Set([errorCode('INVALID_REQUEST')]))
  await t.rejects(describe(50_000), /closed the connection/, 'a refusal of each is too much work')
  const reasons = world.logged.map(({ reason }) => reason).filter((reason) => reason !== undefined)
  t.equal(reasons.length, 3)
  for (const reason of reasons) t.match(reason, /larger than response.max.bytes=1048576/)
})
