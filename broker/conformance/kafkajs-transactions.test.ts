// Transactions with kafkajs, a foreign client of the older protocol (TV1): producing, read-process-write, fencing.

import kafkajs, { type Consumer, type EachMessagePayload, type Producer } from 'kafkajs'
import t from '../../protocol/testing/tap.ts'
import { World } from '../testing/world.ts'

const { Kafka, logLevel } = kafkajs
const world = await World.open(t, { config: { 'num.partitions': 2 }, writer: 'thread' })
const kafka = new Kafka({
  brokers: [world.broker.bootstrap],
  clientId: 'conformance',
  logLevel: logLevel.NOTHING,
  retry: { retries: 3, initialRetryTime: 20 },
})
const admin = kafka.admin()
await admin.connect()
t.teardown(() => admin.disconnect())

async function topic(name: string, numPartitions = 1): Promise<string> {
  await admin.createTopics({ topics: [{ topic: name, numPartitions }], waitForLeaders: true })
  return name
}

async function producer(transactionalId: string): Promise<Producer> {
  const made = kafka.producer({ transactionalId, idempotent: true, maxInFlightRequests: 1 })
  await made.connect()
  t.teardown(() => made.disconnect())
  return made
}

/** Reads a topic from its start. @returns the values, once there are `count` and a moment has passed without more */
async function read(name: string, count: number, readUncommitted = false): Promise<string[]> {
  const consumer: Consumer = kafka.consumer({
    groupId: `readers-${Math.random()}`,
    readUncommitted,
    maxWaitTimeInMs: 50,
  })
  const values: string[] = []
  await consumer.connect()
  await consumer.subscribe({ topic: name, fromBeginning: true })
  await new Promise<void>((resolve) => {
    const eachMessage = async ({ message }: EachMessagePayload) => {
      values.push(message.value!.toString())
      if (values.length === count) resolve()
    }
    void consumer.run({ eachMessage })
    if (count === 0) consumer.on(consumer.events.FETCH, () => resolve())
  })
  await consumer.disconnect()
  return values.sort()
}

t.test('what is committed is read, what is aborted is not', async (t) => {
  const name = await topic('kept', 2)
  const p = await producer('kept')
  const kept = await p.transaction()
  await kept.send({ topic: name, messages: [{ value: 'a', partition: 0 }] })
  await kept.send({ topic: name, messages: [{ value: 'b', partition: 1 }] })
  await kept.commit()
  const dropped = await p.transaction()
  await dropped.send({ topic: name, messages: ['c', 'd'].map((value) => ({ value })) })
  await dropped.abort()
  const again = await p.transaction()
  await again.send({ topic: name, messages: [{ value: 'e', partition: 0 }] })
  await again.send({ topic: name, messages: [{ value: 'e', partition: 1 }] })
  await again.commit()
  t.same(await read(name, 4), ['a', 'b', 'e', 'e'])
  t.same(await read(name, 6, true), ['a', 'b', 'c', 'd', 'e', 'e'])
})

t.test('many transactions in a row, and aborted ones between them', async (t) => {
  const name = await topic('row')
  const p = await producer('row')
  const wanted: string[] = []
  for (let i = 0; i < 20; i++) {
    const transaction = await p.transaction()
    await transaction.send({ topic: name, messages: [{ value: `${i}` }] })
    if (i % 3 === 0) await transaction.abort()
    else {
      await transaction.commit()
      wanted.push(`${i}`)
    }
  }
  t.same(await read(name, wanted.length), wanted.sort())
})

t.test('read, process, write: offsets count with what was written', async (t) => {
  const [source, target] = [await topic('source'), await topic('target')]
  const plain = kafka.producer()
  await plain.connect()
  await plain.send({ topic: source, messages: [1, 2, 3].map((n) => ({ value: `${n}` })) })
  await plain.disconnect()
  const p = await producer('doubler')
  const consumer = kafka.consumer({ groupId: 'doublers', maxWaitTimeInMs: 50 })
  await consumer.connect()
  await consumer.subscribe({ topic: source, fromBeginning: true })
  const committed = async () => {
    const [offsets] = await admin.fetchOffsets({ groupId: 'doublers', topics: [source] })
    return offsets!.partitions[0]!.offset
  }
  let attempts = 0
  await new Promise<void>((resolve) => {
    const eachMessage = async ({ topic: from, partition, message }: EachMessagePayload) => {
      const transaction = await p.transaction()
      await transaction.send({
        topic: target,
        messages: [{ value: `${Number(message.value) * 2}` }],
      })
      const offset = `${Number(message.offset) + 1}`
      const topics = [{ topic: from, partitions: [{ partition, offset }] }]
      await transaction.sendOffsets({ consumerGroupId: 'doublers', topics })
      const before = await committed()
      if (++attempts === 2) {
        await transaction.abort()
        t.equal(await committed(), before, 'an aborted one commits nothing')
        throw new Error('try this one again')
      }
      await transaction.commit()
      t.equal(await committed(), offset)
      if (offset === '3') resolve()
    }
    void consumer.run({ autoCommit: false, eachMessage })
  })
  await consumer.disconnect()
  t.equal(attempts, 4)
  t.same(await read(target, 3), ['2', '4', '6'])
})

t.test('a newer producer fences the older one', async (t) => {
  const name = await topic('fenced')
  const older = await producer('fenced')
  const open = await older.transaction()
  await open.send({ topic: name, messages: [{ value: 'older' }] })
  const newer = await producer('fenced')
  const transaction = await newer.transaction()
  await transaction.send({ topic: name, messages: [{ value: 'newer' }] })
  await transaction.commit()
  await t.rejects(open.commit())
  t.same(await read(name, 1), ['newer'])
})
