// What the types promise: this file compiles, and every line marked as an error does not.

import t from 'tap'
import {
  Client,
  json,
  orNull,
  string,
  topic,
  type ConsumerRecord,
  type StandardSchema,
} from './index.ts'

type Order = { id: string; cents: number }
const orders = topic('orders', { key: string, value: json<Order>() })
const totals = topic('totals', { key: string, value: orNull(json<{ cents: number }>()) })
declare const dated: StandardSchema<{ at: string }, { at: Date }>

type Equal<A, B> =
  (<X>() => X extends A ? 1 : 2) extends <X>() => X extends B ? 1 : 2 ? true : false
function same<A, B>(_: Equal<A, B>): void {}

/** Never called: only compiled. */
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
  await producer.send('plain', [{ key: Buffer.from('k'), value: null }, {}])
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

  const transformed = topic('dated', { value: dated })
  await producer.send(transformed, { value: { at: '2024-01-01' } })
  for await (const { value } of client.consumer({ topics: [transformed] }))
    same<typeof value.at, Date>(true)
}

t.test('a topic declared without serdes reads bytes', async (t) => {
  const plain = topic('plain')
  t.same(plain.value.deserialize(Buffer.from('x')), Buffer.from('x'))
  t.same(plain.value.serialize('x'), Buffer.from('x'))
})
