// Configurations described and changed while the broker runs, of topics and of the broker: through a real socket.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from '../../protocol/testing/tap.ts'
import { metadata } from '../../protocol/api/03_metadata.ts'
import { createTopics } from '../../protocol/api/19_create_topics.ts'
import { describeConfigs } from '../../protocol/api/32_describe_configs.ts'
import { alterConfigs } from '../../protocol/api/33_alter_configs.ts'
import { incrementalAlterConfigs } from '../../protocol/api/44_incremental_alter_configs.ts'
import { errorCode } from '../../protocol/errors.ts'
import { Broker } from '../broker.ts'
import { RawClient } from '../testing/raw-client.ts'
import { batchOf, fetchFrom, produceTo, World } from '../testing/world.ts'

const NODE = '1'
const ALL = ''
const TOPIC = 2
const BROKER = 4
const SET = 0
const DELETE = 1
const APPEND = 2
const SUBTRACT = 3
/** Kafka's codes of sources. */
const fromTopic = 1
const fromThisBroker = 2
const fromAllBrokers = 3
const fromStart = 4
const fromDefault = 5

const world = await World.open(t, {
  config: { 'log.retention.hours': 1, 'log.segment.bytes': 1_000_000 },
})
const client = await world.connect()

type Operation = readonly [name: string, operation: number, value?: string | null]

/** Changes one resource. @returns its error code and message */
async function alter(
  resourceType: number,
  resourceName: string,
  operations: readonly Operation[],
  { of = client, validateOnly = false } = {},
): Promise<{ readonly code: number; readonly message: string | null }> {
  const configs = operations.map(([name, configOperation, value = null]) => {
    return { name, configOperation, value }
  })
  const resources = [{ resourceType, resourceName, configs }]
  const answer = await of.send(incrementalAlterConfigs, { resources, validateOnly })
  const [{ errorCode: code, errorMessage: message }] = answer.responses as [
    (typeof answer.responses)[number],
  ]
  return { code, message }
}

async function describe(
  resourceType: number,
  resourceName: string,
  keys: readonly string[] | null,
  { of = client, version = 4 } = {},
) {
  const request = {
    resources: [{ resourceType, resourceName, configurationKeys: keys }],
    includeSynonyms: true,
    includeDocumentation: true,
  }
  const { results } = await of.send(describeConfigs, request, version)
  return results[0]!
}

/** Value and source of one configuration. */
async function shown(resourceType: number, resourceName: string, name: string, of = client) {
  const { configs } = await describe(resourceType, resourceName, [name], { of })
  return [configs[0]!.value, configs[0]!.configSource]
}

t.test('configs are described with source, type, synonyms and documentation', async (t) => {
  await world.topic('described', 1, { 'retention.ms': '1000' })
  const [retention] = (await describe(TOPIC, 'described', ['retention.ms'])).configs
  t.match(retention, {
    name: 'retention.ms',
    value: '1000',
    configSource: fromTopic,
    configType: 5,
    readOnly: false,
  })
  t.same(retention!.synonyms, [
    { name: 'retention.ms', value: '1000', source: fromTopic },
    { name: 'log.retention.hours', value: '1', source: fromStart },
    { name: 'log.retention.hours', value: '168', source: fromDefault },
  ])
  t.match(retention!.documentation, /[a-z ]{20}/)
  const all = await describe(TOPIC, 'described', null, { version: 1 })
  t.ok(all.configs.length > 20)
  t.ok(all.configs.every(({ value }) => value !== null))

  const names = ['num.partitions', 'log.segment.bytes', 'log.retention.ms', 'port']
  const broker = await describe(BROKER, NODE, names)
  t.match(broker.configs, [
    { name: 'log.retention.ms', value: '3600000', configSource: fromStart, readOnly: false },
    { name: 'log.segment.bytes', value: '1000000', configSource: fromStart, configType: 3 },
    { name: 'num.partitions', value: '1', configSource: fromDefault, configType: 3 },
    { name: 'port', readOnly: true },
  ])
  t.same((await describe(BROKER, ALL, null)).configs, [], 'nothing is set for all brokers')
  for (const [type, name] of [
    [TOPIC, 'described'],
    [BROKER, NODE],
  ] as const) {
    t.same(await describe(type, name, []), await describe(type, name, null), 'no keys are all keys')
  }
  t.same((await describe(TOPIC, 'described', ['nonsense'])).configs, [])
  const refusal = async (type: number, name: string) => (await describe(type, name, null)).errorCode
  t.equal(await refusal(TOPIC, 'nowhere'), errorCode('UNKNOWN_TOPIC_OR_PARTITION'))
  t.equal(await refusal(BROKER, '99'), errorCode('INVALID_REQUEST'))
  t.equal(await refusal(8, 'x'), errorCode('INVALID_REQUEST'))
})

t.test('configs of a topic are set and unset, one by one, for batches at once', async (t) => {
  await world.topic('altered')
  const send = async (bytes: number) =>
    (await produceTo(client, 'altered', 0, batchOf(['x'.repeat(bytes)]))).errorCode
  t.equal(await send(500), 0)
  const set: Operation[] = [
    ['max.message.bytes', SET, '300'],
    ['retention.ms', SET, '5'],
  ]
  t.same(await alter(TOPIC, 'altered', set), { code: 0, message: null })
  t.equal(await send(500), errorCode('MESSAGE_TOO_LARGE'))
  t.same(await shown(TOPIC, 'altered', 'max.message.bytes'), ['300', fromTopic])
  t.match(await alter(TOPIC, 'altered', [['max.message.bytes', DELETE]]), { code: 0 })
  t.equal(await send(500), 0)
  t.same(await shown(TOPIC, 'altered', 'max.message.bytes'), ['1048588', fromDefault])
  t.same(await shown(TOPIC, 'altered', 'retention.ms'), ['5', fromTopic], 'the other one stays')
})

t.test('a list is added to and taken from, beginning with what holds now', async (t) => {
  await world.topic('listed')
  const policy = async () => (await shown(TOPIC, 'listed', 'cleanup.policy'))[0]
  const change = async (operation: number, value: string) =>
    (await alter(TOPIC, 'listed', [['cleanup.policy', operation, value]])).code
  t.equal(await change(APPEND, 'compact'), 0)
  t.equal(await policy(), 'delete,compact')
  t.equal(await change(APPEND, 'compact, delete'), 0)
  t.equal(await policy(), 'delete,compact', 'each once')
  t.equal(await change(SUBTRACT, 'delete'), 0)
  t.equal(await policy(), 'compact')
  t.equal(await change(SUBTRACT, 'delete'), 0, 'it is not there')
  t.equal(await change(APPEND, 'shrink'), errorCode('INVALID_CONFIG'))
  t.equal(await change(APPEND, ''), errorCode('INVALID_CONFIG'))
  t.equal(await policy(), 'compact')
})

t.test('a cleanup policy may be empty, or say the same twice, as in Apache Kafka', async (t) => {
  await world.topic('kept', 1, { 'cleanup.policy': '' })
  const change = async (operation: number, value: string | null) => {
    const { code } = await alter(TOPIC, 'kept', [['cleanup.policy', operation, value]])
    t.equal(code, 0)
    return (await shown(TOPIC, 'kept', 'cleanup.policy'))[0]
  }
  t.same(await shown(TOPIC, 'kept', 'cleanup.policy'), ['', fromTopic])
  t.equal((await produceTo(client, 'kept', 0, batchOf(['no key']))).errorCode, 0)
  t.equal(await change(APPEND, 'compact'), 'compact')
  t.equal((await produceTo(client, 'kept', 0, batchOf(['no key']))).errorCode, 87)
  t.equal(await change(SUBTRACT, 'compact'), '')
  t.equal(await change(SET, 'delete,delete'), 'delete')
  t.equal(await change(SUBTRACT, 'delete'), 'delete', 'one of two is left')
  t.equal(await change(SUBTRACT, 'delete'), '')
  t.equal(await change(SET, ' delete , compact'), 'delete,compact')
  t.equal(await change(DELETE, null), 'delete')
  t.equal(await change(SUBTRACT, 'delete'), '', 'the default is taken away')
  t.same((await alter(BROKER, NODE, [['log.cleanup.policy', SET, '']])).code, 0)
  t.same(await shown(TOPIC, 'described', 'cleanup.policy'), ['', fromThisBroker])
  t.same((await alter(BROKER, NODE, [['log.cleanup.policy', DELETE]])).code, 0)
})

t.test("the source of a topic's configuration has Apache Kafka's name", async (t) => {
  await world.topic('chain')
  const chain = async (name: string) => {
    const [config] = (await describe(TOPIC, 'chain', [name])).configs
    return config!.synonyms.map((each) => [each.name, each.value, each.source])
  }
  const ofDefault = ['message.max.bytes', '1048588', fromDefault]
  t.same(await chain('max.message.bytes'), [ofDefault])
  await alter(BROKER, ALL, [['message.max.bytes', SET, '2000000']])
  await alter(BROKER, NODE, [['message.max.bytes', SET, '3000000']])
  await alter(TOPIC, 'chain', [['max.message.bytes', SET, '4000000']])
  t.same(await chain('max.message.bytes'), [
    ['max.message.bytes', '4000000', fromTopic],
    ['message.max.bytes', '3000000', fromThisBroker],
    ['message.max.bytes', '2000000', fromAllBrokers],
    ofDefault,
  ])
  t.same(await chain('segment.bytes'), [
    ['log.segment.bytes', '1000000', fromStart],
    ['log.segment.bytes', '1073741824', fromDefault],
  ])
  t.same(await chain('segment.ms'), [['log.roll.hours', '168', fromDefault]])
  t.same(await chain('leader.replication.throttled.replicas'), [], 'no broker property sets it')
  for (const broker of [NODE, ALL]) await alter(BROKER, broker, [['message.max.bytes', DELETE]])
})

t.test('a list never grows beyond what an answer can hold', async (t) => {
  await world.topic('endless')
  const name = 'leader.replication.throttled.replicas'
  const append = async (item: string) =>
    (await alter(TOPIC, 'endless', [[name, APPEND, item]])).code
  t.equal(await append('x'.repeat(32_767)), 0)
  t.equal(await append('y'), errorCode('INVALID_CONFIG'))
  t.same(await shown(TOPIC, 'endless', name), ['x'.repeat(32_767), fromTopic])
})

t.test('a change is refused for what is wrong with it, as a whole', async (t) => {
  await world.topic('refused')
  const invalidConfig = errorCode('INVALID_CONFIG')
  const invalidRequest = errorCode('INVALID_REQUEST')
  const cases: [number, string, Operation[], number, RegExp][] = [
    [TOPIC, 'refused', [['retention.mss', SET, '1']], invalidConfig, /did you mean retention.ms\?/],
    [TOPIC, 'refused', [['retention.mss', DELETE]], invalidConfig, /did you mean retention.ms\?/],
    [
      TOPIC,
      'refused',
      [['retention.ms', SET, 'soon']],
      invalidConfig,
      /retention.ms=soon: want -1/,
    ],
    [TOPIC, 'refused', [['retention.ms', SET]], invalidRequest, /retention.ms has no value/],
    [TOPIC, 'refused', [['retention.ms', APPEND, '1']], invalidConfig, /is no list/],
    [TOPIC, 'refused', [['cleanup.policy', 4, 'x']], invalidRequest, /operation 4/],
    [TOPIC, 'refused', [['__proto__', SET, 'x']], invalidConfig, /unknown/],
    [TOPIC, 'nowhere', [], errorCode('UNKNOWN_TOPIC_OR_PARTITION'), /no topic nowhere/],
    [TOPIC, '__millrace_metadata', [], errorCode('INVALID_TOPIC_EXCEPTION'), /broker's own/],
    [BROKER, '99', [], invalidRequest, /this is node 1, not 99/],
    [BROKER, NODE, [['port', SET, '1']], invalidRequest, /cannot update port dynamically/],
    [BROKER, ALL, [['log.retention.hours', SET, '1']], invalidRequest, /cannot update/],
    [
      BROKER,
      ALL,
      [['log.retention.msec', SET, '1']],
      invalidConfig,
      /did you mean log.retention.ms/,
    ],
    [BROKER, NODE, [['num.partitions', SET, '0']], invalidConfig, /num.partitions=0: want 1/],
    [32, 'group', [], invalidRequest, /resource type 32/],
  ]
  for (const [type, name, operations, code, message] of cases) {
    const given = [['min.insync.replicas', SET, '1'], ...operations] as Operation[]
    for (const validateOnly of [true, false]) {
      t.match(await alter(type, name, given, { validateOnly }), { code, message }, `${message}`)
    }
  }
  const long = await alter(TOPIC, 'refused', [['retention.ms', SET, '1'.repeat(32_767)]])
  t.equal(long.code, invalidConfig)
  t.ok(long.message!.length < 400)
  const twice: Operation[] = [
    ['retention.ms', SET, '1'],
    ['retention.ms', DELETE],
  ]
  t.match(await alter(TOPIC, 'refused', twice), { code: invalidRequest, message: /named twice/ })
  t.same(await shown(TOPIC, 'refused', 'min.insync.replicas'), ['1', fromDefault])
})

t.test('each resource has its own outcome; one that is named twice has none', async (t) => {
  await world.topic('one')
  await world.topic('two')
  const configs = [{ name: 'retention.ms', configOperation: SET, value: '7' }]
  const resources = ['one', 'nowhere', 'two', 'two'].map((resourceName) => {
    return { resourceType: TOPIC, resourceName, configs }
  })
  const { responses } = await client.send(incrementalAlterConfigs, {
    resources,
    validateOnly: false,
  })
  t.same(
    responses.map((each) => each.errorCode),
    [0, 3, 42, 42],
  )
  t.same(await shown(TOPIC, 'one', 'retention.ms'), ['7', fromTopic])
  t.same(await shown(TOPIC, 'two', 'retention.ms'), ['3600000', fromStart])
})

t.test('validateOnly changes nothing', async (t) => {
  await world.topic('looked-at')
  const operations: Operation[] = [['retention.ms', SET, '9']]
  t.match(await alter(TOPIC, 'looked-at', operations, { validateOnly: true }), { code: 0 })
  t.same(await shown(TOPIC, 'looked-at', 'retention.ms'), ['3600000', fromStart])
  const ofBroker: Operation[] = [['num.partitions', SET, '9']]
  t.match(await alter(BROKER, NODE, ofBroker, { validateOnly: true }), { code: 0 })
  t.same(await shown(BROKER, NODE, 'num.partitions'), ['1', fromDefault])
})

t.test('AlterConfigs replaces all that was set, in every version', async (t) => {
  await world.topic('replaced', 1, { 'retention.ms': '1', 'segment.ms': '2' })
  const replace = async (configs: readonly (readonly [string, string | null])[], version = 2) => {
    const named = configs.map(([name, value]) => ({ name, value }))
    const resources = [{ resourceType: TOPIC, resourceName: 'replaced', configs: named }]
    const request = { resources, validateOnly: false }
    const { responses } = await client.send(alterConfigs, request, version)
    return responses[0]!
  }
  for (const version of [0, 1, 2]) {
    t.match(await replace([['retention.ms', `${version}`]], version), { errorCode: 0 })
    t.same(await shown(TOPIC, 'replaced', 'retention.ms'), [`${version}`, fromTopic])
    t.same(await shown(TOPIC, 'replaced', 'segment.ms'), ['604800000', fromDefault])
  }
  t.match(await replace([['segment.mss', '1']]), { errorCode: errorCode('INVALID_CONFIG') })
  t.match(await replace([['segment.ms', null]]), { errorCode: errorCode('INVALID_REQUEST') })
  const twice = [
    ['segment.ms', '1'],
    ['segment.ms', '2'],
  ] as const
  t.match(await replace(twice), { errorCode: errorCode('INVALID_REQUEST') })
  t.same(await shown(TOPIC, 'replaced', 'retention.ms'), ['2', fromTopic])
  t.match(await replace([]), { errorCode: 0 })
  t.same(await shown(TOPIC, 'replaced', 'retention.ms'), ['3600000', fromStart])
})

t.test('changes of one topic that come at once are all there afterwards', async (t) => {
  await world.topic('crowded')
  const names = ['retention.ms', 'segment.ms', 'retention.bytes', 'index.interval.bytes']
  const clients = await Promise.all(names.map(() => world.connect()))
  const answers = await Promise.all(
    names.map((name, i) => alter(TOPIC, 'crowded', [[name, SET, '77']], { of: clients[i]! })),
  )
  t.same(
    answers.map(({ code }) => code),
    [0, 0, 0, 0],
  )
  const { configs } = await describe(TOPIC, 'crowded', names)
  t.same(
    configs.map(({ value }) => value),
    ['77', '77', '77', '77'],
  )
})

t.test(
  'a value for this broker is stronger than one for all, and that than one from the start',
  async (t) => {
    await world.topic('inherits')
    const name = 'log.segment.bytes'
    t.match(await alter(BROKER, ALL, [[name, SET, '2000']]), { code: 0 })
    t.same(await shown(BROKER, NODE, name), ['2000', fromAllBrokers])
    t.match(await alter(BROKER, NODE, [[name, SET, '3000']]), { code: 0 })
    const [ofTopic] = (await describe(TOPIC, 'inherits', ['segment.bytes'])).configs
    t.match(ofTopic, { value: '3000', configSource: fromThisBroker })
    t.same(ofTopic!.synonyms, [
      { name, value: '3000', source: fromThisBroker },
      { name, value: '2000', source: fromAllBrokers },
      { name, value: '1000000', source: fromStart },
      { name, value: '1073741824', source: fromDefault },
    ])
    t.match((await describe(BROKER, ALL, null)).configs, [{ name, value: '2000' }])
    const { topics } = await client.send(createTopics, {
      topics: [{ name: 'inherits-too', numPartitions: 1, replicationFactor: 1 }],
    })
    const created = topics[0]!.configs!.find((config) => config.name === 'segment.bytes')
    t.match(created, { value: '3000', configSource: fromThisBroker }, 'CreateTopics says the same')
    t.equal((await produceTo(client, 'inherits', 0, batchOf(['x'.repeat(4000)]))).errorCode, 18)
    t.match(await alter(BROKER, NODE, [[name, DELETE]]), { code: 0 })
    t.match(await alter(BROKER, ALL, [[name, DELETE]]), { code: 0 })
    t.same(await shown(TOPIC, 'inherits', 'segment.bytes'), ['1000000', fromStart])
    t.equal((await produceTo(client, 'inherits', 0, batchOf(['x'.repeat(4000)]))).errorCode, 0)
  },
)

t.test('limits and switches of the broker act as soon as they are set', async (t) => {
  const live = await World.open(t)
  const of = await live.connect()
  const set = (name: string, value: string) => alter(BROKER, ALL, [[name, SET, value]], { of })
  t.match(await set('auto.create.topics.enable', 'false'), { code: 0 })
  const asked = await of.send(metadata, { topics: [{ name: 'auto' }] })
  t.equal(asked.topics[0]!.errorCode, errorCode('UNKNOWN_TOPIC_OR_PARTITION'))

  t.match(await set('num.partitions', '3'), { code: 0 })
  const topic = { name: 'three', numPartitions: -1, replicationFactor: -1 }
  const { topics } = await of.send(createTopics, { topics: [topic] })
  t.equal(topics[0]!.numPartitions, 3)

  t.match(await set('fetch.max.bytes', '1024'), { code: 0 })
  for (let i = 0; i < 3; i++) await produceTo(of, 'three', 0, batchOf(['x'.repeat(600)]))
  const { records } = await fetchFrom(of, 'three', 0, 0)
  t.ok(records!.length < 1400, 'one batch of three')

  t.match(await set('max.connections', '1'), { code: 0 })
  const refused = await RawClient.connect(live.broker.bootstrap)
  await t.rejects(refused.send(metadata, { topics: [] }))
  t.match(await set('max.connections', '100'), { code: 0 })
  const welcome = await live.connect()
  t.same((await welcome.send(metadata, { topics: [] })).topics, [])

  t.notOk(live.logged.some(({ level }) => level === 'error'))
})

t.test(
  'dynamic values survive restarts, and are in effect from the first request on',
  async (t) => {
    const dataDir = mkdtempSync(join(tmpdir(), 'millrace-configs-'))
    t.teardown(() => rmSync(dataDir, { recursive: true, force: true }))
    const inLife = async (life: (of: RawClient) => Promise<void>) => {
      await using broker = await Broker.start({ dataDir, config: { 'log.retention.ms': 1000 } })
      const of = await RawClient.connect(broker.bootstrap)
      await life(of)
      await of.close()
    }
    await inLife(async (of) => {
      await of.send(createTopics, {
        topics: [{ name: 'kept', numPartitions: 1, replicationFactor: 1 }],
      })
      t.match(await alter(TOPIC, 'kept', [['retention.bytes', SET, '5000']], { of }), { code: 0 })
      const ofAll: Operation[] = [['message.max.bytes', SET, '400']]
      t.match(await alter(BROKER, ALL, ofAll, { of }), { code: 0 })
      t.match(await alter(BROKER, NODE, [['num.partitions', SET, '4']], { of }), { code: 0 })
      t.match(await alter(BROKER, NODE, [['log.retention.ms', SET, '2000']], { of }), { code: 0 })
    })
    await inLife(async (of) => {
      t.same(await shown(TOPIC, 'kept', 'retention.bytes', of), ['5000', fromTopic])
      t.same(await shown(TOPIC, 'kept', 'retention.ms', of), ['2000', fromThisBroker])
      t.same(await shown(BROKER, NODE, 'num.partitions', of), ['4', fromThisBroker])
      t.same(await shown(BROKER, NODE, 'message.max.bytes', of), ['400', fromAllBrokers])
      t.equal((await produceTo(of, 'kept', 0, batchOf(['x'.repeat(500)]))).errorCode, 10)
      t.match(await alter(BROKER, NODE, [['log.retention.ms', DELETE]], { of }), { code: 0 })
    })
    await inLife(async (of) => {
      t.same(await shown(TOPIC, 'kept', 'retention.ms', of), ['1000', fromStart])
    })
  },
)
