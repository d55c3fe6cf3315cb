// kafkajs, a foreign client, on a damaged log: it gets everything before the damage, and everything behind it once
// its user seeks past it, or once the topic has quarantine.policy=skip. As in docs/guide/damage.md.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import kafkajs, { type Consumer } from 'kafkajs'
import t, { type Test } from 'tap'
import { batchesOf } from '../../protocol/batch/record.ts'
import { Broker } from '../broker.ts'

t.setTimeout(110_000)

const { Kafka, ConfigResourceTypes, logLevel } = kafkajs
const TOPIC = 'rots'
const COUNT = 30
const ROTTEN = 11

/** A broker over a directory in which one batch of the topic has rotted, since an earlier broker wrote it. */
async function rottenBroker(t: Test) {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-rot-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  const config = { port: 0, 'log.dir': directory, 'http.port': -1, 'log.level': 'silent' }
  const first = await Broker.start({ config })
  const producer = clientOf(first).producer()
  await producer.connect()
  for (let i = 0; i < COUNT; i++)
    await producer.send({ topic: TOPIC, messages: [{ value: `${i}` }] })
  await producer.disconnect()
  await first.close()
  const path = join(directory, `${TOPIC}-0`, '00000000000000000000.log')
  const bytes = readFileSync(path)
  const { at, header } = [...batchesOf(bytes)][ROTTEN]!
  bytes[at + header.sizeBytes - 2]! ^= 4
  writeFileSync(path, bytes)
  const broker = await Broker.start({ config })
  t.teardown(() => broker.close())
  return broker
}

function clientOf({ bootstrap }: Broker) {
  return new Kafka({
    brokers: [bootstrap],
    logLevel: logLevel.NOTHING,
    retry: { retries: 3, initialRetryTime: 10, maxRetryTime: 50 },
  })
}

/** Consumes everything. @param whenStuck asked again and again while it is before the rot: it may be starting again */
async function consume(
  broker: Broker,
  whenStuck: (consumer: Consumer) => void,
): Promise<readonly number[]> {
  const consumer = clientOf(broker).consumer({ groupId: 'readers', maxWaitTimeInMs: 50 })
  const values: number[] = []
  await consumer.connect()
  await consumer.subscribe({ topic: TOPIC, fromBeginning: true })
  await consumer.run({ eachMessage: async ({ message }) => void values.push(+message.value!) })
  while (values.at(-1) !== COUNT - 1) {
    await setTimeout(300)
    if (values.at(-1) === ROTTEN - 1) whenStuck(consumer)
  }
  await consumer.disconnect()
  return values
}

const expected = Array.from({ length: COUNT }, (_, i) => i).filter((i) => i !== ROTTEN)

t.test('a consumer that seeks past the rot gets everything before and behind it', async (t) => {
  const broker = await rottenBroker(t)
  const values = await consume(broker, (consumer) => {
    try {
      consumer.seek({ topic: TOPIC, partition: 0, offset: `${ROTTEN + 1}` })
    } catch {
      // it is starting again
    }
  })
  t.strictSame(values, expected)
})

t.test('with quarantine.policy=skip a consumer passes by itself', async (t) => {
  const broker = await rottenBroker(t)
  const admin = clientOf(broker).admin()
  await admin.connect()
  let isSet = false
  const values = await consume(broker, () => {
    isSet = true
    void admin.alterConfigs({
      validateOnly: false,
      resources: [
        {
          type: ConfigResourceTypes.TOPIC,
          name: TOPIC,
          configEntries: [{ name: 'quarantine.policy', value: 'skip' }],
        },
      ],
    })
  })
  t.ok(isSet, 'not before somebody says so')
  t.strictSame(values, expected)
  await admin.disconnect()
})
