// Consumer against a scripted broker: order, gaps, damage, resets, limits, added and deleted partitions.

import { setTimeout as sleep } from 'node:timers/promises'
import t from '../../protocol/testing/tap.ts'
import { fetch } from '../../protocol/api/01_fetch.ts'
import { VirtualClock } from '../../broker/testing/virtual-clock.ts'
import { BatchBuilder } from '../../protocol/batch/build.ts'
import { buildEndMarker } from '../../protocol/batch/control.ts'
import { errorCode, type ErrorName } from '../../protocol/errors.ts'
import type { RequestOf } from '../../protocol/schema.ts'
import { json, string, topic } from '../index.ts'
import type { FakeLog } from '../testing/fake-broker.ts'
import { numbers, read, texts, world, write, writeBatch } from '../testing/reader-world.ts'

/** Answers a whole request with one error. */
function refuse(name: ErrorName) {
  return ({ topics }: RequestOf<typeof fetch>) => ({
    responses: topics.map((each) => ({
      ...each,
      partitions: each.partitions.map(({ partition }) => ({
        partitionIndex: partition,
        errorCode: errorCode(name),
        highWatermark: -1,
        abortedTransactions: null,
        records: Buffer.alloc(0),
      })),
    })),
  })
}

t.test('records come in order with all they have, whatever the codec', async (t) => {
  await using w = await world()
  for (const codec of ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const)
    write(w.log, ['a', 'b'], codec)
  const builder = new BatchBuilder()
  const headers = [
    ['h', Buffer.from('1')],
    ['h', null],
  ] as const
  builder.append({ timestamp: 5, key: Buffer.from('k'), value: null, headers })
  writeBatch(w.log, builder.finish(), 1)
  const all = []
  for await (const record of w.client.consumer({ topics: ['t'], from: 'earliest', until: 'end' }))
    all.push(record)
  t.same(
    all.map(({ value }) => value?.toString()),
    [...Array.from({ length: 5 }, () => ['a', 'b']).flat(), undefined],
  )
  t.same(
    all.map(({ offset }) => offset),
    all.map((_, index) => index),
  )
  const last = {
    topic: 't',
    partition: 0,
    offset: 10,
    timestamp: 5,
    key: Buffer.from('k'),
    value: null,
    headers,
  }
  t.same(all.at(-1), last)
})

t.test('start and end: offsets, ends, so many before the end', async (t) => {
  await using w = await world()
  write(w.log, numbers(5))
  write(w.log, numbers(5, 5))
  const from = (start: any, until: any = 'end') =>
    read(w.client.consumer({ topics: [texts], from: start, until }))
  t.same(await from('earliest'), numbers(10))
  t.same(await from('latest'), [])
  t.same(await from(7), numbers(3, 7))
  t.same(await from(-2), numbers(2, 8))
  t.same(await from(-100), numbers(10))
  t.same(await from(3, 7), numbers(4, 3), 'in the middle of batches')
  t.same(await from(() => 9), ['9'])
})

t.test('control batches and gaps are stepped over, also at the end', async (t) => {
  await using w = await world()
  write(w.log, ['0'])
  const marker = () =>
    buildEndMarker({
      kind: 'commit',
      coordinatorEpoch: 0,
      producerId: 1,
      producerEpoch: 0,
      timestamp: 0,
    })
  writeBatch(w.log, marker(), 1)
  w.log.endOffset += 10 // compacted away
  write(w.log, ['12'])
  writeBatch(w.log, marker(), 1)
  const consumer = w.client.consumer({ topics: [texts], from: 'earliest', until: 'end' })
  t.same(await read(consumer), ['0', '12'])
  t.same(consumer.positions(), [{ topic: 't', partition: 0, offset: 14, highWatermark: 14 }])
})

t.test('new records are given as they come, from the position after the last', async (t) => {
  await using w = await world()
  write(w.log, numbers(3))
  const consumer = w.client.consumer({ topics: [texts], from: 1, fetchWaitMs: 5 })
  t.same(await read(consumer, 2), ['1', '2'])
  write(w.log, numbers(3, 3))
  t.same(await read(consumer, 2), ['3', '4'], 'a second loop goes on after the first')
  t.match(consumer.positions(), [{ offset: 5 }])
  consumer.seek({ topic: 't', partition: 0 }, 0)
  t.same(await read(consumer, 2), ['0', '1'])
  t.throws(() => consumer.seek({ topic: 't', partition: 7 }, 0), {
    message: /t\[7\] is not being read/,
  })
})

t.test('a position out of range goes to the nearest, to an end, or to the caller', async (t) => {
  await using w = await world()
  w.log.startOffset = w.log.endOffset = 100
  write(w.log, ['100', '101'])
  const options = { topics: [texts], until: 'end' } as const
  t.same(await read(w.client.consumer({ ...options, from: 5 })), ['100', '101'])
  const beyond = w.client.consumer({ topics: [texts], from: 500, fetchWaitMs: 5 })
  const next = read(beyond, 1)
  while (beyond.positions()[0]?.offset !== 102) await sleep(1)
  write(w.log, ['102'])
  t.same(await next, ['102'])
  t.same(await read(w.client.consumer({ ...options, from: 5, outOfRange: 'latest' })), [])
  const strict = w.client.consumer({ ...options, from: 5, outOfRange: 'error' })
  await t.rejects(read(strict), { code: 'OFFSET_OUT_OF_RANGE' })
  strict.seek({ topic: 't', partition: 0 }, 101)
  t.same(await read(strict), ['101', '102'])
})

t.test(
  'a damaged batch is reported, everything before it and, after a seek, behind it is read',
  async (t) => {
    await using w = await world()
    write(w.log, ['0', '1'])
    const bad = write(w.log, ['2', '3'])
    write(w.log, ['4'])
    bad[70]! ^= 1
    const consumer = w.client.consumer({ topics: [texts], from: 'earliest', until: 'end' })
    t.same(await read(consumer, 2), ['0', '1'])
    await t.rejects(read(consumer), {
      code: 'CORRUPT_MESSAGE',
      message: /t\[0\]: wrong CRC in the batch at 2/,
    })
    await t.rejects(read(consumer), { code: 'CORRUPT_MESSAGE' }, 'again')
    consumer.seek({ topic: 't', partition: 0 }, 4)
    t.same(await read(consumer), ['4'])
  },
)

t.test(
  'a record that its serde refuses is reported, and stays until it is stepped over',
  async (t) => {
    await using w = await world()
    write(w.log, ['1', 'x', '2'])
    const consumer = w.client.consumer({
      topics: [topic('t', { value: json<number>() })],
      from: 'earliest',
      until: 'end',
    })
    t.same(await read(consumer, 1), [1])
    await t.rejects(read(consumer), {
      code: 'INVALID_RECORD',
      message: /t\[0\] offset 1: value: .*JSON/,
    })
    const batches = consumer.batches()
    await t.rejects(batches.next(), { code: 'INVALID_RECORD' })
    consumer.seek({ topic: 't', partition: 0 }, 2)
    t.match(await batches.next(), { value: { records: [{ value: 2 }] } })
    const keyed = w.client.consumer({ topics: [topic('t', { key: string })], from: 'earliest' })
    await t.rejects(read(keyed), { message: /offset 0: key: it is null; orNull\(\)/ })
  },
)

t.test('an error in a batch comes after the records before it', async (t) => {
  await using w = await world()
  write(w.log, ['1', '2', 'x', '3'])
  const consumer = w.client.consumer({
    topics: [topic('t', { value: json<number>() })],
    from: 'earliest',
  })
  const batches = consumer.batches()
  t.match(await batches.next(), { value: { records: [{ value: 1 }, { value: 2 }] } })
  await t.rejects(batches.next(), { code: 'INVALID_RECORD' })
})

t.test(
  'errors that pass are waited out, a lost connection and a broker that restarts as well',
  async (t) => {
    await using w = await world()
    write(w.log, numbers(5))
    w.broker.next(
      fetch,
      refuse('NOT_LEADER_OR_FOLLOWER'),
      () => 'hangUp',
      refuse('KAFKA_STORAGE_ERROR'),
    )
    const consumer = w.client.consumer({ topics: [texts], from: 'earliest', fetchWaitMs: 5 })
    t.same(await read(consumer, 5), numbers(5))
    await w.broker.stop()
    const next = read(consumer, 5)
    await sleep(20)
    write(w.log, numbers(5, 5))
    await w.broker.listen()
    t.same(await next, numbers(5, 5))
  },
)

t.test('errors that do not pass are thrown', async (t) => {
  await using w = await world()
  write(w.log, numbers(3))
  w.broker.next(fetch, refuse('TOPIC_AUTHORIZATION_FAILED'))
  const consumer = w.client.consumer({ topics: [texts], from: 'earliest', until: 'end' })
  await t.rejects(read(consumer), { code: 'TOPIC_AUTHORIZATION_FAILED', message: /t\[0\]/ })
  t.same(await read(consumer), numbers(3), 'trying again may succeed')
  await t.rejects(read(w.client.consumer({ topics: ['other'] })), {
    code: 'UNKNOWN_TOPIC_OR_PARTITION',
  })
  await t.rejects(read(w.client.consumer({ topics: ['t'], partitions: [4] })), {
    message: /t\[4\]: the topic has 1/,
  })
  t.throws(() => w.client.consumer({ topics: [] }), { message: /topics is empty/ })
})

t.test('a topic that is deleted ends the iteration with an error', async (t) => {
  await using w = await world()
  write(w.log, ['old'])
  const consumer = w.client.consumer({ topics: [texts], from: 'earliest', fetchWaitMs: 5 })
  t.same(await read(consumer, 1), ['old'])
  w.broker.topics.delete('t')
  await t.rejects(read(consumer, 1), { code: 'UNKNOWN_TOPIC_OR_PARTITION' })
})

t.test('a slow reader holds fetching back: memory is bounded', async (t) => {
  await using w = await world()
  for (let i = 0; i < 200; i++) write(w.log, [`${i}`.padStart(1000)])
  w.broker.batchesMax = 3
  const consumer = w.client.consumer({
    topics: [texts],
    from: 'earliest',
    until: 'end',
    prefetchBytes: 10_000,
  })
  t.same((await read(consumer, 1)).map(Number), [0])
  await sleep(50)
  const asked = w.broker.seen(fetch).length
  t.ok(asked <= 5, `${asked} fetches of about 3 kB`)
  t.ok(w.broker.seen(fetch).every(({ request }) => request.maxBytes <= 10_000))
  t.same((await read(consumer)).map(Number), numbers(199, 1).map(Number))
})

t.test('paused partitions give nothing until they are resumed', async (t) => {
  await using w = await world()
  const logs = w.broker.createTopic('p', 2)
  write(logs[0]!, ['a', 'a'])
  write(logs[1]!, ['b', 'b'])
  const consumer = w.client.consumer({
    topics: [topic('p', { value: string })],
    from: 'earliest',
    fetchWaitMs: 5,
  })
  await consumer.start()
  consumer.pause([{ topic: 'p', partition: 0 }])
  t.same(await read(consumer, 2), ['b', 'b'])
  consumer.resume()
  t.same(await read(consumer, 1), ['a'])
  consumer.pause()
  const next = read(consumer, 1)
  write(logs[1]!, ['c'])
  t.equal(await Promise.race([next, sleep(30, 'nothing')]), 'nothing')
  consumer.resume([{ topic: 'p', partition: 0 }])
  t.same(await next, ['a'], 'what was fetched before is not lost')
})

t.test('a pause may end by itself; what is said last counts', async (t) => {
  const clock = Object.assign(new VirtualClock(), { random: () => 0 })
  await using w = await world({ clock })
  write(w.log, ['0', '1', '2', '3'])
  const consumer = w.client.consumer({ topics: [texts], from: 'earliest' })
  await consumer.start()
  const comesAfter = async (ms: number): Promise<void> => {
    const next = read(consumer, 1)
    await clock.advance(ms - 1)
    t.equal(await Promise.race([next, sleep(20, 'nothing')]), 'nothing')
    await clock.advance(1)
    await next
  }
  consumer.pause(undefined, { forMs: 1000 })
  await comesAfter(1000)
  consumer.pause(undefined, { forMs: 1000 })
  consumer.pause(undefined, { forMs: 3000 })
  await comesAfter(3000)
  consumer.pause(undefined, { forMs: 1000 })
  consumer.pause()
  await clock.advance(10_000)
  const next = read(consumer, 1)
  t.equal(await Promise.race([next, sleep(20, 'nothing')]), 'nothing', 'until it is resumed')
  consumer.resume()
  t.same(await next, ['2'])
})

t.test('what is fetched of a paused partition holds no other back', async (t) => {
  await using w = await world()
  const logs = w.broker.createTopic('p', 2)
  const options = { topics: [topic('p', { value: string })], fetchWaitMs: 5, prefetchBytes: 1000 }
  const consumer = w.client.consumer({ ...options, from: 'earliest' })
  write(logs[0]!, ['a'.padEnd(2000)])
  await consumer.start()
  while (consumer.positions()[0]!.highWatermark !== 1) await sleep(1)
  consumer.pause([{ topic: 'p', partition: 0 }])
  write(logs[1]!, ['b'])
  t.same(await read(consumer, 1), ['b'])
  consumer.resume()
  t.same(
    (await read(consumer, 1)).map((text) => text.trim()),
    ['a'],
  )
})

t.test(
  'partitions that appear are read from their start; given ones are the only ones read',
  async (t) => {
    await using w = await world({ metadataAgeMaxMs: 10 })
    const consumer = w.client.consumer({ topics: [texts], fetchWaitMs: 5 })
    const only = w.client.consumer({
      topics: [texts],
      partitions: [0],
      from: 'earliest',
      fetchWaitMs: 5,
    })
    await consumer.start()
    const next = read(consumer, 1)
    const log: FakeLog = {
      batches: [],
      startOffset: 0,
      endOffset: 0,
      producers: new Map(),
      transactions: [],
    }
    write(log, ['second'])
    w.broker.topics.get('t')!.push(log)
    t.same(await next, ['second'])
    write(w.log, ['first'])
    t.same(await read(only, 1), ['first'])
    t.equal(only.positions().length, 1)
  },
)

t.test('several topics are read at once', async (t) => {
  await using w = await world()
  write(w.log, ['0', '1'])
  write(w.broker.createTopic('u')[0]!, ['{"n":1}'])
  const counts = topic('u', { value: json<{ n: number }>() })
  const seen: unknown[] = []
  for await (const record of w.client.consumer({
    topics: [texts, counts],
    from: 'earliest',
    until: 'end',
  })) {
    seen.push(record.topic === 'u' ? record.value.n : record.value)
  }
  t.same(new Set(seen), new Set(['0', '1', 1]))
})

t.test(
  'batches have at most maxRecords records, wait up to maxWaitMs for more, and are never empty',
  async (t) => {
    await using w = await world()
    for (let i = 0; i < 10; i++) write(w.log, numbers(10, 10 * i))
    const sizes: number[] = []
    const consumer = w.client.consumer({ topics: [texts], from: 'earliest', until: 'end' })
    for await (const { records } of consumer.batches({ maxRecords: 30 })) sizes.push(records.length)
    t.same(sizes, [30, 30, 30, 10])
    const tail = w.client.consumer({ topics: [texts], from: 95, fetchWaitMs: 5 })
    const batches = tail.batches({ maxWaitMs: 20 })
    t.match(await batches.next(), { value: { records: { length: 5 } } })
    const later = batches.next()
    t.equal(await Promise.race([later, sleep(60, 'nothing')]), 'nothing')
    write(w.log, ['100'])
    t.match(await later, { value: { records: [{ value: '100' }] } })
  },
)

t.test('a signal, close and return end the iteration without an error', async (t) => {
  await using w = await world()
  const controller = new AbortController()
  const consumer = w.client.consumer({ topics: [texts], signal: controller.signal })
  const reading = read(consumer)
  await sleep(10)
  controller.abort()
  t.same(await reading, [])
  t.same(await read(consumer), [], 'and it stays over')
  t.same(await read(w.client.consumer({ topics: [texts], signal: AbortSignal.abort() })), [])
  const closed = w.client.consumer({ topics: [texts] })
  const rest = read(closed)
  await closed.start()
  await closed.close()
  t.same(await rest, [])
  const early = w.client.consumer({ topics: [texts] })
  const none = read(early)
  await early.close()
  t.same(await none, [], 'also before it has started')
})

t.test('until a time to come: what is there by then is read', async (t) => {
  await using w = await world()
  write(w.log, ['0'])
  const consumer = w.client.consumer({
    topics: [texts],
    from: 'earliest',
    until: new Date(Date.now() + 100),
    fetchWaitMs: 5,
  })
  const reading = read(consumer)
  await sleep(20)
  write(w.log, ['1'])
  t.same(await reading, ['0', '1'])
})

t.test('nothing is fetched while nobody reads', async (t) => {
  await using w = await world()
  write(w.log, numbers(3))
  const consumer = w.client.consumer({ topics: [texts], from: 'earliest', fetchWaitMs: 5 })
  await read(consumer, 3)
  await sleep(30)
  const asked = w.broker.seen(fetch).length
  await sleep(50)
  t.equal(w.broker.seen(fetch).length, asked)
})
