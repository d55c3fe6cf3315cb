// Consumer groups of other vendors' clients, alone and together: assignment, commits, rebalances.

import t from 'tap'
import { Broker } from '../../../broker/broker.ts'
import { Client } from '../../index.ts'
import { clientNames, Crew, sendNumbers, sorted } from './members.ts'
import { runPython } from './peers.ts'
import { requireTools } from './tools.ts'

requireTools()

const SESSION_MS = 6000

const broker = await Broker.start({ ephemeral: true })
const client = new Client({ brokers: broker.bootstrap })
t.teardown(async () => {
  await client.close()
  await broker.close()
})

for (const [name, assignor] of [
  ['kcat', 'range'],
  ['confluent', 'range'],
  ['confluent', 'roundrobin'],
  ['confluent', 'cooperative-sticky'],
  ['kafka-python', 'range'],
  ['kafka-python', 'roundrobin'],
] as const) {
  t.test(`${name}, ${assignor}: members come, share and leave; all is read once`, async (t) => {
    const topic = `${name}-${assignor}`
    await client.admin().createTopics([{ topic, partitions: 4 }])
    const argument = { topic, group: topic, assignor, session_ms: SESSION_MS }
    await using crew = new Crew(broker.bootstrap, argument)
    const values = await sendNumbers(client, topic, 4, 0, 100)
    const first = crew.join(name)
    await crew.until(() => first.deliveries.length === 100)
    t.same(sorted(first.values), sorted(values), 'one member reads everything')
    const second = crew.join(name)
    await crew.shares(4, [first, second])
    t.same([first.owned!.length, second.owned!.length], [2, 2])
    values.push(...(await sendNumbers(client, topic, 4, 100, 100)))
    await crew.until(() => crew.readCount >= 200)
    await first.stop()
    await crew.shares(4, [second])
    values.push(...(await sendNumbers(client, topic, 4, 200, 100)))
    await crew.until(() => crew.readCount >= 300)
    await second.stop()
    t.same(sorted(crew.values), sorted(values), 'nothing twice')
    const removed = first.ownerships.flatMap((each) =>
      each.removed?.length ? [each.removed] : [],
    )[0]
    const all = name === 'confluent' && assignor === 'cooperative-sticky' ? 2 : 4
    if (name !== 'kcat') t.equal(removed?.length, all, 'partitions that the callback gave up')
    const { total } = await client.admin().groups.lag(topic)
    t.equal(total, 0, 'all is committed')
    t.match(await client.admin().groups.describe([topic]), [{ state: 'Empty', members: [] }])
  })
}

const START_MS = Date.UTC(2024, 1, 29)

const places = (...offsets: number[]): number[][] => offsets.map((offset) => [0, offset])

/** Fills a topic of one partition with ten records, a second apart. */
async function tenRecords(topic: string): Promise<void> {
  await client.admin().createTopics([topic])
  await using producer = client.producer()
  await producer.send(
    topic,
    Array.from({ length: 10 }, (_, i) => ({ value: `${i}`, timestamp: START_MS + i * 1000 })),
  )
}

/** The output of one verb of a script, as one object per line. */
async function told(script: string, verb: string, argument: object): Promise<object[]> {
  return (await runPython(broker.bootstrap, script, verb, argument)) as object[]
}

t.test(
  'confluent: commits of both kinds, seek, pause, offsets by time, the group seen from outside',
  async (t) => {
    await tenRecords('confluent-controls')
    const argument = {
      topic: 'confluent-controls',
      group: 'confluent-controls',
      time: START_MS + 4001,
    }
    t.strictSame(await told('confluent_group.py', 'controls', argument), [
      { read: places(0, 1, 2) },
      { position: 3 },
      { sync: [3] },
      { asynchronous: ['None', 7] },
      { committed: 7 },
      { read: places(8, 9) },
      { paused: true },
      { read: places(0) },
      { offset_for_time: 5 },
      { watermarks: [0, 10] },
      { groups: [['confluent-controls', 'Stable', 'range', 1]] },
      { groups: [['confluent-controls', 'Empty']] },
    ])
  },
)

t.test('kafka-python: commits with metadata, seek, pause, and groups administered', async (t) => {
  await tenRecords('python-controls')
  const argument = { topic: 'python-controls', group: 'python-controls' }
  t.strictSame(await told('kafka_python_group.py', 'controls', argument), [
    { read: places(0, 1, 2) },
    { position: 3 },
    { committed: [2, 'after two ✓'] },
    { read: places(8, 9) },
    { paused: true },
    { read: places(0) },
    { ends: [0, 10] },
    { described: ['Stable', 'range', ['python-controls'], [['python-controls', [0]]]] },
  ])
  t.strictSame(await told('kafka_python_group.py', 'administer', { ...argument, topic: '' }), [
    { listed: [['python-controls', 'consumer']] },
    { offsets: [[0, 2, 'after two ✓']] },
    { deleted: [['python-controls', 'NoError']] },
    { listed: [] },
  ])
})

t.test(
  'a group of five clients shares ten partitions; who leaves is replaced, nothing is read twice',
  async (t) => {
    const argument = {
      topic: 'mixed',
      group: 'mixed',
      assignor: 'range',
      session_ms: SESSION_MS,
    } as const
    await client.admin().createTopics([{ topic: 'mixed', partitions: 10 }])
    await using crew = new Crew(broker.bootstrap, argument)
    const members = clientNames.map((name) => crew.join(name))
    await crew.shares(10, members)
    t.strictSame(
      members.map(({ owned }) => owned!.length),
      [2, 2, 2, 2, 2],
    )
    const values = await sendNumbers(client, 'mixed', 10, 0, 1000)
    await crew.until(() => crew.readCount >= 1000)
    t.strictSame(
      members.map(({ deliveries }) => deliveries.length),
      [200, 200, 200, 200, 200],
    )
    for (const [i, leaving] of members.entries()) {
      await leaving.stop()
      const staying = members.slice(i + 1)
      if (staying.length === 0) break
      await crew.shares(10, staying)
      values.push(...(await sendNumbers(client, 'mixed', 10, values.length, 100)))
      await crew.until(() => crew.readCount >= values.length)
    }
    t.strictSame(sorted(crew.values), sorted(values))
    t.equal((await client.admin().groups.lag('mixed')).total, 0)
  },
)
