// The test kit, against a broker.

import t from '../../protocol/testing/tap.ts'
import { Broker } from '../../broker/broker.ts'
import { Client, json, topic } from '../index.ts'
import { contents, receive } from './index.ts'

const numbers = topic('numbers', { value: json<{ n: number }>() })

t.test('a test waits for records, and reads all there are', async (t) => {
  await using broker = await Broker.start({ ephemeral: true })
  await using client = new Client({ brokers: broker.bootstrap })
  await using producer = client.producer()
  await producer.send(numbers, { value: { n: 0 } })

  const coming = receive(client, numbers, 3)
  await producer.send(numbers, [{ value: { n: 1 } }, { value: { n: 2 } }])
  t.same(
    (await coming).map(({ value }) => value.n),
    [0, 1, 2],
  )
  t.same(
    (await receive(client, numbers, 2, { from: 1 })).map(({ offset }) => offset),
    [1, 2],
  )
  t.same(
    (await contents(client, numbers)).map(({ value }) => value.n),
    [0, 1, 2],
  )
  const message = /^\d of 4 records of numbers within 50 ms$/
  await t.rejects(receive(client, numbers, 4, { timeoutMs: 50 }), { message })
})
