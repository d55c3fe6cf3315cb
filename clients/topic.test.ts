// Topics and serdes. Types are tested by compiling: this file compiles, and each line marked as an error does not.

import t from '../protocol/testing/tap.ts'
import {
  bytes,
  json,
  msgpack,
  orNull,
  string,
  topic,
  type Client,
  type ConsumerRecord,
  type Serde,
  type StandardSchema,
} from './index.ts'

type Order = { id: string; cents: number }
const orders = topic('orders', { key: string, value: json<Order>() })
const totals = topic('totals', { key: string, value: orNull(json<{ cents: number }>()) })
const own = topic('own', {
  value: {
    serialize: (value: Date) => Buffer.from(value.toISOString()),
    deserialize: (stored) => new Date(stored.toString()),
  },
})
declare const dated: StandardSchema<{ at: string }, { at: Date }>

type Equal<A, B> =
  (<X>() => X extends A ? 1 : 2) extends <X>() => X extends B ? 1 : 2 ? true : false
function same<A, B>(_: Equal<A, B>): void {}

/** Compiled, never called. */
export async function compiles(client: Client): Promise<void> {
  const admin = client.admin()
  await admin.createTopics([
    { topic: orders, partitions: 3 },
    { topic: totals, config: { 'cleanup.policy': 'compact' } },
  ])

  await using producer = client.producer({ compression: 'lz4', lingerMs: 5 })
  const ack = await producer.send(orders, {
    key: 'ann',
    value: { id: '1', cents: 250 },
    headers: { source: 'web' },
  })
  same<typeof ack.offset, number>(true)
  const acks = await producer.send(
    orders,
    Array.from({ length: 99 }, (_, i) => ({ key: 'bob', value: { id: `${i}`, cents: 10 } })),
  )
  same<(typeof acks)[number]['partition'], number>(true)
  await producer.send(totals, { key: 'ann', value: null })
  await producer.send('plain', { value: 'text' })
  await producer.send('plain', [{ key: Buffer.from('k'), value: null }])
  // @ts-expect-error: a value that was forgotten is no tombstone
  await producer.send('plain', {})
  // @ts-expect-error: the value is an Order
  await producer.send(orders, { key: 'ann', value: { id: 1, cents: 250 } })
  // @ts-expect-error: a key is required
  await producer.send(orders, { value: { id: '1', cents: 250 } })
  // @ts-expect-error: an order is never null
  await producer.send(orders, { key: 'ann', value: null })
  // @ts-expect-error: no such codec
  client.producer({ compression: 'brotli' })

  await using consumer = client.consumer({ topics: [orders], from: 'earliest', until: 'end' })
  for await (const record of consumer)
    same<typeof record, ConsumerRecord<'orders', string, Order>>(true)

  await using both = client.consumer({ topics: [orders, totals, 'plain'], from: new Date(0) })
  for await (const record of both) {
    if (record.topic === 'orders') same<typeof record.value, Order>(true)
    if (record.topic === 'totals') same<typeof record.value, { cents: number } | null>(true)
    if (record.topic === 'plain') same<typeof record.value, Buffer | null>(true)
    // @ts-expect-error: no such topic
    if (record.topic === 'other') return
  }
  for await (const batch of both.batches({ maxRecords: 500, maxWaitMs: 50 }))
    same<(typeof batch.records)[number]['offset'], number>(true)

  await producer.send(own, { key: 'text', value: new Date() })
  for await (const record of client.consumer({ topics: [own] })) {
    same<typeof record, ConsumerRecord<'own', Buffer | null, Date>>(true)
  }
  const transformed = topic('dated', { value: dated })
  await producer.send(transformed, { value: { at: '2024-01-01' } })
  for await (const { value } of client.consumer({ topics: [transformed] }))
    same<typeof value.at, Date>(true)
}

t.test('a topic without serdes reads bytes and takes text', async (t) => {
  const plain = topic('plain')
  t.same(plain.value.serialize('é'), Buffer.from('é'))
  t.same(plain.value.serialize(Buffer.from('x')), Buffer.from('x'))
  t.same(plain.key.deserialize(Buffer.from('x')), Buffer.from('x'))
  t.ok(plain.key.nullable && plain.value.nullable)
})

t.test('what a serde writes it reads', async (t) => {
  const values = [null, true, 1.5, 'é', [1, { a: [] }], { nested: { deep: null } }]
  for (const value of values) {
    for (const serde of [json(), msgpack()]) t.same(serde.deserialize(written(serde, value)), value)
  }
  t.equal(string.deserialize(written(string, 'naïve ☃')), 'naïve ☃')
  t.same(bytes.deserialize(written(bytes, Uint8Array.of(0, 255))), Buffer.from([0, 255]))
  t.equal(orNull(json()).nullable, true)
  t.same(orNull(json()).deserialize(written(orNull(json()), 7)), 7)
})

t.test('MessagePack is plain: other readers understand it', async (t) => {
  t.same(written(msgpack(), { a: 1 }), Buffer.from([0x81, 0xa1, 0x61, 0x01]))
})

t.test('what has no JSON form is refused', async (t) => {
  t.throws(() => json().serialize(undefined), { message: /undefined has no JSON form/ })
  t.throws(() => json().serialize(() => {}), { message: /function has no JSON form/ })
})

t.test('a schema validates what is written and transforms what is read', async (t) => {
  const at: StandardSchema<{ at: string }, { at: Date }> = {
    '~standard': {
      version: 1,
      vendor: 'test',
      validate(value) {
        const text = (value as { at?: unknown } | null)?.at
        if (typeof text === 'string') return { value: { at: new Date(text) } }
        return {
          issues: [{ message: 'not text', path: ['at', { key: 0 }] }, { message: 'and bad' }],
        }
      },
    },
  }
  for (const { value: serde } of [topic('t', { value: at }), topic('t', { value: msgpack(at) })]) {
    t.same(serde.deserialize(written(serde, { at: '2024-01-01' })), { at: new Date('2024-01-01') })
    t.throws(() => serde.serialize({ at: 1 } as never), { message: 'at.0: not text; and bad' })
  }
  t.throws(() => json(at).deserialize(Buffer.from('{}')), { message: /not text/ })
  const slow = {
    '~standard': { ...at['~standard'], validate: async () => ({ value: { at: new Date() } }) },
  }
  t.throws(() => json(slow).serialize({ at: '' }), { message: /asynchronous/ })
})

function written(serde: Serde<any>, value: unknown): Buffer {
  return Buffer.from(serde.serialize(value)!)
}
