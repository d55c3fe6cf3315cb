// Metadata, topics, partitions, records deleted, producer ids, the cluster: through a real socket.

import t from '../../protocol/testing/tap.ts'
import { metadata } from '../../protocol/api/03_metadata.ts'
import { createTopics } from '../../protocol/api/19_create_topics.ts'
import { deleteTopics } from '../../protocol/api/20_delete_topics.ts'
import { deleteRecords } from '../../protocol/api/21_delete_records.ts'
import { initProducerId } from '../../protocol/api/22_init_producer_id.ts'
import { createPartitions } from '../../protocol/api/37_create_partitions.ts'
import { describeCluster } from '../../protocol/api/60_describe_cluster.ts'
import { errorCode, type ErrorName } from '../../protocol/errors.ts'
import { UUID_ZERO } from '../../protocol/ids.ts'
import type { RequestInput } from '../../protocol/schema.ts'
import type { RawClient } from '../testing/raw-client.ts'
import { batchOf, fetchFrom, produceTo, valuesOf, World } from '../testing/world.ts'

const NOT_ASKED_FOR = -0x8000_0000
const NODE_ID = 1
const world = await World.open(t, {
  config: { 'log.retention.hours': 1, 'log.segment.bytes': 1_000_000 },
})
const client = await world.connect()

type NewTopic = RequestInput<typeof createTopics>['topics'][number]

/** Creates one topic. @returns its answer */
async function create(topic: Partial<NewTopic> & { name: string }, validateOnly = false) {
  const whole = { numPartitions: 1, replicationFactor: 1, ...topic }
  const { topics } = await client.send(createTopics, { topics: [whole], validateOnly })
  return topics[0]!
}

/** Topics by name that the broker lists when asked for all. */
async function listed(of: RawClient = client): Promise<string[]> {
  const { topics } = await of.send(metadata, { topics: null })
  return topics.map(({ name }) => name!)
}

t.test("the broker's own topic is listed only in answers to requests that name it", async (t) => {
  t.notOk((await listed()).includes('__millrace_metadata'))
  const topics = [{ name: '__millrace_metadata' }]
  const answer = await client.send(metadata, { topics })
  t.match(answer.topics, [{ errorCode: 0, isInternal: true }])
  const batch = batchOf(['forged'])
  const refused = await produceTo(client, '__millrace_metadata', 0, batch)
  t.equal(refused.errorCode, errorCode('INVALID_TOPIC_EXCEPTION'))
  const read = await fetchFrom(client, '__millrace_metadata', 0, 0)
  t.equal(read.errorCode, errorCode('TOPIC_AUTHORIZATION_FAILED'), 'it has the keys of passwords')
})

t.test('null topics are all, empty are none; in version 0 empty are all', async (t) => {
  await create({ name: 'all-or-none', numPartitions: 2 })
  t.ok((await listed()).includes('all-or-none'))
  t.same((await client.send(metadata, { topics: [] }, 1)).topics, [])
  const oldest = await client.send(metadata, { topics: [] }, 0)
  t.ok(oldest.topics.some(({ name }) => name === 'all-or-none'))
})

t.test('a topic is told with id, leader, epoch, and one replica everywhere', async (t) => {
  const created = await create({ name: 'told', numPartitions: 2 })
  const answer = await client.send(metadata, { topics: [{ name: 'told' }] })
  t.match(answer, {
    errorCode: 0,
    clusterId: /^[\w-]{22}$/,
    controllerId: NODE_ID,
    throttleTimeMs: 0,
  })
  const partition = {
    errorCode: 0,
    leaderId: NODE_ID,
    leaderEpoch: 0,
    replicaNodes: [NODE_ID],
    isrNodes: [NODE_ID],
    offlineReplicas: [],
  }
  t.same(answer.topics, [
    {
      errorCode: 0,
      name: 'told',
      topicId: created.topicId,
      isInternal: false,
      partitions: [
        { ...partition, partitionIndex: 0 },
        { ...partition, partitionIndex: 1 },
      ],
      topicAuthorizedOperations: NOT_ASKED_FOR,
    },
  ])
  const byId = await client.send(metadata, { topics: [{ name: null, topicId: created.topicId }] })
  t.equal(byId.topics[0]!.name, 'told')
})

t.test('an unknown id has its own error, and no name', async (t) => {
  const topicId = Buffer.alloc(16, 9).toString('base64url')
  const { topics } = await client.send(metadata, { topics: [{ name: null, topicId }] })
  t.match(topics, [
    { errorCode: errorCode('UNKNOWN_TOPIC_ID'), name: null, topicId, partitions: [] },
  ])
})

t.test('authorized operations are answered only on request', async (t) => {
  const asking = {
    topics: [{ name: 'told' }],
    includeClusterAuthorizedOperations: true,
    includeTopicAuthorizedOperations: true,
  }
  const answer = await client.send(metadata, asking, 8)
  t.ok(answer.clusterAuthorizedOperations > 0)
  t.equal(answer.topics[0]!.topicAuthorizedOperations, 0b1101_1111_1000)
})

t.test('a topic that is asked for comes into being, if both sides want it', async (t) => {
  const ask = async (name: string, allowAutoTopicCreation: boolean, version?: number) => {
    const request = { topics: [{ name }], allowAutoTopicCreation }
    return (await client.send(metadata, request, version)).topics[0]!
  }
  t.match(await ask('auto-1', true), { errorCode: 0, partitions: [{ leaderId: NODE_ID }] })
  t.match(await ask('auto-2', false), { errorCode: errorCode('UNKNOWN_TOPIC_OR_PARTITION') })
  t.match(await ask('auto-3', false, 3), { errorCode: 0 }, 'versions before 4 imply it')
  t.same(
    (await listed()).filter((name) => name.startsWith('auto')),
    ['auto-1', 'auto-3'],
  )
  const both = await Promise.all([
    ask('auto-4', true),
    world.connect().then((other) => listed(other)),
  ])
  t.equal(both[0].errorCode, 0)

  const strict = await World.open(t, { config: { 'auto.create.topics.enable': false } })
  const refused = await (await strict.connect()).send(metadata, { topics: [{ name: 'auto' }] })
  t.match(refused.topics, [{ errorCode: errorCode('UNKNOWN_TOPIC_OR_PARTITION'), partitions: [] }])
})

t.test('two clients that ask for the same new topic at once both get it', async (t) => {
  const clients = await Promise.all(Array.from({ length: 5 }, () => world.connect()))
  const answers = await Promise.all(
    clients.map((each) => each.send(metadata, { topics: [{ name: 'race' }] })),
  )
  t.same(
    answers.map(({ topics }) => topics[0]!.errorCode),
    [0, 0, 0, 0, 0],
  )
  t.equal(new Set(answers.map(({ topics }) => topics[0]!.topicId)).size, 1)
})

t.test('names that are not allowed are refused, wherever they come up', async (t) => {
  const refused = { errorCode: errorCode('INVALID_TOPIC_EXCEPTION') }
  for (const name of ['', '.', '..', 'a b', 'ä', 'x'.repeat(250), 'a/b', '../../etc']) {
    t.match(await create({ name }), refused, `create ${name}`)
    const { topics } = await client.send(metadata, { topics: [{ name }] })
    t.match(topics, [{ ...refused, name, partitions: [] }], `metadata ${name}`)
  }
  t.match(await create({ name: 'x'.repeat(249) }), { errorCode: 0 })
  t.match(await create({ name: 'dot.and_underscore' }), { errorCode: 0 })
  t.match(await create({ name: 'dot_and.underscore' }), refused)
  t.match(await create({ name: 'dot_and.underscore' }, true), refused)
})

t.test('a new topic is refused for what is wrong with it', async (t) => {
  await create({ name: 'taken' })
  const assigned = (...brokerIds: number[][]) => ({
    numPartitions: -1,
    replicationFactor: -1,
    assignments: brokerIds.map((ids, partitionIndex) => ({ partitionIndex, brokerIds: ids })),
  })
  const config = (name: string, value: string | null) => ({ configs: [{ name, value }] })
  const cases: [Partial<NewTopic> & { name: string }, ErrorName][] = [
    [{ name: 'taken' }, 'TOPIC_ALREADY_EXISTS'],
    [{ name: 'bad', numPartitions: 0 }, 'INVALID_PARTITIONS'],
    [{ name: 'bad', numPartitions: -2 }, 'INVALID_PARTITIONS'],
    [{ name: 'bad', replicationFactor: 2 }, 'INVALID_REPLICATION_FACTOR'],
    [{ name: 'bad', replicationFactor: 0 }, 'INVALID_REPLICATION_FACTOR'],
    [{ name: 'bad', ...assigned([NODE_ID]), numPartitions: 1 }, 'INVALID_REQUEST'],
    [{ name: 'bad', ...assigned([NODE_ID, 2]) }, 'INVALID_REPLICA_ASSIGNMENT'],
    [{ name: 'bad', ...assigned([7]) }, 'INVALID_REPLICA_ASSIGNMENT'],
    [{ name: 'bad', ...config('retention.mss', '1') }, 'INVALID_CONFIG'],
    [{ name: 'bad', ...config('retention.ms', 'soon') }, 'INVALID_CONFIG'],
    [{ name: 'bad', ...config('retention.ms', null) }, 'INVALID_CONFIG'],
    [{ name: 'bad', ...config('__proto__', 'x') }, 'INVALID_CONFIG'],
  ]
  for (const [topic, error] of cases) {
    for (const validateOnly of [true, false]) {
      const answer = await create(topic, validateOnly)
      t.match(
        answer,
        { errorCode: errorCode(error), errorMessage: String, topicId: UUID_ZERO },
        error,
      )
    }
  }
  t.match(await create({ name: 'bad', ...config('retention.mss', '1') }), {
    errorMessage: /did you mean retention.ms/,
  })
  t.notOk((await listed()).includes('bad'))
})

t.test(
  'a new topic may leave the counts to the broker, or say where its partitions lie',
  async (t) => {
    const left = await create({ name: 'left', numPartitions: -1, replicationFactor: -1 })
    t.match(left, { errorCode: 0, numPartitions: 1, replicationFactor: 1 })
    const assignments = [1, 0].map((partitionIndex) => ({ partitionIndex, brokerIds: [NODE_ID] }))
    const placed = await create({
      name: 'placed',
      numPartitions: -1,
      replicationFactor: -1,
      assignments,
    })
    t.match(placed, { errorCode: 0, numPartitions: 2, replicationFactor: 1 })
    const checked = await create({ name: 'only-checked', numPartitions: 3 }, true)
    t.match(checked, { errorCode: 0, numPartitions: 3 })
    t.notOk((await listed()).includes('only-checked'))
  },
)

t.test(
  'a topic that is named twice in a request is refused both times, others are not',
  async (t) => {
    const topic = (name: string) => ({ name, numPartitions: 1, replicationFactor: 1 })
    const names = ['twice', 'once', 'twice']
    const { topics } = await client.send(createTopics, { topics: names.map(topic) })
    t.same(
      topics.map((each) => each.errorCode),
      [42, 0, 42],
    )
  },
)

t.test('the answer to a new topic shows its configs and where they come from', async (t) => {
  const configs = [{ name: 'cleanup.policy', value: 'compact' }]
  const { configs: shown } = await create({ name: 'shown', configs })
  const find = (wanted: string) => shown!.find(({ name }) => name === wanted)
  t.match(find('cleanup.policy'), {
    value: 'compact',
    configSource: 1,
    readOnly: false,
    isSensitive: false,
  })
  t.match(
    find('retention.ms'),
    { value: '3600000', configSource: 4 },
    'log.retention.hours of the broker',
  )
  t.match(find('max.message.bytes'), { value: '1048588', configSource: 5 })
})

t.test('a deleted topic is gone when the answer comes', async (t) => {
  const { topicId } = await create({ name: 'doomed' })
  await create({ name: 'doomed-too' })
  const old = await client.send(
    deleteTopics,
    { topicNames: ['doomed-too', 'never-was'], timeoutMs: 1000 },
    5,
  )
  t.match(old.responses, [
    { name: 'doomed-too', errorCode: 0 },
    { name: 'never-was', errorCode: errorCode('UNKNOWN_TOPIC_OR_PARTITION'), errorMessage: String },
  ])
  const refuse = async (asked: RequestInput<typeof deleteTopics>['topics']) => {
    const { responses } = await client.send(deleteTopics, { topics: asked, timeoutMs: 1000 })
    return responses.map((each) => each.errorCode)
  }
  t.same(await refuse([{ topicId }, { name: 'doomed' }]), [42, 42], 'named twice')
  t.same(await refuse([{ name: 'doomed', topicId }, {}]), [42, 42], 'name and id, neither')
  const unknown = { topicId: Buffer.alloc(16, 5).toString('base64url') }
  t.same(await refuse([unknown]), [errorCode('UNKNOWN_TOPIC_ID')])
  t.same(await refuse([{ name: '__millrace_metadata' }]), [errorCode('INVALID_TOPIC_EXCEPTION')])
  const again = await client.send(deleteTopics, { topics: [{ topicId }], timeoutMs: 1000 })
  t.match(again.responses, [{ name: 'doomed', topicId, errorCode: 0 }])
  t.notOk((await listed()).some((name) => name.startsWith('doomed')))
})

t.test('delete.topic.enable=false keeps all topics', async (t) => {
  const keeping = await World.open(t, { config: { 'delete.topic.enable': false } })
  const { client: keeper } = await keeping.topic('kept')
  const ask = async (version: number) => {
    const request = version < 6 ? { topicNames: ['kept'] } : { topics: [{ name: 'kept' }] }
    const { responses } = await keeper.send(deleteTopics, { ...request, timeoutMs: 1000 }, version)
    return responses[0]!.errorCode
  }
  t.equal(await ask(1), errorCode('INVALID_REQUEST'))
  t.equal(await ask(6), errorCode('TOPIC_DELETION_DISABLED'))
  t.same(await listed(keeper), ['kept'])
})

t.test('a topic gets more partitions, never fewer', async (t) => {
  await create({ name: 'growing', numPartitions: 2 })
  const grow = async (name: string, count: number, more: object = {}, validateOnly = false) => {
    const topics = [{ name, count, ...more }]
    const { results } = await client.send(createPartitions, {
      topics,
      timeoutMs: 1000,
      validateOnly,
    })
    return results[0]!.errorCode
  }
  t.equal(await grow('growing', 2), errorCode('INVALID_PARTITIONS'))
  t.equal(await grow('growing', 1), errorCode('INVALID_PARTITIONS'))
  t.equal(await grow('nowhere', 3), errorCode('UNKNOWN_TOPIC_OR_PARTITION'))
  const elsewhere = { assignments: [{ brokerIds: [4] }] }
  t.equal(await grow('growing', 3, elsewhere), errorCode('INVALID_REPLICA_ASSIGNMENT'))
  const here = { assignments: [{ brokerIds: [NODE_ID] }] }
  t.equal(await grow('growing', 4, here), errorCode('INVALID_REPLICA_ASSIGNMENT'), 'one of two')
  t.equal(await grow('growing', 5, {}, true), 0)
  t.equal(await grow('growing', 3, here), 0)
  const { topics } = await client.send(metadata, { topics: [{ name: 'growing' }] })
  t.equal(topics[0]!.partitions.length, 3)
  t.match(await produceTo(client, 'growing', 2, batchOf(['x'])), { errorCode: 0, baseOffset: 0 })
})

t.test('records before an offset are deleted, and the log says where it starts', async (t) => {
  await create({ name: 'trimmed' })
  await create({ name: 'compacted', configs: [{ name: 'cleanup.policy', value: 'compact' }] })
  for (const value of ['a', 'b', 'c']) await produceTo(client, 'trimmed', 0, batchOf([value]))
  const trim = async (name: string, offset: number, partitionIndex = 0) => {
    const topics = [{ name, partitions: [{ partitionIndex, offset }] }]
    const answer = await client.send(deleteRecords, { topics, timeoutMs: 1000 })
    const { lowWatermark, errorCode: code } = answer.topics[0]!.partitions[0]!
    return code === 0 ? lowWatermark : -code
  }
  t.equal(await trim('trimmed', 4), -errorCode('OFFSET_OUT_OF_RANGE'))
  t.equal(await trim('trimmed', -2), -errorCode('OFFSET_OUT_OF_RANGE'))
  t.equal(await trim('trimmed', 0, 9), -errorCode('UNKNOWN_TOPIC_OR_PARTITION'))
  t.equal(await trim('compacted', 0), -errorCode('POLICY_VIOLATION'))
  t.equal(await trim('trimmed', 1), 1)
  t.match(await fetchFrom(client, 'trimmed', 0, 0), { errorCode: errorCode('OFFSET_OUT_OF_RANGE') })
  const { records, logStartOffset } = await fetchFrom(client, 'trimmed', 0, 1)
  t.equal(logStartOffset, 1)
  t.same(valuesOf(records), ['b', 'c'])
  t.equal(await trim('trimmed', 0), 1, 'never back')
  t.equal(await trim('trimmed', -1), 3, '-1 is the high watermark')
  t.match(await produceTo(client, 'trimmed', 0, batchOf(['d'])), {
    baseOffset: 3,
    logStartOffset: 3,
  })
})

t.test('every producer id is another one, also for a producer that has one', async (t) => {
  const ids = new Set<number>()
  for (let version = 0; version <= 5; version++) {
    const known = version < 3 ? {} : { producerId: 7, producerEpoch: 1 }
    const answer = await client.send(initProducerId, { transactionalId: null, ...known }, version)
    t.match(answer, { errorCode: 0, producerEpoch: 0 })
    ids.add(answer.producerId)
  }
  t.equal(ids.size, 6)
})

t.test('the cluster is one node, and this is no controller endpoint', async (t) => {
  const { clusterId } = await client.send(metadata, { topics: [] })
  for (const version of [0, 1, 2]) {
    const answer = await client.send(describeCluster, {}, version)
    t.match(answer, { errorCode: 0, clusterId, controllerId: NODE_ID })
    t.match(answer.brokers, [{ brokerId: NODE_ID, host: '127.0.0.1', rack: null, isFenced: false }])
    t.equal(answer.clusterAuthorizedOperations, NOT_ASKED_FOR)
  }
  const asked = await client.send(describeCluster, { includeClusterAuthorizedOperations: true })
  t.ok(asked.clusterAuthorizedOperations > 0)
  const controllers = await client.send(describeCluster, { endpointType: 2 })
  t.equal(controllers.errorCode, errorCode('MISMATCHED_ENDPOINT_TYPE'))
})
