// kafkajs, a foreign client, as admin and producer, over the second of two listeners. Plain fetches read back its
// records.

import kafkajs, { type Admin } from 'kafkajs'
import t from '../../protocol/testing/tap.ts'
import { batchesOf, recordsOf } from '../../protocol/batch/record.ts'
import { fetchFrom, World } from '../testing/world.ts'

const { Kafka, CompressionTypes, ConfigResourceTypes, logLevel } = kafkajs
const config = {
  listeners: 'PLAINTEXT://127.0.0.1:0,INTERNAL://127.0.0.1:0',
  'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,INTERNAL:PLAINTEXT',
  'num.partitions': 2,
}
const world = await World.open(t, { config, writer: 'thread' })
const bootstrap = world.broker.listeners['INTERNAL']!
const kafka = new Kafka({
  brokers: [bootstrap],
  clientId: 'conformance',
  logLevel: logLevel.NOTHING,
  retry: { retries: 2, initialRetryTime: 20 },
})
const admin: Admin = kafka.admin()
await admin.connect()
t.teardown(() => admin.disconnect())

/** Every record of a partition. */
async function readAll(topic: string, partition = 0) {
  const client = await world.connect()
  const { records } = await fetchFrom(client, topic, partition, 0)
  return [...batchesOf(records!)].flatMap(({ at, header }) =>
    [...recordsOf(records!, at, header, { decompressedBytesMax: 10_000_000 })].map((record) => ({
      codec: header.codec,
      timestamp: record.timestamp,
      key: record.key?.toString() ?? null,
      value: record.value?.toString() ?? null,
      headers: record.headers.map(([name, value]) => [name, value?.toString() ?? null]),
    })),
  )
}

t.test('topics: create, list, describe, grow, delete', async (t) => {
  const topic = 'life'
  t.equal(
    await admin.createTopics({ topics: [{ topic, numPartitions: 2 }], waitForLeaders: true }),
    true,
  )
  t.equal(await admin.createTopics({ topics: [{ topic }] }), false, 'it exists')
  t.ok((await admin.listTopics()).includes(topic))
  await admin.createPartitions({ topicPartitions: [{ topic, count: 3 }] })
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
  t.same(
    topics[0]!.partitions
      .map(({ partitionId, leader, replicas, isr }) => [partitionId, leader, replicas, isr])
      .sort(([a = 0], [b = 0]) => Number(a) - Number(b)),
    [0, 1, 2].map((partition) => [partition, 1, [1], [1]]),
  )
  await admin.deleteTopics({ topics: [topic] })
  t.notOk((await admin.listTopics()).includes(topic))
  await t.rejects(
    admin.fetchTopicMetadata({ topics: ['no such topic!'] }),
    /invalid topic|not.*valid/i,
  )
})

t.test('refusals arrive as the errors that they are', async (t) => {
  const create = (topic: object) => admin.createTopics({ topics: [{ topic: 'refused', ...topic }] })
  const type = async (attempt: Promise<unknown>) => {
    const error = (await attempt.then(
      () => undefined,
      (reason: unknown) => reason,
    )) as { errors?: { type: string }[] }
    return error?.errors?.[0]?.type
  }
  t.equal(await type(create({ replicationFactor: 3 })), 'INVALID_REPLICATION_FACTOR')
  t.equal(await type(create({ configEntries: [{ name: 'x', value: 'y' }] })), 'INVALID_CONFIG')
})

t.test('the cluster has a controller, and it is its only broker', async (t) => {
  const { brokers, controller, clusterId } = await admin.describeCluster()
  const [host, port] = bootstrap.split(':')
  t.same(brokers, [{ nodeId: 1, host, port: Number(port) }])
  t.equal(controller, 1)
  t.equal(clusterId.length, 22)
})

t.test('configs of topics and of the broker are changed and described', async (t) => {
  await admin.createTopics({ topics: [{ topic: 'altered' }] })
  const alter = (type: number, name: string, configEntries: { name: string; value: string }[]) =>
    admin.alterConfigs({ validateOnly: false, resources: [{ type, name, configEntries }] })
  const value = async (type: number, name: string, configName: string) => {
    const resources = [{ type, name, configNames: [configName] }]
    const described = await admin.describeConfigs({ includeSynonyms: false, resources })
    return described.resources[0]!.configEntries[0]!.configValue
  }
  const { TOPIC, BROKER } = ConfigResourceTypes
  await alter(TOPIC, 'altered', [{ name: 'retention.ms', value: '4321' }])
  t.equal(await value(TOPIC, 'altered', 'retention.ms'), '4321')
  await alter(TOPIC, 'altered', [{ name: 'segment.ms', value: '99' }])
  t.equal(await value(TOPIC, 'altered', 'retention.ms'), '604800000', 'all of it is replaced')
  await alter(BROKER, '1', [{ name: 'log.segment.bytes', value: '123456' }])
  t.equal(await value(TOPIC, 'altered', 'segment.bytes'), '123456')
  await alter(BROKER, '1', [])
  t.equal(await value(TOPIC, 'altered', 'segment.bytes'), '1073741824')
  const misspelt = [{ name: 'retention.mss', value: '1' }]
  const refusal = await alter(TOPIC, 'altered', misspelt).catch((error: unknown) => error)
  t.match(refusal, { type: 'INVALID_CONFIG' })
})

t.test('configs of topics are described', async (t) => {
  const configEntries = [{ name: 'retention.ms', value: '1234' }]
  await admin.createTopics({ topics: [{ topic: 'configured', configEntries }] })
  const resource = {
    type: ConfigResourceTypes.TOPIC,
    name: 'configured',
    configNames: ['retention.ms'],
  }
  const { resources } = await admin.describeConfigs({
    includeSynonyms: true,
    resources: [resource],
  })
  t.match(resources[0]!.configEntries, [
    { configName: 'retention.ms', configValue: '1234', isDefault: false },
  ])
})

t.test(
  'records with keys, headers, null values and timestamps arrive as they were sent',
  async (t) => {
    const producer = kafka.producer({ allowAutoTopicCreation: true })
    await producer.connect()
    const timestamp = Date.now() - 1000
    const [metadata] = await producer.send({
      topic: 'records',
      messages: [
        {
          key: 'a',
          value: 'one',
          partition: 0,
          headers: { h: 'x', many: ['1', '2'] },
          timestamp: `${timestamp}`,
        },
        { key: 'a', value: null, partition: 0, timestamp: `${timestamp + 1}` },
        { value: '', partition: 0, timestamp: `${timestamp + 2}` },
      ],
    })
    t.match(metadata, { topicName: 'records', partition: 0, errorCode: 0, baseOffset: '0' })
    const codec = 'none'
    t.same(await readAll('records'), [
      {
        codec,
        timestamp,
        key: 'a',
        value: 'one',
        headers: [
          ['h', 'x'],
          ['many', '1'],
          ['many', '2'],
        ],
      },
      { codec, timestamp: timestamp + 1, key: 'a', value: null, headers: [] },
      { codec, timestamp: timestamp + 2, key: null, value: '', headers: [] },
    ])
    await producer.disconnect()
  },
)

t.test('gzip is kept as it was sent', async (t) => {
  const producer = kafka.producer()
  await producer.connect()
  const messages = Array.from({ length: 100 }, (_, i) => ({ value: `value ${i}`, partition: 0 }))
  await producer.send({ topic: 'zipped', messages, compression: CompressionTypes.GZIP })
  const read = await readAll('zipped')
  t.same(
    read.map(({ value }) => value),
    messages.map(({ value }) => value),
  )
  t.ok(read.every(({ codec }) => codec === 'gzip'))
  await producer.disconnect()
})

t.test('acks: all, leader, none', async (t) => {
  const producer = kafka.producer()
  await producer.connect()
  for (const acks of [-1, 1, 0]) {
    await producer.send({ topic: 'acks', acks, messages: [{ value: `${acks}`, partition: 0 }] })
  }
  let values: (string | null)[] = []
  while (values.length < 3) values = (await readAll('acks')).map(({ value }) => value)
  t.same(values, ['-1', '1', '0'])
  await producer.disconnect()
})

t.test('an idempotent producer gets an id, and its batches their sequence', async (t) => {
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 })
  await producer.connect()
  for (let i = 0; i < 3; i++) {
    await producer.send({ topic: 'idempotent', messages: [{ value: `${i}`, partition: 0 }] })
  }
  t.same(
    (await readAll('idempotent')).map(({ value }) => value),
    ['0', '1', '2'],
  )
  await producer.disconnect()
})

t.test('offsets by end and by time, and records deleted before one', async (t) => {
  const topic = 'offsets'
  const producer = kafka.producer()
  await producer.connect()
  const start = Date.now() - 10_000
  for (let i = 0; i < 3; i++) {
    await producer.send({
      topic,
      messages: [{ value: `${i}`, partition: 0, timestamp: `${start + 1000 * i}` }],
    })
  }
  await producer.disconnect()
  const ofFirst = <Each extends { partition: number }>(all: Each[]) =>
    all.find(({ partition }) => partition === 0)
  t.match(ofFirst(await admin.fetchTopicOffsets(topic)), { offset: '3', high: '3', low: '0' })
  t.match(ofFirst(await admin.fetchTopicOffsetsByTimestamp(topic, start + 500)), { offset: '1' })
  await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '2' }] })
  t.match(ofFirst(await admin.fetchTopicOffsets(topic)), { high: '3', low: '2' })
})
