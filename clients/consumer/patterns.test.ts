// Topics by a pattern: existing, created and deleted ones.

import t from '../../protocol/testing/tap.ts'
import { setTimeout as sleep } from 'node:timers/promises'
import { json, string, topic } from '../index.ts'
import { GroupWorld, read as readGroup, readAll, until } from '../testing/group-world.ts'
import { read, world, write } from '../testing/reader-world.ts'

const all = topic(/^orders\./, { value: string })

t.test('a pattern reads all topics that match, but no internal one', async (t) => {
  await using w = await world()
  for (const name of ['orders.a', 'orders.b', 'other'])
    write(w.broker.createTopic(name)[0]!, [`of ${name}`])
  write(w.broker.createTopic('orders.internal')[0]!, ['hidden'])
  w.broker.internal.add('orders.internal')
  const options = { from: 'earliest', until: 'end' } as const
  const values = async (topics: any) =>
    (await read(w.client.consumer({ topics, ...options }))).map(String).sort()
  t.same(await values([all]), ['of orders.a', 'of orders.b'])
  t.same(await values([/ORDERS\.A/gi, 'other']), ['of orders.a', 'of other'], 'whatever its flags')
  t.same(await values([/nothing/]), [])
  t.same(await values(['orders.internal']), ['hidden'], 'unless it is named')
})

t.test('a topic that is named as well keeps its own serdes', async (t) => {
  await using w = await world()
  write(w.broker.createTopic('orders.n')[0]!, ['1'])
  write(w.broker.createTopic('orders.s')[0]!, ['1'])
  const topics = [all, topic('orders.n', { value: json<number>() })] as const
  const seen = new Map<string, string | number>()
  for await (const record of w.client.consumer({ topics, from: 'earliest', until: 'end' }))
    seen.set(record.topic, record.value)
  t.same(Object.fromEntries(seen), { 'orders.n': 1, 'orders.s': '1' })
})

t.test(
  'topics that come are read from their start, those that go leave without an error',
  async (t) => {
    await using w = await world({ metadataAgeMaxMs: 10 })
    const consumer = w.client.consumer({ topics: [all], fetchWaitMs: 5 })
    await consumer.start() // while there is none at all
    const first = read(consumer, 1)
    write(w.broker.createTopic('orders.a')[0]!, ['a'])
    t.same(await first, ['a'])
    const second = read(consumer, 1)
    w.broker.topics.delete('orders.a')
    while (consumer.positions().length > 0) await sleep(1)
    write(w.broker.createTopic('orders.b')[0]!, ['b'])
    t.same(await second, ['b'])
    const third = read(consumer, 1)
    write(w.broker.createTopic('orders.a')[0]!, ['anew'])
    t.same(await third, ['anew'])
  },
)

t.test('a topic that was out of sight for a while is read on where it stood', async (t) => {
  await using w = await world({ metadataAgeMaxMs: 10 })
  const log = w.broker.createTopic('orders.a')[0]!
  write(log, ['0', '1'])
  const consumer = w.client.consumer({ topics: [all], from: 'earliest', fetchWaitMs: 5 })
  t.same(await read(consumer, 2), ['0', '1'])
  const next = read(consumer, 1)
  const { topics } = w.broker
  const logs = topics.get('orders.a')!
  topics.delete('orders.a')
  while (consumer.positions().length > 0) await sleep(1)
  write(log, ['2'])
  topics.set('orders.a', logs)
  t.same(await next, ['2'])
})

t.test(
  'a group reads topics that come from their start, and goes on without those that go',
  async (t) => {
    await using w = await GroupWorld.open(1)
    const admin = w.client.admin()
    const send = async (name: string, value: string): Promise<void> => {
      await using producer = w.client.producer()
      await producer.send(name, { key: 'k', value })
    }
    await admin.createTopics([{ topic: 'texts.a', partitions: 2 }])
    await send('texts.a', 'before')
    const topics = [topic(/^texts\./, { key: string, value: string })]
    const members = [1, 2].map(() => readGroup(w.consumer({ topics, from: 'latest' })))
    const assigned = () => members.map(({ consumer }) => consumer.assignment().length)
    const values = () => members.flatMap((each) => each.values)
    await until(() => assigned().every((count) => count === 1))
    await admin.createTopics([{ topic: 'texts.b', partitions: 2 }])
    await send('texts.b', 'b')
    await until(() => values().length === 1)
    t.same(values(), ['b'])
    await until(() => assigned().every((count) => count === 2))
    await admin.deleteTopics(['texts.a'])
    await until(() => assigned().every((count) => count === 1))
    await send('texts.b', 'c')
    await until(() => values().length === 2)
    t.same(values(), ['b', 'c'], 'nobody has heard an error')
    await Promise.all(members.map(({ consumer }) => consumer.close()))
    t.same(await readAll(w.consumer({ topics: [/^nothing/], until: 'end' })), [])
  },
)
