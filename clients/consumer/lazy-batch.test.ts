// LazyBatch against the records that the same consumer gives one by one: the same records, order and errors.

import fc from 'fast-check'
import t from '../../protocol/testing/tap.ts'
import { BatchBuilder, type NewRecord } from '../../protocol/batch/build.ts'
import { stampCrc } from '../../protocol/batch/header.ts'
import { codecIds, type Codec } from '../../protocol/compression/index.ts'
import type { ConsumerRecord } from '../index.ts'
import type { Consumer, ConsumerOptions } from './consumer.ts'
import type { LazyBatch } from './lazy-batch.ts'
import { endTransaction, type FakeLog } from '../testing/fake-broker.ts'
import { numbers, world, write, writeBatch } from '../testing/reader-world.ts'

/** A copy of the batch's current record. */
function recordOf(batch: LazyBatch): ConsumerRecord {
  const { topic, partition, offset, timestamp, key, value, headers } = batch
  t.same(batch.keyBytes, key?.length ?? -1)
  t.same(batch.valueBytes, value?.length ?? -1)
  t.ok(key === null || key.equals(batch.keyIn.subarray(batch.keyAt, batch.keyAt + key.length)))
  t.ok(
    value === null ||
      value.equals(batch.valueIn.subarray(batch.valueAt, batch.valueAt + value.length)),
  )
  t.equal(batch.hasHeaders, headers.length > 0)
  return { topic, partition, offset, timestamp, key, value, headers }
}

async function readLazily(consumer: Consumer, count = Infinity): Promise<ConsumerRecord[]> {
  const records: ConsumerRecord[] = []
  for await (const batch of consumer.lazyBatches()) {
    do {
      if (records.push(recordOf(batch)) === count) return records
    } while (batch.next())
  }
  return records
}

/** Leaves each visit after `visitMax` records. */
async function readByVisits(consumer: Consumer, visitMax = Infinity): Promise<ConsumerRecord[]> {
  const records: ConsumerRecord[] = []
  const act = (batch: LazyBatch): boolean => records.push(recordOf(batch)) % visitMax !== 0
  for await (const batch of consumer.lazyBatches()) {
    do {
      batch.visit(act)
      t.ok(consumer.positions()[0]!.offset > records.at(-1)!.offset)
    } while (batch.next())
  }
  return records
}

async function readOneByOne(consumer: Consumer): Promise<ConsumerRecord[]> {
  const records: ConsumerRecord[] = []
  for await (const record of consumer) records.push(record)
  return records
}

interface Step {
  readonly kind: 'plain' | 'transactional' | 'commit' | 'abort' | 'gap'
  readonly producerId: number
  readonly codec: Codec
  readonly records: readonly NewRecord[]
}

const bytes = fc.option(
  fc.oneof(
    fc.uint8Array({ maxLength: 30 }),
    fc.string().map((text) => Buffer.from(text)),
  ),
  { nil: null },
)
const newRecord: fc.Arbitrary<NewRecord> = fc.record({
  timestamp: fc.oneof(fc.integer({ min: 0, max: 2 ** 42 }), fc.constant(0)),
  key: bytes,
  value: bytes,
  headers: fc.option(fc.array(fc.tuple(fc.string(), bytes), { maxLength: 3 }), { nil: undefined }),
})
const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom('plain', 'transactional', 'commit', 'abort', 'gap'),
  producerId: fc.integer({ min: 1, max: 2 }),
  codec: fc.constantFrom(...(Object.keys(codecIds) as Codec[])),
  records: fc.array(newRecord, { minLength: 1, maxLength: 5 }),
})

/** Appends to the log: records, the end of a transaction, or a hole that compaction has left. */
function play(log: FakeLog, { kind, producerId, codec, records }: Step): void {
  const isOpen = log.transactions.some((each) => each.producerId === producerId && !each.end)
  if (kind === 'gap') log.endOffset += records.length
  else if (kind === 'commit' || kind === 'abort') {
    if (isOpen) endTransaction(log, producerId, 0, kind)
  } else {
    const builder = new BatchBuilder()
    for (const record of records) builder.append(record)
    const isTransactional = kind === 'transactional'
    const identity = { producerId, producerEpoch: 0, baseSequence: 0, isTransactional }
    if (isTransactional && !isOpen)
      log.transactions.push({ producerId, firstOffset: log.endOffset })
    const batch = builder.finish(isTransactional ? { codec, ...identity } : { codec })
    writeBatch(log, batch, records.length)
  }
}

t.test('any log gives the same records lazily as one by one', async (t) => {
  const property = fc.asyncProperty(
    fc.array(step, { minLength: 1, maxLength: 8 }),
    fc.constantFrom('committed' as const, 'uncommitted' as const),
    fc.nat(20),
    fc.nat(20),
    fc.integer({ min: 1, max: 200 }),
    fc.integer({ min: 1, max: 6 }),
    async (steps, isolation, from, length, partitionBytesMax, visitMax) => {
      await using w = await world()
      for (const each of steps) play(w.log, each)
      for (const producerId of [1, 2]) endTransaction(w.log, producerId, 0, 'commit')
      const until = Math.min(from + length, w.log.endOffset)
      const options: ConsumerOptions = {
        topics: ['t'],
        isolation,
        from: Math.min(from, until),
        until,
        partitionBytesMax,
        fetchWaitMs: 1,
      }
      const reader = (): Consumer => w.client.consumer(options) as Consumer
      const records = await readOneByOne(reader())
      t.same(await readLazily(reader()), records)
      t.same(await readByVisits(reader()), records)
      t.same(await readByVisits(reader(), visitMax), records)
    },
  )
  await fc.assert(property, { numRuns: 60 })
})

t.test('the position is past what was shown, and no further', async (t) => {
  await using w = await world()
  write(w.log, numbers(3))
  write(w.log, numbers(3, 3))
  const consumer = w.client.consumer({ topics: ['t'], from: 'earliest', until: 'end' }) as Consumer
  const values = async (count?: number) =>
    (await readLazily(consumer, count)).map(({ value }) => String(value))
  t.same(await values(2), ['0', '1'])
  t.equal(consumer.positions()[0]?.offset, 2)
  t.same(await values(2), ['2', '3'], 'another loop goes on there')
  const batches = consumer.lazyBatches()
  const { value: batch } = await batches.next()
  t.equal(`${batch!.value}`, '4')
  consumer.seek({ topic: 't', partition: 0 }, 1)
  t.equal(batch!.next(), false, 'a seek ends the batch')
  t.same(await values(1), ['1'])
  t.same(await values(), ['2', '3', '4', '5'])
})

t.test('damage is heard after the records before it, again and again', async (t) => {
  await using w = await world()
  write(w.log, numbers(2))
  const bad = write(w.log, numbers(2, 2))
  bad[70]! ^= 1
  const consumer = w.client.consumer({ topics: ['t'], from: 'earliest' }) as Consumer
  t.equal((await readLazily(consumer, 2)).length, 2)
  for (let i = 0; i < 2; i++)
    await t.rejects(readLazily(consumer), { code: 'CORRUPT_MESSAGE', message: /batch at 2/ })
})

t.test('damage inside a batch is heard after the records before it, again and again', async (t) => {
  await using w = await world()
  const batch = write(w.log, numbers(4))
  batch[batch.length - 3] = 0x7e // the length of the last value
  stampCrc(batch, 0, batch.length)
  const consumer = w.client.consumer({ topics: ['t'], from: 'earliest' }) as Consumer
  const seen: string[] = []
  const visitAll = async (): Promise<void> => {
    for await (const each of consumer.lazyBatches())
      each.visit(({ value }) => seen.push(String(value)) > 0)
  }
  for (let i = 0; i < 2; i++) await t.rejects(visitAll(), { code: 'CORRUPT_MESSAGE' })
  t.same(seen, ['0', '1', '2'])
  t.equal(consumer.positions()[0]?.offset, 3)
})
