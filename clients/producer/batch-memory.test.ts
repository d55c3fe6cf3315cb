// BatchMemory: batches are built in used memory, and their bytes do not show it.

import t from '../../protocol/testing/tap.ts'
import { produce } from '../../protocol/api/00_produce.ts'
import { Client, PartialError, string, topic } from '../index.ts'
import { FakeBroker } from '../testing/fake-broker.ts'
import { BatchMemory } from './batch-memory.ts'

const KIB = 1024

t.test(
  'memory that was given back is used again, up to a limit, and none that is small',
  async (t) => {
    const memory = new BatchMemory()
    const first = memory.take(64 * KIB)
    memory.giveBack(first)
    t.equal(memory.take(20 * KIB), first, 'it may be larger than needed')
    t.not(memory.take(64 * KIB), first, 'only once')
    memory.giveBack(first)
    t.ok(memory.take(65 * KIB).length >= 65 * KIB, 'it may not be smaller')
    const small = Buffer.alloc(KIB)
    memory.giveBack(small)
    t.not(memory.take(KIB), small)
    const many: Buffer[] = Array.from({ length: 100 }, () => Buffer.alloc(64 * KIB))
    for (const each of many) memory.giveBack(each)
    const again = many.map(() => memory.take(64 * KIB)).filter((each) => many.includes(each))
    t.ok(again.length > 16 && again.length <= 32, `${again.length} of 100 are kept`)
  },
)

t.test(
  'no record changes while batches share memory, are refused, lost and sent again',
  async (t) => {
    const broker = await FakeBroker.start()
    const client = new Client({
      brokers: broker.bootstrap,
      retry: { backoffMs: 1, backoffMaxMs: 2 },
    })
    broker.createTopic('t')
    const producer = client.producer({ batchBytes: 20 * KIB, lingerMs: 0 })
    const values = Array.from({ length: 600 }, (_, i) =>
      `${i} `.padEnd(1500, i % 3 === 0 ? 'ü' : 'u'),
    )
    for (let from = 0; from < values.length; from += 100) {
      broker.next(produce, (request, version) => {
        if (from % 200 === 0) broker.produce(request, version)
        return 'hangUp'
      })
      await producer.send(
        't',
        values.slice(from, from + 100).map((value) => ({ value })),
      )
    }
    t.same(broker.values('t'), values)
    await client.close()
    await broker.stop()
  },
)

t.test(
  'lines reach all partitions, in order, whatever their length, and while batches are refused and sent again',
  async (t) => {
    const broker = await FakeBroker.start()
    const client = new Client({
      brokers: broker.bootstrap,
      retry: { backoffMs: 1, backoffMaxMs: 2 },
    })
    broker.createTopic('t')
    const producer = client.producer({
      batchBytes: 20 * KIB,
      maxBufferedBytes: 50 * KIB,
      lingerMs: 1,
    })
    const values = Array.from({ length: 900 }, (_, i) => `${i} `.padEnd(i % 100 === 0 ? 40_000 : i))
    for (let from = 0; from < values.length; from += 300) {
      broker.next(produce, (request, version) => {
        if (from !== 300) broker.produce(request, version)
        return 'hangUp'
      })
      const bytes = Buffer.from(values.slice(from, from + 300).join('\n'))
      let end = -1
      const ends = values.slice(from, from + 300).map(({ length }) => (end += 1 + length))
      const send = producer.beginLines('t', { bytes, start: 0, ends })
      t.same(await send.settled, [], 'without acks')
    }
    t.same(broker.values('t'), values)
    await client.close()
    await broker.stop()
  },
)

t.test('text and its bytes become the same batch, through a serde or without one', async (t) => {
  const broker = await FakeBroker.start()
  const client = new Client({ brokers: broker.bootstrap })
  broker.createTopic('t')
  const texts = [
    '',
    'ascii',
    'ünï\ud83d\ude00',
    'lone \ud800',
    'x'.repeat(63),
    'ü'.repeat(63),
    'ü'.repeat(9000),
  ]
  const producer = client.producer({ lingerMs: 0 })
  for (const value of [texts, texts.map((each) => Buffer.from(each))])
    await producer.send(
      't',
      value.map((each) => ({ value: each, timestamp: 0 })),
    )
  const typed = topic('t', { value: string })
  await producer.send(
    typed,
    texts.map((value) => ({ value, timestamp: 0 })),
  )
  const [first, ...others] = broker.topics.get('t')![0]!.batches.map((bytes) => bytes.subarray(61))
  t.equal(others.length, 2)
  for (const each of others) t.same(each, first)
  await client.close()
  await broker.stop()
})

t.test('a serde may send while its record is being read', async (t) => {
  const broker = await FakeBroker.start()
  const client = new Client({ brokers: broker.bootstrap })
  broker.createTopic('t')
  const producer = client.producer({ lingerMs: 1 })
  const sent: Promise<unknown>[] = []
  const nested = topic('t', {
    value: {
      serialize: (value: string) => {
        sent.push(producer.send('t', { value: `inside ${value}`, headers: { a: 'b' } }))
        return Buffer.from(value)
      },
      deserialize: String,
    },
  })
  await producer.send('t', { value: 'first' })
  await producer.send(
    nested,
    ['1', '2'].map((value) => ({ value })),
  )
  await Promise.all(sent)
  t.same(broker.values('t').toSorted(), ['1', '2', 'first', 'inside 1', 'inside 2'])
  await client.close()
  await broker.stop()
})

t.test('a send that wants no acks hears of its end and of what failed', async (t) => {
  const broker = await FakeBroker.start()
  const client = new Client({ brokers: broker.bootstrap })
  broker.createTopic('t')
  const producer = client.producer()
  const good = producer.begin('t', [{ value: 'a' }, { value: 'b' }], false)
  const mixed = producer.begin(
    't',
    [{ value: 'c' }, {} as { value: string }, { value: 'd' }],
    false,
  )
  t.same(await good.settled, [])
  const error = await mixed.settled.then(
    () => undefined,
    (cause: unknown) => cause,
  )
  t.ok(error instanceof PartialError)
  t.match((error as Error).message, /1 of 3 failed/)
  t.same(broker.values('t'), ['a', 'b', 'c', 'd'])
  await client.close()
  await broker.stop()
})
