// The public types, for the oldest compiler that is promised, with every declaration checked.

import { Client, json, KafkaError, string, topic, type ConsumerRecord } from 'millrace'
import { Broker, type BrokerOptions } from 'millrace/broker'
import * as protocol from 'millrace/protocol'
import { contents, receive } from 'millrace/testing'

const orders = topic('orders', { key: string, value: json<{ cents: number }>() })
const options: BrokerOptions = { ephemeral: true }

export async function main(): Promise<number> {
  await using broker = await Broker.start(options)
  await using client = new Client({ brokers: broker.bootstrap })
  await using producer = client.producer({ lingerMs: 1 })
  await producer.send(orders, { key: 'ann', value: { cents: 1 } })
  const [first] = await receive(client, orders, 1)
  const all: ConsumerRecord[] = await contents(client, 'orders')
  const order = { price: 1 }
  // @ts-expect-error: an order has no price, and needs cents
  await producer.send(orders, { key: 'ann', value: order }).catch(codeOf)
  return first!.value.cents + all.length + Object.keys(protocol).length
}

function codeOf(error: KafkaError): string {
  return error.code
}
