// kafkajs, a foreign client, logs in by each mechanism, and is told why not.

import kafkajs, { type SASLOptions } from 'kafkajs'
import t from '../../protocol/testing/tap.ts'
import { addUser, SASL, saslProperties } from '../testing/sasl.ts'
import { World } from '../testing/world.ts'

const { Kafka, logLevel } = kafkajs
const world = await World.open(t, {
  config: { ...saslProperties, 'connections.max.reauth.ms': 60_000 },
})
await addUser(world.local, 'ann=b', 'p,w')

function kafkaOf(sasl: SASLOptions) {
  const brokers = [world.broker.listeners[SASL]!]
  return new Kafka({ brokers, sasl, logLevel: logLevel.NOTHING, retry: { retries: 0 } })
}

for (const mechanism of ['plain', 'scram-sha-256', 'scram-sha-512'] as const) {
  t.test(`kafkajs writes and reads by ${mechanism}`, async (t) => {
    const kafka = kafkaOf({ mechanism, username: 'ann=b', password: 'p,w' })
    const producer = kafka.producer()
    await producer.connect()
    await producer.send({ topic: mechanism, messages: [{ value: 'written' }] })
    await producer.disconnect()
    const consumer = kafka.consumer({ groupId: mechanism })
    await consumer.connect()
    await consumer.subscribe({ topic: mechanism, fromBeginning: true })
    const value = await new Promise<string>((resolve, reject) => {
      const eachMessage = async ({ message }: { message: { value: Buffer | null } }) =>
        resolve(String(message.value))
      consumer.run({ eachMessage }).catch(reject)
    })
    await consumer.disconnect()
    t.equal(value, 'written')
  })

  t.test(`kafkajs is told that the password of ${mechanism} is wrong`, async (t) => {
    const admin = kafkaOf({ mechanism, username: 'ann=b', password: 'x' }).admin()
    await t.rejects(admin.connect(), {
      name: 'KafkaJSSASLAuthenticationError',
      message: /Invalid username or password|due to invalid credentials/,
    })
    await admin.disconnect()
  })
}
