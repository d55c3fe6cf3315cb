// Producer against a scripted broker: order, repetitions, sequences, limits and refusals.

import { setTimeout as sleep } from 'node:timers/promises'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { pipeline } from 'node:stream/promises'
import { Readable } from 'node:stream'
import t from '../../protocol/testing/tap.ts'
import { produce } from '../../protocol/api/00_produce.ts'
import { metadata } from '../../protocol/api/03_metadata.ts'
import { apiVersions } from '../../protocol/api/18_api_versions.ts'
import { initProducerId } from '../../protocol/api/22_init_producer_id.ts'
import { BatchBuilder } from '../../protocol/batch/build.ts'
import { readBatchHeader } from '../../protocol/batch/header.ts'
import type { ErrorName } from '../../protocol/errors.ts'
import type { RequestOf } from '../../protocol/schema.ts'
import { Client, PartialError, type ClientOptions, type ProducerOptions } from '../index.ts'
import { FakeBroker, refusal } from '../testing/fake-broker.ts'

const texts = (count: number, from = 0): string[] =>
  Array.from({ length: count }, (_, i) => `${from + i}`)
const records = (values: readonly string[]) => values.map((value) => ({ value, partition: 0 }))

/** A broker with topic `t`, and a client that retries quickly. */
async function world(options: Partial<ClientOptions> = {}) {
  const broker = await FakeBroker.start()
  const client = new Client({
    brokers: broker.bootstrap,
    retry: { backoffMs: 2, backoffMaxMs: 10 },
    ...options,
  })
  broker.createTopic('t')
  return {
    broker,
    client,
    async [Symbol.asyncDispose]() {
      await client.close({ timeoutMs: 1000 }).catch(() => {})
      await broker.stop()
    },
  }
}

/** Answers a whole request with one error. */
function refuse(name: ErrorName) {
  return (request: RequestOf<typeof produce>) => ({
    topics: request.topics.map((topic) => ({
      ...topic,
      partitions: topic.partitions.map(({ index }) => refusal(index, name)),
    })),
  })
}

/** Batch headers of every Produce request that came. */
const headersSeen = (broker: FakeBroker) =>
  broker
    .seen(produce)
    .flatMap(({ request }) =>
      request.topics.flatMap((topic) =>
        topic.partitions.map(({ records: bytes }) => readBatchHeader(bytes!)),
      ),
    )

/** One batch per record: several are then under way at a time. */
const SMALL: ProducerOptions = { batchBytes: 1, lingerMs: 0 }

t.test('each record is acknowledged with its place, in the order of the calls', async (t) => {
  await using w = await world()
  const producer = w.client.producer()
  const single = producer.send('t', {
    key: 'k',
    value: '0',
    timestamp: 7,
    headers: [
      ['h', 'v'],
      ['h', null],
    ],
  })
  const several = producer.send('t', records(['1', '2']))
  t.same(await single, { topic: 't', partition: 0, offset: 0, timestamp: 7 })
  t.match(await several, [{ offset: 1 }, { offset: 2 }])
  t.same(await producer.send('t', []), [])
  t.same(w.broker.values('t'), ['0', '1', '2'])
  t.equal(w.broker.seen(produce).length, 1, 'what comes within the linger time goes together')
})

t.test(
  'what is refused for now goes again under the same sequence, and nothing overtakes it',
  async (t) => {
    await using w = await world()
    const producer = w.client.producer(SMALL)
    await producer.send('t', { value: 'first' })
    w.broker.next(produce, refuse('NOT_LEADER_OR_FOLLOWER'))
    await producer.send('t', records(texts(20)))
    t.same(w.broker.values('t'), ['first', ...texts(20)])
    const again = headersSeen(w.broker).filter(({ baseSequence }) => baseSequence === 1)
    t.equal(again.length, 2, 'sent twice')
    t.same(new Set(headersSeen(w.broker).map(({ producerEpoch }) => producerEpoch)), new Set([0]))
  },
)

t.test('a batch whose answer is lost is written once', async (t) => {
  await using w = await world()
  const producer = w.client.producer(SMALL)
  await producer.send('t', { value: 'first' })
  w.broker.next(produce, (request, version) => {
    w.broker.produce(request, version)
    return 'hangUp'
  })
  const acks = await producer.send('t', records(texts(10)))
  t.same(
    acks.map(({ offset }) => offset),
    Array.from({ length: 10 }, (_, i) => i + 1),
  )
  t.same(w.broker.values('t'), ['first', ...texts(10)])
})

t.test(
  'without idempotence one batch at a time is under way, and order is kept as well',
  async (t) => {
    await using w = await world()
    const producer = w.client.producer({ ...SMALL, idempotent: false, acks: 1 })
    w.broker.next(produce, refuse('NOT_LEADER_OR_FOLLOWER'), refuse('KAFKA_STORAGE_ERROR'))
    await producer.send('t', records(texts(5)))
    t.same(w.broker.values('t'), texts(5))
    t.equal(w.broker.seen(initProducerId).length, 0)
  },
)

t.test(
  'a batch that is too large goes in parts; a record that is too large fails alone',
  async (t) => {
    await using w = await world()
    refuseLarge(w.broker)
    const producer = w.client.producer({ compression: 'lz4' })
    const words = texts(100).map((text) => text.repeat(10))
    const acks = await producer.send('t', records(words))
    t.same(
      acks.map(({ offset }) => offset),
      words.map((_, i) => i),
    )
    t.same(w.broker.values('t'), words)
    const huge = Array.from({ length: 600 }, () =>
      String.fromCharCode(33 + Math.random() * 90),
    ).join('')
    const error = await producer
      .send('t', records(['small', huge, 'small']))
      .catch((e: unknown) => e)
    t.ok(error instanceof PartialError)
    t.match(error, {
      code: 'MESSAGE_TOO_LARGE',
      results: [{ offset: 100 }, { code: 'MESSAGE_TOO_LARGE' }, { offset: 101 }],
    })
  },
)

t.test('a line that is too large fails alone', async (t) => {
  await using w = await world()
  refuseLarge(w.broker)
  const bytes = Buffer.from(`a\n${'b'.repeat(500)}\nc`)
  const send = w.client.producer().beginLines('t', { bytes, start: 0, ends: [1, 502, 504] })
  const error = await send.settled.catch((e: unknown) => e)
  t.ok(error instanceof PartialError)
  t.match((error as PartialError<unknown>).results[1], { code: 'MESSAGE_TOO_LARGE' })
  t.same(w.broker.values('t'), ['a', 'c'])
})

/** Refuses batches of more than 400 bytes. */
function refuseLarge(broker: FakeBroker): void {
  const limited = (request: RequestOf<typeof produce>, version: number) =>
    request.topics[0]!.partitions[0]!.records!.length > 400
      ? refuse('MESSAGE_TOO_LARGE')(request)
      : broker.produce(request, version)
  broker.next(produce, ...Array.from({ length: 100 }, () => limited))
}

t.test('the gap that a refused batch leaves is closed under a new epoch', async (t) => {
  await using w = await world()
  const producer = w.client.producer(SMALL)
  await producer.send('t', { value: 'first' })
  w.broker.next(produce, refuse('INVALID_RECORD'))
  const error = await producer.send('t', records(texts(8))).catch((e: unknown) => e)
  t.match(error, {
    code: 'INVALID_RECORD',
    results: [{ code: 'INVALID_RECORD' }, { offset: 1 }, { offset: 2 }],
  })
  t.same(w.broker.values('t'), ['first', ...texts(7, 1)])
  t.match(headersSeen(w.broker).at(-1), { producerId: 1000, producerEpoch: 1 })
})

t.test(
  'a broker that has lost count is told a new epoch, a fenced producer takes a new id',
  async (t) => {
    await using w = await world()
    const producer = w.client.producer(SMALL)
    await producer.send('t', records(texts(3)))
    w.broker.next(produce, refuse('OUT_OF_ORDER_SEQUENCE_NUMBER'))
    await producer.send('t', records(texts(3, 3)))
    w.broker.next(produce, refuse('UNKNOWN_PRODUCER_ID'))
    await producer.send('t', records(texts(3, 6)))
    t.match(headersSeen(w.broker).at(-1), { producerId: 1000, producerEpoch: 2, baseSequence: 2 })
    w.broker.next(produce, refuse('INVALID_PRODUCER_EPOCH'))
    await producer.send('t', records(texts(3, 9)))
    t.match(headersSeen(w.broker).at(-1), { producerId: 1001, producerEpoch: 0, baseSequence: 2 })
    t.same(w.broker.values('t'), texts(12))
  },
)

t.test('a repetition too old to be found counts as written', async (t) => {
  await using w = await world()
  w.broker.next(produce, refuse('DUPLICATE_SEQUENCE_NUMBER'))
  t.match(await w.client.producer().send('t', { value: 'x' }), { offset: -1 })
})

t.test('records survive a broker that goes away and comes back, in order and once', async (t) => {
  await using w = await world()
  const producer = w.client.producer(SMALL)
  const sent: Promise<unknown>[] = []
  for (let i = 0; i < 200; i++) {
    sent.push(producer.send('t', { value: `${i}` }))
    if (i === 50) await w.broker.stop()
    if (i === 120) await w.broker.listen()
    if (i % 10 === 0) await sleep(1)
  }
  await Promise.all(sent)
  t.same(w.broker.values('t'), texts(200))
})

t.test('what is not acknowledged in time fails, and says why', async (t) => {
  await using w = await world()
  const producer = w.client.producer({ deliveryTimeoutMs: 1_000 })
  w.broker.next(produce, ...Array.from({ length: 1_000 }, () => refuse('NOT_LEADER_OR_FOLLOWER')))
  await t.rejects(producer.send('t', { value: 'x' }), {
    code: 'REQUEST_TIMED_OUT',
    message: /not acknowledged within 1000 ms: sent \d+ times, .* last: NOT_LEADER_OR_FOLLOWER/,
    cause: { code: 'NOT_LEADER_OR_FOLLOWER' },
  })
})

t.test('records for a broker that is gone fail in time, and say why', async (t) => {
  await using w = await world()
  const producer = w.client.producer({ deliveryTimeoutMs: 300 })
  await producer.send('t', { value: 'x' })
  await w.broker.stop()
  await t.rejects(producer.send('t', { value: 'y' }), {
    code: 'REQUEST_TIMED_OUT',
    message:
      /not acknowledged within 300 ms: .*, last: NETWORK_EXCEPTION: .* refused the connection/,
  })
  await w.broker.listen()
})

t.test('close gives up what is not through when its time is over', async (t) => {
  await using w = await world()
  const producer = w.client.producer({ batchBytes: 1, lingerMs: 0 })
  w.broker.next(produce, ...Array.from({ length: 8 }, () => () => 'silence' as const))
  const sends = records(texts(8)).map((record) => producer.send('t', record))
  const outcomes = Promise.allSettled(sends)
  while (w.broker.seen(produce).length < 5) await sleep(1)
  await t.rejects(producer.close({ timeoutMs: 30 }), { code: 'REQUEST_TIMED_OUT' })
  const codes = (await outcomes).map((each) => (each as PromiseRejectedResult).reason.code)
  t.equal(codes.length, 8)
  t.same(new Set(codes), new Set(['NETWORK_EXCEPTION', 'CLOSED']))
})

t.test(
  'a topic that does not exist, and one that may not, fail the records for it alone',
  async (t) => {
    await using w = await world()
    const producer = w.client.producer()
    const unknown = producer.send('other', { value: 'x' })
    t.match(await producer.send('t', { value: 'y' }), { offset: 0 })
    await t.rejects(unknown, { code: 'UNKNOWN_TOPIC_OR_PARTITION' })
    await t.rejects(producer.send('t', { value: 'x', partition: 3 }), {
      message: /t\[3\]: the topic has 1 partitions/,
    })
  },
)

t.test('a signal or a timeout ends the waiting, not the sending', async (t) => {
  await using w = await world()
  const producer = w.client.producer({ lingerMs: 0 })
  let answer!: () => void
  const held = new Promise<void>((resolve) => (answer = resolve))
  w.broker.next(produce, async (request, version) => {
    await held
    return w.broker.produce(request, version)
  })
  await t.rejects(producer.send('t', { value: '0' }, { timeoutMs: 20 }), {
    code: 'REQUEST_TIMED_OUT',
  })
  const controller = new AbortController()
  const aborted = producer.send('t', { value: '1' }, { signal: controller.signal })
  controller.abort(new Error('enough'))
  await t.rejects(aborted, { message: 'enough' })
  await t.rejects(producer.flush({ timeoutMs: 5 }), { code: 'REQUEST_TIMED_OUT' })
  answer()
  await producer.flush()
  t.same(w.broker.values('t'), ['0', '1'])
})

t.test('a full buffer holds a stream back, and memory stays bounded', async (t) => {
  await using w = await world()
  let answer!: () => void
  const held = new Promise<void>((resolve) => (answer = resolve))
  w.broker.next(produce, async (request, version) => {
    await held
    return w.broker.produce(request, version)
  })
  const producer = w.client.producer({ maxBufferedBytes: 20_000, batchBytes: 2_000, lingerMs: 0 })
  let pulled = 0
  const source = Readable.from(
    (function* () {
      for (; pulled < 5_000; pulled++) yield { value: `${pulled}`.padStart(100), partition: 0 }
    })(),
  )
  const streamed = pipeline(source, producer.writable('t'))
  while (pulled < 200) await sleep(1)
  await sleep(20)
  t.ok(pulled < 2_500, `${pulled} records were pulled while nothing was acknowledged`)
  answer()
  await streamed
  t.same(
    w.broker.values('t').map(Number),
    Array.from({ length: 5_000 }, (_, i) => i),
  )
})

t.test('a stream fails with the first record that does', async (t) => {
  await using w = await world()
  w.broker.next(produce, refuse('INVALID_RECORD'))
  const stream = w.client.producer().writable('t')
  await t.rejects(pipeline(Readable.from([{ value: 'x' }]), stream), { code: 'INVALID_RECORD' })
})

t.test('acks 0 and 1 are passed on; acks 0 knows no offsets', async (t) => {
  await using w = await world()
  t.match(await w.client.producer({ acks: 0 }).send('t', { value: 'x' }), { offset: -1 })
  t.match(await w.client.producer({ acks: 1 }).send('t', { value: 'y' }), { offset: 1 })
  t.same(
    w.broker.seen(produce).map(({ request }) => request.acks),
    [0, 1],
  )
  t.throws(() => w.client.producer({ acks: 1, idempotent: true }), { message: /needs acks 'all'/ })
  t.throws(() => w.client.producer({ maxInFlight: 6 }), { message: /maxInFlight is 6, expected/ })
})

t.test(
  'records without a key stick to a partition per batch; keys and callers choose theirs',
  async (t) => {
    await using w = await world()
    w.broker.createTopic('p', 4)
    const producer = w.client.producer()
    const acks = await producer.send(
      'p',
      texts(50).map((value) => ({ value })),
    )
    t.equal(new Set(acks.map(({ partition }) => partition)).size, 1)
    const keyed = await producer.send(
      'p',
      ['a', 'a', 'foobar'].map((key) => ({ key, value: '' })),
    )
    t.equal(keyed[0]!.partition, keyed[1]!.partition)
    const chosen = w.client.producer({ partitioner: ({ partitionCount }) => partitionCount - 1 })
    t.match(await chosen.send('p', { key: 'a', value: null }), { partition: 3 })
    t.match(await chosen.send('p', { key: 'a', value: null, partition: 2 }), { partition: 2 })
  },
)

t.test('close flushes, then refuses', async (t) => {
  await using w = await world()
  const producer = w.client.producer({ lingerMs: 60_000 })
  const sent = producer.send('t', { value: 'x' })
  await producer.close()
  t.match(await sent, { offset: 0 })
  await t.rejects(producer.send('t', { value: 'y' }), {
    code: 'CLOSED',
    retriable: false,
    message: 'CLOSED: the producer is closed',
  })
  await w.client.close()
  await t.rejects(w.client.producer().send('t', { value: 'y' }), { code: 'CLOSED' })
})

t.test('brokers of Kafka 2.1 are spoken to in their versions, by topic name', async (t) => {
  await using w = await world()
  const old = {
    ApiVersions: 2,
    Metadata: 7,
    Produce: 7,
    Fetch: 10,
    ListOffsets: 4,
    InitProducerId: 1,
  }
  for (const [name, max] of Object.entries(old)) w.broker.versionsMax.set(name, max)
  w.broker.next(apiVersions, () => ({
    errorCode: 35,
    apiKeys: [{ apiKey: 18, minVersion: 0, maxVersion: 2 }],
  }))
  t.match(await w.client.producer().send('t', { value: 'x' }), { offset: 0 })
  const consumer = w.client.consumer({ topics: ['t'], from: 'earliest', until: 'end' })
  for await (const record of consumer) t.same(record.value, Buffer.from('x'))
  t.same(
    new Set(w.broker.requests.map(({ api, version }) => `${api} ${version}`)),
    new Set(['Metadata 7', 'InitProducerId 1', 'Produce 7', 'ListOffsets 4', 'Fetch 10']),
  )
})

t.test('each send can be traced', async (t) => {
  await using w = await world()
  const seen: unknown[] = []
  const listener = (message: unknown): void => void seen.push(message)
  subscribe('tracing:millrace:produce:start', listener)
  subscribe('tracing:millrace:produce:asyncEnd', listener)
  const ack = await w.client.producer().send('t', { value: 'x' })
  unsubscribe('tracing:millrace:produce:start', listener)
  unsubscribe('tracing:millrace:produce:asyncEnd', listener)
  t.match(seen, [{ topic: 't', records: { value: 'x' } }, { result: ack }])
})

t.test('a record that the broker refuses by name fails alone, and order is kept', async (t) => {
  await using w = await world()
  const producer = w.client.producer({ lingerMs: 20, compression: 'gzip' })
  await producer.send('t', { value: 'first' })
  w.broker.next(produce, (request) => ({
    topics: request.topics.map((topic) => ({
      ...topic,
      partitions: topic.partitions.map(({ index }) => ({
        ...refusal(index, 'INVALID_TIMESTAMP'),
        recordErrors: [{ batchIndex: 1 }, { batchIndex: 3 }],
      })),
    })),
  }))
  const sends = texts(5).map((value) => producer.send('t', { value }))
  const outcomes = await Promise.allSettled([...sends, producer.send('t', { value: 'last' })])
  t.same(
    outcomes.map((each) => (each as PromiseRejectedResult).reason?.code),
    [undefined, 'INVALID_TIMESTAMP', undefined, 'INVALID_TIMESTAMP', undefined, undefined],
  )
  await producer.send('t', { value: 'next' })
  t.same(w.broker.values('t'), ['first', '0', '2', '4', 'last', 'next'])
})

t.test(
  'what waits for room, for its topic or for a producer id fails in time, and says for what',
  async (t) => {
    await using w = await world()
    const waits = async (options: ProducerOptions, topic: string) => {
      const producer = w.client.producer({ deliveryTimeoutMs: 150, lingerMs: 0, ...options })
      const started = performance.now()
      const outcomes = await Promise.allSettled(
        texts(20).map((value) => producer.send(topic, { value: value.repeat(100) })),
      )
      const tookMs = performance.now() - started
      t.ok(tookMs >= 140, `${tookMs} ms`)
      const reasons = outcomes.map((each) => (each as PromiseRejectedResult).reason)
      t.ok(reasons.every(({ code }) => code === 'REQUEST_TIMED_OUT'))
      await producer.close() // at once: nothing is waited for any more
      return reasons.at(-1).message
    }
    const silence = Array.from({ length: 50 }, () => () => 'silence' as const)
    w.broker.next(initProducerId, () => 'silence')
    t.match(await waits({}, 't'), /150 ms: never sent/)
    w.broker.next(metadata, ...silence)
    t.match(
      await waits({}, 'other'),
      /other: not acknowledged within 150 ms: never sent, its topic/,
    )
    w.broker.hangUp()
    w.broker.next(produce, ...silence)
    const room = await waits({ maxBufferedBytes: 200, batchBytes: 1 }, 't')
    t.match(
      room,
      /t: not acknowledged within 150 ms: never sent for want of room, maxBufferedBytes/,
    )
  },
)

t.test(
  'records that are under way when their time is over fail, and nothing overtakes',
  async (t) => {
    await using w = await world({ requestTimeoutMs: 1500 })
    const producer = w.client.producer({ ...SMALL, deliveryTimeoutMs: 1000 })
    await producer.send('t', { value: 'first' })
    w.broker.next(produce, () => 'silence')
    await t.rejects(producer.send('t', { value: 'lost' }), {
      code: 'REQUEST_TIMED_OUT',
      message: /not acknowledged within 1000 ms: sent once, it may have been written/,
    })
    const patient = w.client.producer(SMALL)
    t.match(await patient.send('t', records(texts(3))), { length: 3 })
    await sleep(600) // the request that was not answered is over
    await producer.send('t', records(texts(3, 3)))
    t.same(w.broker.values('t'), ['first', ...texts(6)])
  },
)

t.test('young records do not fail with the old ones that wait before them', async (t) => {
  await using w = await world()
  const producer = w.client.producer({ deliveryTimeoutMs: 1600 })
  await producer.send('t', { value: 'first' })
  await w.broker.stop()
  const old = producer.send('t', { value: 'old' }).catch(({ code }) => code)
  await sleep(800)
  const young = producer.send('t', { value: 'young' })
  t.equal(await old, 'REQUEST_TIMED_OUT')
  await w.broker.listen()
  t.match(await young, { topic: 't' })
  t.same(w.broker.values('t'), ['first', 'young'])
})

t.test('what cannot be compressed fails alone', async (t) => {
  await using w = await world()
  const producer = w.client.producer({ lingerMs: 0 })
  const finish = Object.getOwnPropertyDescriptor(BatchBuilder.prototype, 'finish')!
  const restore = () => Object.defineProperty(BatchBuilder.prototype, 'finish', finish)
  t.teardown(restore)
  await producer.send('t', { value: 'first' })
  BatchBuilder.prototype.finish = () => {
    restore()
    throw new RangeError('no memory')
  }
  await t.rejects(producer.send('t', { value: 'x' }), {
    code: 'INVALID_RECORD',
    message: 'INVALID_RECORD: t[0]: a batch of 1 records, none: no memory',
  })
  await producer.send('t', { value: 'last' })
  t.same(w.broker.values('t'), ['first', 'last'])
})
