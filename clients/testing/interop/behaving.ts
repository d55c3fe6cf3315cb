// The client's behaviour that depends on the broker: gaps, recreated topics, added partitions and topics, removed
// members.

import type { Test } from 'tap'
import { string, topic, type Client, type ConsumerRecord, type GroupConsumer } from '../../index.ts'
import { contents } from '../index.ts'
import { until } from '../group-world.ts'

const FAST = { heartbeatIntervalMs: 100, commitIntervalMs: 100 }

/** Reads in the background until the consumer closes. */
function read(consumer: GroupConsumer<ConsumerRecord<string, any, string>>) {
  const values: string[] = []
  const done = consumer.run(({ value }) => void values.push(value))
  return { consumer, values, done }
}

/** A topic of texts that exists, and a way to write into it. */
async function textsIn(client: Client, name: string, partitions = 1) {
  await client.admin().createTopics([{ topic: name, partitions }])
  const texts = topic(name, { value: string })
  const send = async (values: readonly string[], partition = 0): Promise<void> => {
    await using producer = client.producer()
    await producer.send(
      texts,
      values.map((value) => ({ value, partition })),
    )
  }
  return { texts, send }
}

async function remake(client: Client, name: string): Promise<void> {
  const admin = client.admin()
  await admin.deleteTopics([name])
  for (;;) {
    try {
      return void (await admin.createTopics([name]))
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50)) // the broker is still deleting the topic
    }
  }
}

export async function behaving(t: Test, client: Client): Promise<void> {
  await addedPartitions(t, client)
  await recreatedTopics(t, client)
  await patterns(t, client)
  await holes(t, client)
  await removals(t, client)
}

async function addedPartitions(t: Test, client: Client): Promise<void> {
  await t.test(
    'partitions that are added to a group at latest are read from their start',
    async (t) => {
      const { texts, send } = await textsIn(client, 'added')
      await send(['before'])
      const options = { topics: [texts], group: 'added', from: 'latest', ...FAST } as const
      const member = read(client.consumer(options))
      await until(() => member.consumer.assignment().length === 1)
      const add = async (count: number, value: string): Promise<void> => {
        await client.admin().createPartitions([{ topic: texts, count }])
        await until(async () => {
          const [{ partitions }] = (await client.admin().describeTopics([texts])) as any
          return partitions.length === count && partitions.every((each: any) => each.leader >= 0)
        })
        await send([value], count - 1)
      }
      await add(2, 'live')
      await until(() => member.values.length === 1)
      await member.consumer.close()
      await add(3, 'away')
      const second = read(client.consumer(options))
      await until(() => second.values.length === 1)
      await second.consumer.close()
      t.same([...member.values, ...second.values], ['live', 'away'])
    },
  )
}

async function recreatedTopics(t: Test, client: Client): Promise<void> {
  await t.test(
    'a topic that is recreated is read from its start, alone and in a group',
    async (t) => {
      const { texts, send } = await textsIn(client, 'anew')
      await send(['old 0', 'old 1', 'old 2'])
      const controller = new AbortController()
      const { signal } = controller
      const alone: string[] = []
      const reading = (async () => {
        for await (const { value } of client.consumer({
          topics: [texts],
          from: 'earliest',
          signal,
        }))
          alone.push(value)
      })()
      const member = read(
        client.consumer({ topics: [texts], group: 'anew', from: 'earliest', ...FAST }),
      )
      const committed = async () => (await client.admin().groups.offsets('anew'))[0]?.offset
      await until(async () => alone.length === 3 && (await committed()) === 3)
      await remake(client, 'anew')
      await until(async () => (await committed()) === 0)
      await send(['new 0', 'new 1', 'new 2', 'new 3'])
      await until(async () => alone.length === 7 && (await committed()) === 4)
      t.same(alone.slice(3), ['new 0', 'new 1', 'new 2', 'new 3'])
      t.same(member.values, alone)
      controller.abort()
      await Promise.all([reading, member.consumer.close()])
    },
  )
}

async function patterns(t: Test, client: Client): Promise<void> {
  await t.test('topics of a pattern come and go', async (t) => {
    const first = await textsIn(client, 'pattern.a')
    await first.send(['before'])
    const topics = [topic(/^pattern\./, { value: string })]
    const member = read(client.consumer({ topics, group: 'pattern', from: 'latest', ...FAST }))
    await until(() => member.consumer.assignment().length === 1)
    const second = await textsIn(client, 'pattern.b')
    await second.send(['b'])
    await until(() => member.values.length === 1)
    await client.admin().deleteTopics(['pattern.a'])
    await until(() => member.consumer.assignment().length === 1)
    await second.send(['c'])
    await until(() => member.values.length === 2)
    t.same(member.values, ['b', 'c'])
    await member.consumer.close()
    const every = client.consumer({ topics: [/./], from: 'earliest' })
    await every.start()
    t.notOk(
      every.positions().some((each) => each.topic.startsWith('__')),
      'none is internal',
    )
    await every.close()
  })
}

async function holes(t: Test, client: Client): Promise<void> {
  await t.test('an end in a hole that compaction has left is reached', async (t) => {
    const admin = client.admin()
    await admin.configs.alter([
      { resource: { broker: 'all' }, set: { 'log.cleaner.backoff.ms': 100 } },
    ])
    const set = { 'cleanup.policy': 'compact', 'segment.ms': 1, 'min.cleanable.dirty.ratio': 0.01 }
    const config = { ...set, 'delete.retention.ms': 0 }
    await admin.createTopics([{ topic: 'holes', config }])
    await until(() =>
      admin.describeTopics(['holes']).then(
        () => true,
        () => false,
      ),
    )
    await using producer = client.producer()
    const write = async (value: string | null): Promise<void> => {
      for (let i = 0; i < 10; i++) await producer.send('holes', { key: `k${i}`, value })
    }
    await write('a')
    await write(null)
    await producer.send('holes', { key: 'last', value: 'b' })
    await producer.send('holes', { key: 'last', value: 'c' })
    const left = async () => (await contents(client, 'holes')).map(({ offset }) => offset)
    await until(async () => !(await left()).some((offset) => offset < 10))
    for (const end of [5, 15, 'end'] as const) {
      const records = []
      const options = { topics: ['holes'], from: 'earliest', until: end } as const
      for await (const record of client.consumer(options)) records.push(record)
      for await (const record of client.consumer({ ...options, group: `holes ${end}`, ...FAST }))
        records.push(record)
      t.ok(records.every(({ offset }) => offset < (end === 'end' ? 22 : end)))
    }
  })
}

async function removals(t: Test, client: Client): Promise<void> {
  await t.test('members are removed from their group', async (t) => {
    const { texts } = await textsIn(client, 'removed')
    const options = { topics: [texts], group: 'removed', ...FAST } as const
    const { groups } = client.admin()
    const away = read(client.consumer({ ...options, instanceId: 'one' }))
    await until(() => away.consumer.assignment().length === 1)
    await away.consumer.close()
    const failing = groups.removeMembers('removed', [{ instanceId: 'none' }, { instanceId: 'one' }])
    await t.rejects(failing, { code: 'UNKNOWN_MEMBER_ID', results: [{}, { instanceId: 'one' }] })
    const [described] = await groups.describe(['removed'])
    t.same(described!.members, [])
    const living = read(client.consumer(options))
    await until(() => living.consumer.assignment().length === 1)
    const idOf = async () => (await groups.describe(['removed']))[0]!.members[0]?.memberId
    const before = await idOf()
    await groups.removeMembers('removed')
    await until(async () => ![before, undefined].includes(await idOf()))
    await living.consumer.close()
  })
}
