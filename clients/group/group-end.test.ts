// Members of a group with an end: where it lies, and when the group has nothing more for them.

import t from '../../protocol/testing/tap.ts'
import { contents } from '../testing/index.ts'
import { GroupWorld, numbers, read, readAll, sorted, until } from '../testing/group-world.ts'

t.test('the end is that of the start: what comes later is left to the next run', async (t) => {
  await using w = await GroupWorld.open(3)
  await w.send(30)
  const consumer = w.consumer({ until: 'end' })
  await consumer.start()
  await w.send(30)
  t.same(sorted(await readAll(consumer)), numbers(30))
  t.same(sorted(await readAll(w.consumer({ until: 'end' }))), numbers(30, 30))
})

t.test('a time, an offset, and an end for each partition stop a member too', async (t) => {
  await using w = await GroupWorld.open(2)
  await w.send(40)
  const stops = ({ partition }: { partition: number }) => 3 + partition
  t.equal((await readAll(w.consumer({ until: stops }))).length, 7)
  await using soon = w.consumer({ until: new Date(Date.now() + 200) })
  t.equal((await readAll(soon)).length, 33, 'a time to come is waited for')
  t.same(await readAll(w.consumer({ until: new Date(0), group: 'other' })), [])
})

for (const assignor of ['cooperative-sticky', 'range'] as const) {
  t.test(`members that come while others read get their share first: ${assignor}`, async (t) => {
    await using w = await GroupWorld.open(2)
    await w.send(40)
    const options = { assignors: [assignor], until: 'end' } as const
    const second = w.consumer(options)
    let secondIsDone = false
    const first = read(w.consumer(options), async (_, signal) => {
      await second.start()
      await until(() => secondIsDone || signal.aborted)
    })
    await until(() => first.values.length > 0)
    const share = await readAll(second)
    secondIsDone = true
    await first.done
    await first.consumer.close()
    t.ok(share.length > 0, `${share.length} of 40`)
    t.same(sorted(first.values, share), numbers(40), 'all is read, nothing twice')
  })
}

t.test('who will be given nothing stops once all is handed out', async (t) => {
  await using w = await GroupWorld.open(1)
  await w.send(10)
  const working = read(w.consumer())
  await until(() => working.values.length === 10)
  t.same(await readAll(w.consumer({ until: 'end' })), [])
  t.equal(working.consumer.assignment().length, 1)
  await working.consumer.close()
  await working.done
})

t.test('a topic that is deleted meanwhile keeps nobody', async (t) => {
  await using w = await GroupWorld.open(1)
  await w.client.admin().createTopics(['short-lived'])
  const consumer = w.consumer({ topics: ['texts', 'short-lived'], until: 'end' })
  await consumer.start()
  await w.client.admin().deleteTopics(['short-lived'])
  t.same(await readAll(consumer), [])
})

t.test('an end in a hole that compaction has left is reached', async (t) => {
  await using w = await GroupWorld.open(1, { config: { 'log.cleaner.backoff.ms': 10 } })
  const set = { 'cleanup.policy': 'compact', 'min.cleanable.dirty.ratio': 0, 'segment.ms': 1 }
  await w.client.admin().configs.alter([{ resource: { topic: 'texts' }, set }])
  for (let i = 0; i < 6; i++) await w.send(10) // over the same ten keys
  const left = async () => (await contents(w.client, 'texts')).map(({ offset }) => offset)
  await until(async () => !(await left()).includes(5))
  t.same(await readAll(w.consumer({ until: 5 })), [])
  const [first = 0] = await left()
  const committed = await w.committed()
  t.ok(committed >= 5 && committed <= first, `${committed}, the next record is ${first}`)
})
