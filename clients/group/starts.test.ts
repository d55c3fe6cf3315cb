// Where members of a group begin: in added partitions, and in recreated topics.

import t from '../../protocol/testing/tap.ts'
import { Client } from '../index.ts'
import { GroupWorld, numbers, read, readAll, texts, until } from '../testing/group-world.ts'

/** Adds a partition and writes into it. */
async function addPartition(w: GroupWorld, values: readonly string[]): Promise<void> {
  await using client = new Client({ brokers: w.broker.bootstrap }) // which has not heard of the topic before
  const [described] = await w.client.admin().describeTopics([texts])
  const partition = described!.partitions.length
  await client.admin().createPartitions([{ topic: texts, count: partition + 1 }])
  await using producer = client.producer()
  await producer.send(
    texts,
    values.map((value) => ({ key: 'k', value, partition })),
  )
}

t.test('a partition that is added is read from its start, also at latest', async (t) => {
  await using w = await GroupWorld.open(1)
  await w.send(3)
  const member = read(w.consumer({ from: 'latest' }))
  await until(() => member.consumer.assignment().length === 1)
  await addPartition(w, ['a', 'b'])
  await until(() => member.values.length === 2)
  t.same(member.values, ['a', 'b'])
  await member.consumer.close()
})

t.test('also when it was added while all members were away', async (t) => {
  await using w = await GroupWorld.open(1)
  await w.send(3)
  const from = new Date(Date.now() + 60_000) // nothing is that late
  t.same(await readAll(w.consumer({ from, until: 'end' })), [])
  await addPartition(w, ['a'])
  t.same(await readAll(w.consumer({ from, until: 'end' })), ['a'])
  await addPartition(w, ['b'])
  t.same(await readAll(w.consumer({ from: 'latest', until: 'end' })), ['b'])
})

t.test('members that begin together at latest read nothing that was there before', async (t) => {
  const MEMBERS = 6
  const config = { 'group.min.session.timeout.ms': 50, 'group.initial.rebalance.delay.ms': 100 }
  await using w = await GroupWorld.open(MEMBERS, { config })
  await w.send(60)
  const members = Array.from({ length: MEMBERS }, () => read(w.consumer({ from: 'latest' })))
  await until(() => members.every(({ consumer }) => consumer.assignment().length === 1))
  await w.send(60)
  const values = () => members.flatMap((each) => each.values)
  await until(() => values().length >= 60)
  t.same(
    values().filter((value) => Number(value) < 60),
    [],
  )
  await Promise.all(members.map(({ consumer }) => consumer.close()))
})

t.test('what comes while a member that began at latest is away is read', async (t) => {
  await using w = await GroupWorld.open(2)
  await w.send(4)
  const first = w.consumer({ from: 'latest', commit: 'manual' })
  await first.start()
  await until(() => first.assignment().length === 2)
  await first.close() // it has neither read nor committed anything itself
  await w.send(6)
  t.same((await readAll(w.consumer({ from: 'latest', until: 'end' }))).length, 6)
})

t.test(
  'a topic that is recreated is read from its start, and old offsets are not committed',
  async (t) => {
    await using w = await GroupWorld.open(1)
    const admin = w.client.admin()
    await w.send(10)
    await using manual = w.consumer({ from: 'latest', commit: 'manual' })
    const seen: string[] = []
    const committed: (number | undefined)[] = []
    await manual.start()
    await until(() => manual.assignment().length === 1)
    await w.send(3)
    for await (const record of manual) {
      seen.push(record.value)
      if (seen.length === 3) {
        await manual.commit(record)
        t.equal(await w.committed(), 13)
        await admin.deleteTopics([texts])
        await admin.createTopics([{ topic: texts, partitions: 1 }])
        await w.send(2)
        await until(() => record.signal.aborted)
        await t.rejects(manual.commit(record), { code: 'ILLEGAL_GENERATION' })
      }
      if (seen.length > 3) {
        await manual.commit(record)
        committed.push(await w.committed())
      }
      if (seen.length === 5) break
    }
    t.same(seen, numbers(5, 10))
    t.same(committed, [1, 2])
  },
)

t.test('what is done is committed for the topic that it was read from only', async (t) => {
  await using w = await GroupWorld.open(1)
  const admin = w.client.admin()
  await w.send(10)
  const member = read(w.consumer())
  await until(async () => (await w.committed()) === 10)
  await admin.deleteTopics([texts])
  await admin.createTopics([{ topic: texts, partitions: 1 }])
  await until(async () => (await admin.groups.offsets('g'))[0]?.offset === 0)
  await w.send(2)
  await until(async () => (await w.committed()) === 2)
  t.same(member.values.slice(-2), numbers(2, 10))
  await member.consumer.close()
})
