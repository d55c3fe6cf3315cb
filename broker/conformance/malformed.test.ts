// Batches that are wrong in one place, produced by thousands of attempts: the broker refuses each as a whole and
// names the wrong record, and a foreign client then reads exactly the acknowledged records.

import kafkajs from 'kafkajs'
import t from '../../protocol/testing/tap.ts'
import { codecIds, type Codec } from '../../protocol/compression/index.ts'
import { errorCode } from '../../protocol/errors.ts'
import {
  batchAround,
  batchOfPacked,
  rightRecords,
  wrongContents,
  wrongRecords,
} from '../../protocol/testing/malformed.ts'
import { batchOf, produceTo, World } from '../testing/world.ts'

const { Kafka, logLevel } = kafkajs
const codecs = Object.keys(codecIds) as Codec[]
const RECORDS_OF_A_BATCH = 3
/** Those that kafkajs can read; every flaw with every codec: storage/record-rules.test.ts. */
const readableCodecs = ['none', 'gzip'] as const
const batches = Array.from(wrongRecords(), (wrong, i) => {
  const codec = readableCodecs[i % 2]!
  return { what: `${codec}: ${wrong.what}`, batch: batchAround(wrong, codec) }
})
const contents = codecs.flatMap((codec) =>
  Array.from(wrongContents(codec), ({ what, packed }) => {
    return { what: `${codec}: ${what}`, batch: batchOfPacked(packed, codec) }
  }),
)

t.test('a foreign client reads a partition to its end after every malformed batch', async (t) => {
  const world = await World.open(t, { writer: 'thread' })
  const { client } = await world.topic('malformed')
  let acknowledged = 0
  for (const [i, { what, batch }] of [...batches, ...contents].entries()) {
    const answer = await produceTo(client, 'malformed', 0, batch)
    if (answer.errorCode === 0) {
      acknowledged++
      continue
    }
    if (answer.errorCode !== errorCode('INVALID_RECORD')) t.fail(what, answer)
    if (i % 50 > 0) continue
    const good = batchAround(rightRecords, readableCodecs[(i / 50) % 2]!)
    t.match(await produceTo(client, 'malformed', 0, good), { errorCode: 0 })
    acknowledged++
  }
  t.ok(acknowledged < 200, `${acknowledged} batches of ${batches.length} are in`)
  const kafka = new Kafka({ brokers: [world.broker.bootstrap], logLevel: logLevel.NOTHING })
  const consumer = kafka.consumer({ groupId: 'readers' })
  await consumer.connect()
  await consumer.subscribe({ topic: 'malformed', fromBeginning: true })
  const offsets: string[] = []
  const wanted = acknowledged * RECORDS_OF_A_BATCH
  await new Promise<void>((resolve, reject) => {
    consumer.on('consumer.crash', ({ payload }) => reject(payload.error))
    const eachMessage = async ({ message }: { message: { offset: string } }) => {
      offsets.push(message.offset)
      if (offsets.length === wanted) resolve()
    }
    void consumer.run({ eachMessage })
  })
  await consumer.disconnect()
  t.strictSame(
    offsets,
    Array.from({ length: wanted }, (_, offset) => `${offset}`),
  )
})

t.test('the answer names the record that is wrong', async (t) => {
  const world = await World.open(t)
  const { client } = await world.topic('named')
  const wrong = Array.from(wrongRecords()).find(({ what }) => what === 'keyLength of record 1 -2')!
  const answer = await produceTo(client, 'named', 0, batchAround(wrong, 'lz4'))
  t.match(answer, {
    errorCode: errorCode('INVALID_RECORD'),
    baseOffset: -1,
    recordErrors: [{ batchIndex: 1, message: /named-0: record 1 .* length of its key is -2/ }],
  })
  t.equal(answer.recordErrors.length, 1)
})

t.test('record.check=batch looks at the header only, but in a topic that compacts', async (t) => {
  const world = await World.open(t, { config: { 'record.check': 'batch' } })
  const wrong = batchOfPacked(Buffer.from('garbage'), 'gzip')
  const { client } = await world.topic('trusting')
  t.match(await produceTo(client, 'trusting', 0, wrong), { errorCode: 0 })
  await world.topic('own', 1, { 'record.check': 'record' })
  t.match(await produceTo(client, 'own', 0, wrong), { errorCode: errorCode('INVALID_RECORD') })
  await world.topic('compact', 1, { 'cleanup.policy': 'compact' })
  t.match(await produceTo(client, 'compact', 0, wrong), { errorCode: errorCode('INVALID_RECORD') })
  const jumping = batchAround({ ...rightRecords, lastOffsetDelta: 2 ** 31 - 1 }, 'none')
  t.match(await produceTo(client, 'trusting', 0, jumping), {
    errorCode: errorCode('INVALID_RECORD'),
  })
})

t.test('a copy of a batch is answered with the offset of the first, large or small', async (t) => {
  const world = await World.open(t, { writer: 'thread' })
  const { client } = await world.topic('copies')
  const values = [['a'], ['x'.repeat(300_000)], ['b']]
  for (const [baseSequence, value] of values.entries()) {
    const ids = { producerId: 70, producerEpoch: 0, baseSequence }
    const batch = batchOf(value, { codec: 'gzip', ...ids })
    const answers = await Promise.all([
      produceTo(client, 'copies', 0, batch),
      produceTo(client, 'copies', 0, batch),
    ])
    for (const answer of answers) t.match(answer, { errorCode: 0, baseOffset: baseSequence })
  }
})
