// Members of a group against an embedded broker: what is shared, what is committed, and what happens to slow, lost and
// leaving members. Pains of other clients that must not exist here are named as such.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { Broker } from '../broker/broker.ts'
import { RawClient } from '../broker/testing/raw-client.ts'
import { offsetFetch } from '../protocol/api/09_offset_fetch.ts'
import {
  Client,
  KafkaError,
  string,
  topic,
  type ConsumerRecord,
  type GroupConsumer,
  type GroupConsumerOptions,
  type Topic,
} from './index.ts'

type Texts = Topic<string, string, string>
type Texted = GroupConsumer<ConsumerRecord<string, string, string>>

const FAST = { heartbeatIntervalMs: 50, commitIntervalMs: 50 }

interface World extends AsyncDisposable {
  readonly broker: Broker
  readonly client: Client
  readonly texts: Texts
  /** Sends `count` records, each with a value of its own, over keys k0 to k9. */
  send(count: number): Promise<void>
  consumer(options?: Partial<GroupConsumerOptions>): Texted
  committed(): Promise<number>
}

async function world(partitions = 4): Promise<World> {
  const broker = await Broker.start({
    ephemeral: true,
    config: { 'group.min.session.timeout.ms': 100 },
  })
  const client = new Client({
    brokers: broker.bootstrap,
    retry: { backoffMs: 5, backoffMaxMs: 50 },
  })
  const texts = topic('texts', { key: string, value: string })
  await client.admin().createTopics([{ topic: texts, partitions }])
  let sent = 0
  const consumer = (options: Partial<GroupConsumerOptions> = {}): Texted =>
    client.consumer({
      topics: [texts],
      group: 'g',
      from: 'earliest',
      ...FAST,
      ...options,
    }) as Texted
  return {
    broker,
    client,
    texts,
    async send(count) {
      await using producer = client.producer()
      const records = Array.from({ length: count }, (_, i) => ({
        key: `k${i % 10}`,
        value: `${sent + i}`,
      }))
      sent += count
      await producer.send(texts, records)
    },
    consumer,
    /** The sum of the group's committed offsets. */
    async committed() {
      const raw = await RawClient.connect(broker.bootstrap)
      const { topics } = await raw.send(offsetFetch, { groupId: 'g', topics: null }, 5)
      raw.socket.destroy()
      const offsets = topics.flatMap((each) =>
        each.partitions.map(({ committedOffset }) => committedOffset),
      )
      return offsets.reduce((sum, offset) => sum + Math.max(0, offset), 0)
    },
    async [Symbol.asyncDispose]() {
      await client.close()
      await broker.close()
    },
  }
}

async function count(records: AsyncIterable<unknown>): Promise<number> {
  const seen: unknown[] = []
  for await (const record of records) seen.push(record)
  return seen.length
}

/** Resolves once `isSo`, asked again and again. */
async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await sleep(10)
}

/** Reads on in the background; what it has read grows in `values`. */
function reader(consumer: Texted, onRecord: (value: string) => unknown = () => {}) {
  const values: string[] = []
  const done = (async () => {
    for await (const { value } of consumer) {
      values.push(value)
      await onRecord(value)
    }
  })()
  return { consumer, values, done }
}

const all = (n: number): string[] => Array.from({ length: n }, (_, i) => `${i}`)
const sorted = (values: readonly string[]): string[] =>
  values.toSorted((a, b) => Number(a) - Number(b))

t.test('a group reads everything once, and goes on where it stopped', async (t) => {
  await using w = await world()
  await w.send(100)
  const first = reader(w.consumer({ until: 'end' }))
  await first.done
  await first.consumer.close()
  t.same(sorted(first.values), all(100))
  await w.send(10)
  const second = reader(w.consumer({ until: 'end' }))
  await second.done
  await second.consumer.close()
  t.same(sorted(second.values), all(110).slice(100))
})

for (const assignor of ['cooperative-sticky', 'range', 'roundrobin'] as const) {
  t.test(`members that come and go share the partitions: ${assignor}`, async (t) => {
    await using w = await world(6)
    await w.send(60)
    const options = { assignors: [assignor] }
    const members = [reader(w.consumer(options))]
    await until(() => members[0]!.values.length === 60)
    members.push(reader(w.consumer(options)), reader(w.consumer(options)))
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
    t.same(sorted(members.flatMap(({ values }) => values)), all(180), 'every record once')
    for (const { consumer } of members) await consumer.close()
  })
}

t.test('what the loop has not finished with is not committed', async (t) => {
  t.test('an error in the body: the record comes again', async (t) => {
    await using w = await world(1)
    await w.send(10)
    await using consumer = w.consumer()
    const failing = async () => {
      for await (const { value } of consumer) if (value === '4') throw new Error('broken')
    }
    await t.rejects(failing(), /broken/)
    await consumer.close()
    const again = reader(w.consumer({ until: 'end' }))
    await again.done
    await again.consumer.close()
    t.same(again.values, ['4', '5', '6', '7', '8', '9'])
  })

  t.test(
    'a crash between processing and commit: redelivered from the commit, exactly',
    async (t) => {
      await using w = await world(1)
      await w.send(10)
      const crashed = w.consumer({ commit: 'manual', sessionTimeoutMs: 300 })
      for await (const record of crashed) {
        if (record.value === '2') await crashed.commit(record)
        if (record.value === '6') break // 3 to 6 are done, but nobody was told
      }
      t.equal(await w.committed(), 3)
      await crashed.close()
      t.equal(await w.committed(), 3, 'closing a manual consumer commits nothing')
    },
  )
})

t.test('manual commits', async (t) => {
  t.test('a batch commits what it holds, durably', async (t) => {
    await using w = await world(3)
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
    await using w = await world(1)
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

  t.test('committing what another member owns by now is refused', async (t) => {
    await using w = await world(1)
    await w.send(1)
    await using consumer = w.consumer({ commit: 'manual' })
    for await (const record of consumer) {
      await t.rejects(consumer.commit({ ...record, partition: 7 }), { code: 'ILLEGAL_GENERATION' })
      break
    }
  })
})

t.test(
  'run works side by side, keeps the order of each key, and commits only what is done before',
  async (t) => {
    await using w = await world(2)
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
    const again = reader(w.consumer({ until: 'end' }))
    await again.done
    await again.consumer.close()
    t.ok(again.values.includes('205'), 'what failed comes again')
  },
)

t.test(
  'pain: a body that takes longer than the session is neither evicted nor given its record again',
  async (t) => {
    await using w = await world(1)
    await w.send(3)
    const slow = reader(w.consumer({ until: 'end', sessionTimeoutMs: 300 }), () => sleep(900))
    await slow.done
    t.same(slow.values, ['0', '1', '2'])
    await slow.consumer.close()
    t.equal(await w.committed(), 3)
  },
)

t.test('pain: closing takes milliseconds, also while a fetch waits', async (t) => {
  await using w = await world(1)
  const consumer = w.consumer({ fetchWaitMs: 20_000 })
  const idle = reader(consumer)
  await until(() => consumer.assignment().length === 1)
  await consumer.close()
  await idle.done
  t.same(idle.values, [], 'it ended long before the fetch would have')
})

t.test(
  'a partition that is taken away fires its signal; the body in hand may end first, and is committed',
  async (t) => {
    await using w = await world(1)
    await w.send(2)
    const first = w.consumer({ assignors: ['range'] })
    const second = w.consumer({ assignors: ['range'], until: 'end' })
    let wasTold = false
    const values: string[] = []
    const reading = (async () => {
      for await (const { value, signal } of first) {
        values.push(value)
        if (value === '0') {
          const other = second.start()
          await until(() => signal.aborted)
          wasTold = true
          await sleep(50) // what takes its time to end
          await other
        }
        if (value === '1') break
      }
    })()
    await until(() => wasTold)
    const rest = reader(second)
    await Promise.race([rest.done, reading])
    await first.close()
    await second.close()
    const seen = [...values, ...rest.values]
    t.equal(
      seen.filter((value) => value === '0').length,
      1,
      'the record that was in hand is not given twice',
    )
  },
)

t.test('the signal option ends after the body in hand, with its record committed', async (t) => {
  await using w = await world(1)
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
  await using w = await world(2)
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
  t.same(sorted(values), all(40))
  const [where] = consumer.assignment()
  consumer.seek(where!, 0)
  for await (const { offset, partition } of consumer) {
    t.same([partition, offset], [where!.partition, 0])
    break
  }
})

t.test('a static member comes back to its partitions without a rebalance', async (t) => {
  await using w = await world(4)
  const options = { instanceId: 'one', sessionTimeoutMs: 20_000 }
  const first = reader(w.consumer(options))
  const other = reader(w.consumer())
  await until(() => [first, other].every(({ consumer }) => consumer.assignment().length === 2))
  const before = first.consumer.assignment()
  await first.consumer.close()
  const back = reader(w.consumer(options))
  await until(() => back.consumer.assignment().length > 0)
  t.same(back.consumer.assignment(), before)
  t.equal(other.consumer.assignment().length, 2, 'the other one kept what it had')
  const usurper = w.consumer(options)
  const taking = reader(usurper)
  await t.rejects(back.done, { code: 'FENCED_INSTANCE_ID', fatal: true })
  for (const consumer of [usurper, back.consumer, other.consumer]) await consumer.close()
  await taking.done
})

t.test(
  'a reader that is stuck longer than maxPollIntervalMs leaves, when that is asked for',
  async (t) => {
    await using w = await world(1)
    await w.send(2)
    await using consumer = w.consumer({ maxPollIntervalMs: 100 })
    const stuck = async () => {
      for await (const record of consumer) await sleep(400, record)
    }
    await t.rejects(stuck(), /maxPollIntervalMs/)
    const next = reader(w.consumer({ until: 'end' }))
    await next.done
    t.same(next.values, ['0', '1'], 'its record goes to another')
    await next.consumer.close()
  },
)

t.test('what cannot work is said at once', async (t) => {
  await using w = await world(1)
  const first = async (consumer: Texted) => consumer[Symbol.asyncIterator]().next()
  t.throws(() => w.client.consumer({ topics: [], group: 'g' }), /at least one/)
  t.throws(() => w.consumer({ assignors: ['sticky' as never] }), /assignor sticky: known are/)
  await t.rejects(first(w.consumer({ topics: ['nothing'] })), {
    code: 'UNKNOWN_TOPIC_OR_PARTITION',
  })
  await t.rejects(first(w.consumer({ sessionTimeoutMs: 1 })), { code: 'INVALID_SESSION_TIMEOUT' })
  await t.rejects(first(w.consumer({ group: '' })), { code: 'INVALID_GROUP_ID' })
})

t.test('pain: many members that join at once come to rest in a few generations', async (t) => {
  await using w = await world(12)
  await w.send(120)
  const members = Array.from({ length: 12 }, () => reader(w.consumer()))
  await until(() => members.every(({ consumer }) => consumer.assignment().length === 1))
  const values = () => members.flatMap((each) => each.values)
  await until(() => new Set(values()).size === 120)
  const before = values().length
  await w.send(120)
  await until(() => new Set(values()).size === 240)
  t.equal(values().length - before, 120, 'once at rest, nothing is read twice')
  await Promise.all(members.map(({ consumer }) => consumer.close()))
})

t.test('new partitions are shared out', async (t) => {
  const broker = await Broker.start({ ephemeral: true })
  await using client = new Client({ brokers: broker.bootstrap, metadataAgeMaxMs: 100 })
  const texts = topic('grows', { value: string })
  await client.admin().createTopics([{ topic: texts, partitions: 1 }])
  const consumer = client.consumer({ topics: [texts], group: 'g', from: 'earliest', ...FAST })
  const reading = count(consumer)
  await until(() => consumer.assignment().length === 1)
  await client.admin().createPartitions([{ topic: texts, count: 3 }])
  await until(() => consumer.assignment().length === 3)
  await consumer.close()
  t.equal(await reading, 0)
  await client.close()
  await broker.close()
})

t.test('a restart of the broker neither skips nor repeats beyond the last commit', async (t) => {
  const dataDir = mkdtempSync(join(tmpdir(), 'millrace-group-test-'))
  t.teardown(() => rmSync(dataDir, { recursive: true, force: true }))
  let broker = await Broker.start({ dataDir })
  const port = Number(broker.bootstrap.split(':').at(-1))
  await using client = new Client({
    brokers: broker.bootstrap,
    retry: { backoffMs: 5, backoffMaxMs: 50 },
  })
  const texts = topic('texts', { value: string })
  await client.admin().createTopics([{ topic: texts, partitions: 3 }])
  const producer = client.producer()
  await producer.send(
    texts,
    all(50).map((value) => ({ value })),
  )
  const consumer = client.consumer({ topics: [texts], group: 'g', from: 'earliest', ...FAST })
  const values: string[] = []
  const reading = (async () => {
    for await (const { value } of consumer) values.push(value)
  })()
  await until(() => values.length === 50)
  await sleep(150) // two commit intervals: all of it is committed
  await broker.close()
  broker = await Broker.start({ dataDir, port })
  await producer.send(
    texts,
    all(100)
      .slice(50)
      .map((value) => ({ value })),
  )
  await until(() => values.length >= 100)
  t.same(sorted(values), all(100))
  t.equal(consumer.assignment().length, 3)
  await consumer.close()
  await reading
  await producer.close()
  await client.close()
  await broker.close()
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
