// A user's test, for Jest and vitest (`globals`): a broker of its own, records in, records out.

import { Client, string, topic } from 'millrace'
import { Broker } from 'millrace/broker'

test('what is sent is read', async () => {
  const broker = await Broker.start({ ephemeral: true, http: 0 })
  const client = new Client({ brokers: broker.bootstrap })
  const orders = topic('orders', { key: string, value: string })
  const producer = client.producer({ compression: 'gzip' })
  const records = Array.from({ length: 100 }, (_, i) => ({ key: `${i % 3}`, value: `order ${i}` }))
  await producer.send(orders, records)
  const values = []
  const member = client.consumer({
    topics: [orders],
    group: 'audit',
    from: 'earliest',
    until: 'end',
  })
  for await (const { value } of member) values.push(value)
  expect(values.sort()).toEqual(records.map(({ value }) => value).sort())
  const reader = client.consumer({ topics: [orders], from: new Date(0), until: new Date() })
  for await (const { value } of reader) expect(values).toContain(value)
  await expect(client.admin().describeTopics(['missing'])).rejects.toThrow()
  await client.close()
  await broker.close()
})
