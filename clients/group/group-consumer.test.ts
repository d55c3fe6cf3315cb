// Members of a group against an embedded broker: assignment, commits, and slow, lost and leaving members.

import { setTimeout as sleep } from 'node:timers/promises'
import { thinned } from '../../protocol/testing/budget.ts'
import t from '../../protocol/testing/tap.ts'
import { Client, KafkaError, type Position } from '../index.ts'
import {
  GroupWorld,
  numbers,
  read,
  readAll,
  sorted,
  texts,
  until,
  type Texted,
} from '../testing/group-world.ts'

t.test('a group reads everything once, and goes on where it stopped', async (t) => {
  await using w = await GroupWorld.open(4)
  await w.send(100)
  t.same(sorted(await readAll(w.consumer({ until: 'end' }))), numbers(100))
  await w.send(10)
  t.same(sorted(await readAll(w.consumer({ until: 'end' }))), numbers(10, 100))
})

for (const assignor of thinned(['cooperative-sticky', 'range', 'roundrobin'] as const, 3)) {
  t.test(`members that come and go share the partitions: ${assignor}`, async (t) => {
    await using w = await GroupWorld.open(6)
    await w.send(60)
    const options = { assignors: [assignor] }
    const members = [read(w.consumer(options))]
    await until(() => members[0]!.values.length === 60)
    members.push(read(w.consumer(options)), read(w.consumer(options)))
    const isShared = () => members.every(({ consumer }) => consumer.assignment().length === 2)
    await until(isShared)
    const shares = members.flatMap(({ consumer }) =>
      consumer.assignment().map((each) => each.partition),
    )
    t.same(new Set(shares), new Set([0, 1, 2, 3, 4, 5]), 'each partition has one reader')
    await w.send(60)
    await until(() => members.flatMap(({ values }) => values).length >= 120)
    await members[0]!.consumer.close()
    await until(() => members.slice(1).every(({ consumer }) => consumer.assignment().length === 3))
    await w.send(60)
    await until(() => members.flatMap(({ values }) => values).length >= 180)
    t.same(sorted(members.flatMap(({ values }) => values)), numbers(180), 'every record once')
    for (const { consumer } of members) await consumer.close()
  })
}

t.test('a record whose body failed is not committed: it comes again', async (t) => {
  await using w = await GroupWorld.open(1)
  await w.send(10)
  const failing = read(w.consumer(), (value) => {
    if (value === '4') throw new Error('broken')
  })
  await t.rejects(failing.done, /broken/)
  await failing.consumer.close()
  t.equal(await w.committed(), 4)
  t.same(await readAll(w.consumer({ until: 'end' })), numbers(6, 4))
})

t.test('manual commits', async (t) => {
  t.test('a batch commits what it holds, durably', async (t) => {
    await using w = await GroupWorld.open(3)
    await w.send(30)
    await using consumer = w.consumer({ commit: 'manual', until: 'end' })
    let seen = 0
    for await (const batch of consumer.batches({ maxRecords: 7, maxWaitMs: 20 })) {
      t.ok(batch.records.length <= 7)
      t.equal(batch.signal.aborted, false)
      seen += batch.records.length
      await batch.commit()
    }
    t.equal(seen, 30)
    await consumer.close()
    t.equal(await w.committed(), 30)
  })

  t.test('what was committed by hand stays so when the loop is left in the middle', async (t) => {
    await using w = await GroupWorld.open(1)
    await w.send(5)
    const consumer = w.consumer()
    for await (const record of consumer) {
      if (record.value !== '2') continue
      await consumer.commit(record)
      break
    }
    await consumer.close()
    t.equal(await w.committed(), 3)
  })

  t.test('a commit by hand is never undone by one of what was done before', async (t) => {
    await using w = await GroupWorld.open(1)
    await w.send(300)
    const consumer = w.consumer({ commitIntervalMs: 0 })
    const undone: number[] = []
    for await (const record of consumer) {
      if (record.offset % 3 !== 2) continue // left to the consumer, which may be about to commit it
      await consumer.commit(record)
      if ((await w.committed()) !== record.offset + 1) undone.push(record.offset)
      if (record.offset === 299) break
    }
    await consumer.close()
    t.same(undone, [])
    t.equal(await w.committed(), 300)
  })

  t.test('committing what another member owns by now is refused', async (t) => {
    await using w = await GroupWorld.open(2)
    await w.send(20)
    const slow = w.consumer({ commit: 'manual', sessionTimeoutMs: 200 })
    const second = w.consumer({ commit: 'manual' })
    for await (const batch of slow.batches({ maxRecords: 20, maxWaitMs: 10_000 })) {
      t.equal(batch.records.length, 20, 'of both partitions')
      await second.start()
      await until(() => second.assignment().length === 1) // it was waited for, but not for ever
      t.ok(batch.signal.aborted)
      await t.rejects(batch.commit(), { code: 'ILLEGAL_GENERATION' })
      break
    }
    await Promise.all([slow.close(), second.close()])
    t.equal(await w.committed(), 0)
  })
})

t.test(
  'run works side by side, keeps the order of each key, and commits only what is done before',
  async (t) => {
    await using w = await GroupWorld.open(2)
    await w.send(200)
    await using consumer = w.consumer({ until: 'end' })
    let running = 0
    let runningMost = 0
    const byKey = new Map<string, number[]>()
    await consumer.run(
      async ({ key, value }) => {
        runningMost = Math.max(runningMost, ++running)
        await sleep(Number(value) % 3)
        byKey.set(key, [...(byKey.get(key) ?? []), Number(value)])
        running--
      },
      { concurrency: 8 },
    )
    t.ok(runningMost > 1 && runningMost <= 8, 'several at a time, never more than asked for')
    for (const [key, values] of byKey)
      t.same(
        values,
        values.toSorted((a, b) => a - b),
        `order of ${key}`,
      )
    t.equal([...byKey.values()].flat().length, 200)
    await consumer.close()
    t.equal(await w.committed(), 200)

    await w.send(20)
    await using failing = w.consumer()
    const failed = failing.run(
      async ({ value }) => {
        if (value === '205') throw new Error('205 is broken')
      },
      { concurrency: 1 },
    )
    await t.rejects(failed, /205 is broken/)
    await failing.close()
    t.ok((await readAll(w.consumer({ until: 'end' }))).includes('205'), 'what failed comes again')
  },
)

t.test('closing waits for the handlers of run, and commits what they have done', async (t) => {
  await using w = await GroupWorld.open(1)
  await w.send(4)
  const consumer = w.consumer()
  let finish = (): void => {}
  const finished = new Promise<void>((resolve) => (finish = resolve))
  let startedCount = 0
  const running = consumer.run(
    async () => {
      startedCount++
      await finished
    },
    { concurrency: 4 },
  )
  await until(() => startedCount === 4)
  const closing = consumer.close()
  finish()
  await Promise.all([running, closing])
  t.equal(await w.committed(), 4)
})

t.test(
  'a partition that is taken away fires its signal; the body in hand may end first, and is committed',
  async (t) => {
    await using w = await GroupWorld.open(1)
    await w.send(2)
    const stop = new AbortController()
    const first = w.consumer({ assignors: ['range'], signal: stop.signal })
    const second = w.consumer({ assignors: ['range'], until: 'end' })
    const reading = read(first, async (_, signal) => {
      void second.start()
      await until(() => signal.aborted)
      stop.abort() // what takes its time to end
    })
    await reading.done
    await first.close()
    t.same([reading.values, await readAll(second)], [['0'], ['1']])
  },
)

t.test('a slow body holds fetching back: memory is bounded', async (t) => {
  const RECORDS = 500
  await using w = await GroupWorld.open(1, { http: 0 })
  await using producer = w.client.producer({ batchBytes: 4000 })
  await producer.send(
    texts,
    numbers(RECORDS).map((value) => ({ key: 'k', value: value.padStart(1000) })),
  )
  const bounds = { prefetchBytes: 20_000, partitionBytesMax: 8000 }
  let proceed = (): void => {}
  const proceeding = new Promise<void>((resolve) => (proceed = resolve))
  const slow = read(w.consumer({ until: 'end', ...bounds }), () => proceeding)
  await until(() => slow.values.length === 1)
  await sleep(100) // it would have fetched all of it long ago
  const given = await w.recordsOut()
  t.ok(given < 50, `${given} of ${RECORDS} records are fetched`)
  proceed()
  await slow.done
  t.equal(slow.values.length, RECORDS)
  await slow.consumer.close()
})

t.test('the signal option ends after the body in hand, with its record committed', async (t) => {
  await using w = await GroupWorld.open(1)
  await w.send(5)
  const stop = new AbortController()
  const consumer = w.consumer({ signal: stop.signal })
  for await (const { value } of consumer) {
    if (value === '2') stop.abort()
  }
  await consumer.close()
  t.equal(await w.committed(), 3)
})

t.test('pause, resume and seek', async (t) => {
  await using w = await GroupWorld.open(2)
  await w.send(40)
  await using consumer = w.consumer()
  const values: string[] = []
  for await (const { value, partition } of consumer) {
    values.push(value)
    if (values.length === 1) consumer.pause([{ topic: 'texts', partition: 1 - partition }])
    if (
      values.length > 1 &&
      consumer.positions().some(({ offset, highWatermark }) => offset === highWatermark)
    )
      break
  }
  const half = values.length
  t.ok(half < 40, `${half} of 40 while one of two partitions pauses`)
  consumer.resume()
  for await (const { value } of consumer) {
    values.push(value)
    if (values.length === 40) break
  }
  t.same(sorted(values), numbers(40))
  const [where] = consumer.assignment()
  consumer.seek(where!, 0)
  for await (const { offset, partition } of consumer) {
    t.same([partition, offset], [where!.partition, 0])
    break
  }
})

t.test('a static member comes back to its partitions without a rebalance', async (t) => {
  await using w = await GroupWorld.open(4)
  const options = { instanceId: 'one', sessionTimeoutMs: 20_000 }
  const first = read(w.consumer(options))
  const other = read(w.consumer())
  await until(() => [first, other].every(({ consumer }) => consumer.assignment().length === 2))
  const before = first.consumer.assignment()
  await first.consumer.close()
  const back = read(w.consumer(options))
  await until(() => back.consumer.assignment().length > 0)
  t.same(back.consumer.assignment(), before)
  t.equal(other.consumer.assignment().length, 2, 'the other one kept what it had')
  const usurper = w.consumer(options)
  const taking = read(usurper)
  await t.rejects(back.done, { code: 'FENCED_INSTANCE_ID', fatal: true })
  for (const consumer of [usurper, back.consumer, other.consumer]) await consumer.close()
  await taking.done
})

t.test(
  'onAssignment hears all that is assigned, with its place, after each rebalance',
  async (t) => {
    await using w = await GroupWorld.open(4)
    await w.send(40)
    await readAll(w.consumer({ until: 'end' }))
    const heard: (readonly Position[])[] = []
    const onAssignment = (assigned: readonly Position[]) => void heard.push(assigned)
    const first = read(w.consumer({ onAssignment }))
    await until(() => heard.length === 1)
    const places = [...heard[0]!].sort((a, b) => a.partition - b.partition)
    t.match(
      places,
      [0, 1, 2, 3].map((partition) => ({ topic: 'texts', partition })),
    )
    const offsets = places.map(({ offset }) => offset)
    t.equal(
      offsets.reduce((sum, offset) => sum + offset),
      40,
      'where the group has stopped',
    )
    const second = read(w.consumer())
    await until(() => second.consumer.assignment().length === 2)
    t.same(
      heard.at(-1)!.map(({ partition }) => partition),
      first.consumer.assignment().map(({ partition }) => partition),
      'what it has kept, not only what is new',
    )
    await second.consumer.close()
    await until(() => heard.at(-1)!.length === 4)
    await first.consumer.close()
    await Promise.all([first.done, second.done])
  },
)

t.test(
  'a reader that is stuck longer than maxPollIntervalMs leaves, when that is asked for',
  async (t) => {
    await using w = await GroupWorld.open(1)
    await w.send(2)
    const stuck = read(w.consumer({ maxPollIntervalMs: 100 }), (_, signal) =>
      until(() => signal.aborted),
    )
    await t.rejects(stuck.done, /maxPollIntervalMs/)
    t.same(await readAll(w.consumer({ until: 'end' })), ['0', '1'], 'its record goes to another')
    await stuck.consumer.close()
  },
)

t.test('what cannot work is said at once', async (t) => {
  await using w = await GroupWorld.open(1)
  const first = async (consumer: Texted) => consumer[Symbol.asyncIterator]().next()
  t.throws(() => w.client.consumer({ topics: [], group: 'g' }), /topics is empty/)
  t.throws(
    () => w.consumer({ assignors: ['sticky' as never] }),
    /assignors\[0\] is "sticky", expected/,
  )
  await t.rejects(first(w.consumer({ topics: ['nothing'] })), {
    code: 'UNKNOWN_TOPIC_OR_PARTITION',
  })
  t.throws(() => w.consumer({ group: '' }), /group is "", expected text that is not empty/)
  await t.rejects(first(w.consumer({ sessionTimeoutMs: 1 })), {
    code: 'INVALID_SESSION_TIMEOUT',
    message: /sessionTimeoutMs is 1, the broker allows .* to .*: \d+ to \d+$/,
  })
})

t.test('new partitions are shared out, and read from their start', async (t) => {
  await using w = await GroupWorld.open(1)
  const { consumer, values, done } = read(w.consumer())
  await until(() => consumer.assignment().length === 1)
  await w.client.admin().createPartitions([{ topic: texts, count: 3 }])
  await until(() => consumer.assignment().length === 3)
  await w.send(30)
  await until(() => values.length === 30)
  t.same(sorted(values), numbers(30))
  await consumer.close()
  await done
})

t.test('a failure to reach the group is an error of this client with its cause', async (t) => {
  const client = new Client({ brokers: '127.0.0.1:1', bootstrapTimeoutMs: 50, timeoutMs: 200 })
  const consumer = client.consumer({ topics: ['t'], group: 'g' })
  const error = await consumer.start().then(
    () => undefined,
    (reason: unknown) => reason,
  )
  t.ok(error instanceof KafkaError)
  await consumer.close()
  await client.close()
})
