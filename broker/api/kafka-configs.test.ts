// Broker properties of Apache Kafka at the start and at run time: those without effect, the node's id, and those that
// demand a missing feature. Through a real socket.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from '../../protocol/testing/tap.ts'
import { metadata } from '../../protocol/api/03_metadata.ts'
import { findCoordinator } from '../../protocol/api/10_find_coordinator.ts'
import { createTopics } from '../../protocol/api/19_create_topics.ts'
import { describeConfigs } from '../../protocol/api/32_describe_configs.ts'
import { incrementalAlterConfigs } from '../../protocol/api/44_incremental_alter_configs.ts'
import { describeCluster } from '../../protocol/api/60_describe_cluster.ts'
import { errorName } from '../../protocol/errors.ts'
import { topicDefaultNames } from '../../storage/config.ts'
import { Broker } from '../broker.ts'
import { brokerConfigs, readSettings } from '../config.ts'
import { kafkaConfigs } from '../kafka-configs.ts'
import { RawClient } from '../testing/raw-client.ts'
import { World } from '../testing/world.ts'

const ALL = ''
const BROKER = 4
const SET = 0
const DELETE = 1
/** Kafka's codes of sources. */
const fromThisBroker = 2
const fromAllBrokers = 3
const fromStart = 4
const fromDefault = 5

async function change(
  client: RawClient,
  broker: string,
  name: string,
  configOperation: number,
  value: string | null = null,
) {
  const resources = [
    {
      resourceType: BROKER,
      resourceName: broker,
      configs: [{ name, configOperation, value }],
    },
  ]
  const request = { resources, validateOnly: false }
  const [answer] = (await client.send(incrementalAlterConfigs, request)).responses
  return [errorName(answer!.errorCode), answer!.errorMessage] as const
}

async function describe(client: RawClient, broker: string, keys: readonly string[] | null) {
  const resources = [{ resourceType: BROKER, resourceName: broker, configurationKeys: keys }]
  const request = { resources, includeSynonyms: true, includeDocumentation: true }
  return (await client.send(describeConfigs, request)).results[0]!.configs
}

t.test('a property with an effect is not among those without', async (t) => {
  const acting = [...Object.keys(brokerConfigs), ...topicDefaultNames.map(([name]) => name)]
  t.same(
    acting.filter((name) => Object.hasOwn(kafkaConfigs, name)),
    [],
    'take the row out of kafka-configs.ts',
  )
  for (const [name, spec] of Object.entries(kafkaConfigs)) {
    t.ok(spec.default === '' || spec.parse(spec.default) !== undefined, `default of ${name}`)
    t.ok(spec.inert)
  }
})

t.test('a property of Apache Kafka without effect is taken at start, and said to be', async (t) => {
  const world = await World.open(t, {
    config: {
      'num.io.threads': 16,
      'process.roles': 'broker,controller',
      'zookeeper.connect': 'z',
    },
  })
  const notes = world.logged.filter(({ message }) => /no effect/.test(message))
  t.match(notes, [
    { message: /: num\.io\.threads, process\.roles, zookeeper\.connect$/, level: 'warn' },
  ])
  const client = await world.connect()
  const listed = (await describe(client, '1', null)).map(({ name }) => name)
  t.ok(listed.includes('num.io.threads'), 'it is listed, since it is set')
  t.notOk(listed.includes('num.network.threads'), 'one that nobody has set is not')
  t.match(await describe(client, '1', ['num.io.threads', 'num.network.threads']), [
    { name: 'num.io.threads', value: '16', configSource: fromStart, readOnly: false },
    {
      name: 'num.network.threads',
      value: '3',
      configSource: fromDefault,
      documentation: /^No effect\./,
    },
  ])
})

t.test('the properties that Apache Kafka ships start a broker', async (t) => {
  const dataDir = mkdtempSync(join(tmpdir(), 'millrace-shipped-'))
  t.teardown(() => rmSync(dataDir, { recursive: true, force: true }))
  const config = {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.bootstrap.servers': 'localhost:9093',
    listeners: 'PLAINTEXT://:0,CONTROLLER://:9093', // Kafka's has 9092, which may be taken here
    'inter.broker.listener.name': 'PLAINTEXT',
    'advertised.listeners': 'PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093',
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map':
      'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL',
    'num.network.threads': 3,
    'num.io.threads': 8,
    'socket.send.buffer.bytes': 102_400,
    'socket.receive.buffer.bytes': 102_400,
    'socket.request.max.bytes': 104_857_600,
    'log.dirs': dataDir,
    'num.partitions': 1,
    'num.recovery.threads.per.data.dir': 1,
    'offsets.topic.replication.factor': 1,
    'share.coordinator.state.topic.replication.factor': 1,
    'share.coordinator.state.topic.min.isr': 1,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'log.retention.hours': 168,
    'log.segment.bytes': 1_073_741_824,
    'log.retention.check.interval.ms': 300_000,
  }
  await using broker = await Broker.start({ config })
  t.equal(broker.dataDir, dataDir)
  const client = await RawClient.connect(broker.bootstrap)
  t.match(await client.send(metadata, { topics: [] }), {
    brokers: [{ nodeId: 1, host: 'localhost', port: 9092 }],
  })
  await client.close()
})

t.test('it is taken while the broker runs where Apache Kafka takes it, and kept', async (t) => {
  const world = await World.open(t)
  const client = await world.connect()
  const rate = 'leader.replication.throttled.rate'
  for (const [name, value] of [
    [rate, '1000'],
    ['background.threads', '12'],
  ] as const) {
    t.same(await change(client, '1', name, SET, value), [undefined, null])
    t.same(await change(client, ALL, name, SET, value), [undefined, null])
    t.ok(world.logged.some(({ message }) => message.endsWith(`no effect: ${name}`)))
  }
  t.match(await describe(client, ALL, null), [{ name: 'background.threads' }, { name: rate }])
  const [config] = await describe(client, '1', [rate])
  t.match(config!.synonyms, [
    { value: '1000', source: fromThisBroker },
    { value: '1000', source: fromAllBrokers },
    { value: '9223372036854775807', source: fromDefault },
  ])
  for (const value of ['-1', 'fast', '1.5'])
    t.equal((await change(client, '1', rate, SET, value))[0], 'INVALID_CONFIG')
  for (const name of ['process.roles', 'zookeeper.connect', 'ssl.keystore.location', 'broker.id'])
    t.match(await change(client, '1', name, SET, '1'), ['INVALID_REQUEST', /cannot update/])
})

t.test('unsetting an unset property is no error; an unknown name is one', async (t) => {
  const client = await (await World.open(t)).connect()
  for (const broker of ['1', ALL])
    for (const name of [
      'background.threads',
      'log.retention.ms',
      'node.id',
      'process.roles',
      'port',
    ])
      t.same(await change(client, broker, name, DELETE), [undefined, null], name)
  const unknown = await change(client, '1', 'backgroud.threads', SET, '1')
  t.match(unknown, ['INVALID_CONFIG', /did you mean background\.threads\?/])
  t.throws(
    () => readSettings([{ origin: 'test', properties: { 'num.io.thread': '1' } }]),
    /unknown property num\.io\.thread \(test\); did you mean num\.io\.threads\?/,
  )
  t.throws(
    () => readSettings([{ origin: 'test', properties: { 'num.io.threads': '0' } }]),
    /num\.io\.threads=0 \(test\): want 1 to 2147483647 \(int\)/,
  )
})

t.test('a property in larger units is told in its own', async (t) => {
  const client = await (await World.open(t, { config: { 'log.roll.hours': 2 } })).connect()
  t.same(await change(client, '1', 'log.retention.ms', SET, '5'), [undefined, null])
  const names = ['log.retention.hours', 'log.roll.hours', 'log.retention.ms', 'log.roll.ms']
  const configs = await describe(client, '1', names)
  t.same(Object.fromEntries(configs.map(({ name, value }) => [name, value])), {
    'log.retention.hours': '168',
    'log.retention.ms': '5',
    'log.roll.hours': '2',
    'log.roll.ms': '7200000',
  })
})

t.test('a password is neither described nor told in an error', async (t) => {
  const secret = 'swordfish'
  const world = await World.open(t, { config: { 'ssl.keystore.password': secret } })
  const client = await world.connect()
  const [config] = await describe(client, '1', ['ssl.keystore.password'])
  t.match(config, { value: null, isSensitive: true, synonyms: [{ value: null }, { value: null }] })
  t.notMatch(JSON.stringify(world.logged), secret)
  t.throws(
    () =>
      readSettings([{ origin: 'test', properties: { 'ssl.key.password': secret.repeat(10_000) } }]),
    /ssl\.key\.password=\.\.\. \(test\)/,
  )
})

t.test(
  'the listener of a controller is passed over; an unknown authorizer and bad names are refused',
  async (t) => {
    const start = (properties: Record<string, string>) =>
      readSettings([{ origin: 'test', properties }]).broker.port
    const own = { 'listener.security.protocol.map': 'CLIENTS:SASL_SSL,INSIDE:PLAINTEXT' }
    t.equal(start({ listeners: 'INSIDE://:9093,CONTROLLER://:9094', ...own }), 9092)
    t.equal(start({ 'authorizer.class.name': '' }), 9092)
    t.throws(() => start({ 'authorizer.class.name': 'kafka.security.authorizer.AclAuthorizer' }), {
      code: 'INVALID_CONFIG',
      message: /want empty, or org.apache.kafka.metadata.authorizer.StandardAuthorizer/,
    })
    t.throws(() => start({ 'super.users': 'User:ann;ben' }), {
      code: 'INVALID_CONFIG',
      message: /super.users=User:ann;ben \(test\): want TYPE:NAME, separated by semicolons/,
    })
  },
)

t.test(
  'a property under two names is one: broker.id is node.id, log.dirs is log.dir',
  async (t) => {
    const read = (properties: Record<string, string>, more: Record<string, string> = {}) =>
      readSettings([
        { origin: 'flag', properties },
        { origin: 'file', properties: more },
      ]).broker
    t.equal(read({ 'broker.id': '7' })['node.id'], 7)
    t.equal(read({ 'broker.id': '7', 'node.id': '7' })['node.id'], 7)
    t.equal(read({ 'log.dir': '/a' }, { 'log.dirs': '/b' })['log.dir'], '/a')
    t.throws(() => read({ 'log.dir': '/a', 'log.dirs': '/b' }), /log\.dir is set under two names/)
    t.throws(() => read({ 'log.dirs': '/a,/b' }), /want one directory/)
  },
)

t.test('node.id is what every answer says, for as long as the directory lives', async (t) => {
  const dataDir = mkdtempSync(join(tmpdir(), 'millrace-node-id-'))
  t.teardown(() => rmSync(dataDir, { recursive: true, force: true }))
  const life = async (config: Record<string, number>) => {
    await using broker = await Broker.start({ dataDir, config })
    const client = await RawClient.connect(broker.bootstrap)
    const topics = [{ name: 'led', numPartitions: 1, replicationFactor: 1 }]
    await client.send(createTopics, { topics, timeoutMs: 1000 })
    const told = await client.send(metadata, { topics: [{ name: 'led' }] })
    const ofGroup = await client.send(findCoordinator, { coordinatorKeys: ['g'] })
    const cluster = await client.send(describeCluster, { endpointType: 1 })
    t.match(told.brokers, [{ nodeId: 5 }])
    t.match(told.topics, [{ partitions: [{ leaderId: 5, replicaNodes: [5], isrNodes: [5] }] }])
    t.equal(told.controllerId, 5)
    t.match(ofGroup.coordinators, [{ nodeId: 5 }])
    t.match(cluster, { controllerId: 5, brokers: [{ brokerId: 5 }] })
    t.match(await describe(client, '5', ['node.id', 'broker.id']), [
      { name: 'broker.id', value: '5', configSource: fromStart, readOnly: true },
      { name: 'node.id', value: '5', configSource: fromStart, readOnly: true },
    ])
    t.match(await change(client, '5', 'node.id', SET, '6'), ['INVALID_REQUEST', /cannot update/])
    await client.close()
  }
  await life({ 'node.id': 5 })
  await life({})
  await life({ 'broker.id': 5 })
  await t.rejects(Broker.start({ dataDir, config: { 'node.id': 6 } }), {
    code: 'INVALID_CONFIG',
    message: /node\.id=6, and .*meta\.json says node 5/,
  })
})
