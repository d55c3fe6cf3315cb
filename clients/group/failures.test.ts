// Failing records: retries, postponed records, dead letters, and the commits meanwhile.

import { setTimeout as sleep } from 'node:timers/promises'
import t from '../../protocol/testing/tap.ts'
import { json, string, topic } from '../index.ts'
import { contents } from '../testing/index.ts'
import { GroupWorld, numbers, readAll, texts, until } from '../testing/group-world.ts'

const dead = topic('dead', { key: string, value: string })
const quickly = { backoffMs: 5 }

t.test('run tries a record again, and its key waits for it while others go on', async (t) => {
  await using w = await GroupWorld.open(1)
  await w.send(30) // over keys k0 to k9
  const attempts: number[] = []
  const seen: { key: string; value: string }[] = []
  const consumer = w.consumer({ until: 'end', onError: { ...quickly, retry: 3 } })
  await consumer.run(
    ({ key, value, attempt }) => {
      if (value === '4') {
        attempts.push(attempt)
        if (attempt < 4) throw new Error('not yet')
      }
      seen.push({ key, value })
    },
    { concurrency: 10 },
  )
  t.same(attempts, [1, 2, 3, 4])
  const ofKey = (n: number) => seen.filter(({ key }) => key === `k${n}`).map(({ value }) => value)
  for (let n = 0; n < 10; n++) t.same(ofKey(n), [n, n + 10, n + 20].map(String))
  t.not(
    seen.findIndex(({ value }) => value === '4'),
    4,
    'others did not wait',
  )
  await consumer.close()
  t.equal(await w.committed(), 30)
})

t.test('without retries left run ends, and the record is not committed', async (t) => {
  await using w = await GroupWorld.open(1)
  await w.send(10)
  const consumer = w.consumer({ onError: { ...quickly, retry: 1 } })
  let calls = 0
  const running = consumer.run(({ value }) => {
    if (value !== '4') return
    calls++
    throw new Error('never')
  })
  await t.rejects(running, /never/)
  t.equal(calls, 2)
  await consumer.close()
  t.equal(await w.committed(), 4)
})

t.test(
  'a record that has failed for good becomes a dead letter that tells why and from where',
  async (t) => {
    await using w = await GroupWorld.open(1)
    await w.send(3)
    await using producer = w.client.producer()
    const headers = { own: 'kept', '__millrace.errors.message': 'of a former time' }
    await producer.send(texts, { key: 'k', value: 'bad', headers, timestamp: 1_000 })
    const consumer = w.consumer({
      until: 'end',
      onError: { ...quickly, retry: 1, deadLetter: dead },
    })
    const seen: string[] = []
    await consumer.run(({ value }) => {
      if (value === 'bad') throw new RangeError('too bad')
      seen.push(value)
    })
    await consumer.close()
    t.same(seen, numbers(3))
    t.equal(await w.committed(), 4, 'it counts as done')
    const [letter, ...others] = await contents(w.client, dead)
    t.same(others, [])
    t.match(letter, { key: 'k', value: 'bad' })
    const told = Object.fromEntries(letter!.headers.map(([name, value]) => [name, String(value)]))
    t.match(told, {
      own: 'kept',
      '__millrace.errors.exception': 'RangeError',
      '__millrace.errors.message': 'too bad',
      '__millrace.errors.stacktrace': /RangeError: too bad\n.*failures\.test/,
      '__millrace.errors.topic': 'texts',
      '__millrace.errors.partition': '0',
      '__millrace.errors.offset': '3',
      '__millrace.errors.timestamp': '1000',
      '__millrace.errors.group': 'g',
      '__millrace.errors.attempts': '2',
    })
    t.equal(letter!.headers.length, 10, 'what a former failure has told is replaced')
    t.ok(letter!.timestamp > 1_000, 'its own age counts for retention')
  },
)

t.test('what a serde refuses becomes a dead letter, as it was', async (t) => {
  await using w = await GroupWorld.open(1)
  await using producer = w.client.producer()
  await producer.send(
    texts,
    ['1', 'x', '2'].map((value) => ({ key: 'k', value })),
  )
  const topics = [topic('texts', { value: json<number>() })]
  const options = { topics, until: 'end', onError: { deadLetter: 'dead' } } as const
  t.same(await readAll(w.consumer(options)), [1, 2], 'a loop goes on')
  t.equal(await w.committed(), 3)
  const [letter] = await contents(w.client, dead)
  t.equal(letter!.value, 'x')
  const told = new Map(letter!.headers.map(([name, value]) => [name, String(value)]))
  t.match(told.get('__millrace.errors.message'), /INVALID_RECORD.*JSON/)
  t.equal(told.get('__millrace.errors.attempts'), '0')
})

t.test(
  'a dead letter that cannot be written is an error, and its record stays undone',
  async (t) => {
    await using w = await GroupWorld.open(1)
    await w.send(3)
    const onError = { deadLetter: 'no good name!' }
    const running = w.consumer({ onError })
    await t.rejects(
      running.run(({ value }) => {
        if (value === '1') throw new Error('body')
      }),
      { code: 'INVALID_TOPIC_EXCEPTION' },
    )
    await running.close()
    t.equal(await w.committed(), 1)
    const topics = [topic('texts', { value: json<number>(), key: json() })] // which refuses the keys
    const looping = w.consumer({ onError, topics })
    await t.rejects(readAll(looping), { code: 'INVALID_TOPIC_EXCEPTION' })
    await looping.close()
    t.equal(await w.committed(), 1)
  },
)

t.test(
  'a loop hands a record back: it comes again before anything else of its partition',
  async (t) => {
    await using w = await GroupWorld.open(1)
    await w.send(5)
    const consumer = w.consumer({
      until: 'end',
      onError: { ...quickly, retry: 2, deadLetter: dead },
    })
    const seen: string[] = []
    for await (const record of consumer) {
      seen.push(`${record.value} ${record.attempt}`)
      if (record.value === '1' && record.attempt < 3) await consumer.nack(record)
      if (record.value === '3') await consumer.nack(record, new Error('x'.repeat(10_000)))
    }
    t.same(seen, ['0 1', '1 1', '1 2', '1 3', '2 1', '3 1', '3 2', '3 3', '4 1'])
    await consumer.close()
    t.equal(await w.committed(), 5)
    const [letter] = await contents(w.client, dead)
    t.equal(letter!.value, '3')
    const message = letter!.headers.find(([name]) => name.endsWith('.message'))
    t.equal(message![1]!.length, 8192, 'of a text so much is kept')
  },
)

t.test(
  'without onError a record that is handed back comes again for ever, with it nack throws',
  async (t) => {
    await using w = await GroupWorld.open(1)
    await w.send(2)
    const strict = w.consumer({ onError: {} })
    const reading = (async () => {
      for await (const record of strict) await strict.nack(record, new Error('bad'))
    })()
    await t.rejects(reading, /bad/)
    await strict.close()
    t.equal(await w.committed(), 0)
    await using consumer = w.consumer()
    const iterator = consumer[Symbol.asyncIterator]()
    const first = (await iterator.next()).value!
    const next = iterator.next()
    await t.rejects(consumer.nack(first), TypeError, 'asking for the next has made it done')
    t.throws(() => consumer.defer(first, 1), TypeError)
    t.match(await next, { value: { value: '1', attempt: 1 } })
  },
)

t.test('what waits to be given again is not committed, nor what comes after it', async (t) => {
  await using w = await GroupWorld.open(2)
  await w.send(40)
  const consumer = w.consumer({ commit: 'manual' })
  const done = new Set<number>()
  for await (const record of consumer) {
    if (record.offset === 2) consumer.defer(record, 60_000)
    else if (record.offset > 2) t.fail(`${record.offset} has overtaken`)
    await consumer.commit() // of all that was given
    if (record.offset === 2) done.add(record.partition)
    if (done.size === 2) break
  }
  t.equal(await w.committed(), 4)
  const batched = w.consumer({ group: 'batched', commit: 'manual' })
  for await (const batch of batched.batches({ maxRecords: 40, maxWaitMs: 10_000 })) {
    const bad = batch.records.filter(({ offset }) => offset === 5)
    for (const record of bad) batched.defer(record, 60_000)
    await batch.commit()
    break
  }
  const offsets = await w.client.admin().groups.offsets('batched')
  t.same(
    offsets.map(({ offset }) => offset),
    [5, 5],
  )
  await batched.close()
  await consumer.close()
})

t.test('a record that waits when its partition moves is given to the next owner', async (t) => {
  await using w = await GroupWorld.open(1)
  await w.send(3)
  const first = w.consumer({ assignors: ['range'] })
  const iterator = first[Symbol.asyncIterator]()
  const { value: record } = await iterator.next()
  await first.nack(record)
  const waiting = iterator.next()
  await sleep(1)
  await first.close()
  t.same(await waiting, { done: true, value: undefined })
  t.same(await readAll(w.consumer({ until: 'end' })), numbers(3))
})

t.test('defer: records wait for a time that each of them names', async (t) => {
  await using w = await GroupWorld.open(1)
  const delayed = topic('delayed', { value: string })
  await w.client.admin().createTopics([delayed])
  await using producer = w.client.producer()
  const deliverAt = Date.now() + 150
  await producer.send(delayed, { value: 'later', headers: { deliverAt: `${deliverAt}` } })
  await producer.send(delayed, { value: 'after it', headers: { deliverAt: `${deliverAt}` } })
  await using consumer = w.client.consumer({ topics: [delayed], group: 'd', from: 'earliest' })
  const seen: [string, number, boolean][] = []
  for await (const record of consumer) {
    const due = Number(record.headers.find(([name]) => name === 'deliverAt')?.[1] ?? 0)
    if (due > Date.now()) {
      consumer.defer(record, due - Date.now())
      continue
    }
    seen.push([record.value, record.attempt, Date.now() >= deliverAt])
    if (seen.length === 2) break
  }
  t.same(seen, [
    ['later', 1, true],
    ['after it', 1, true],
  ])
})

t.test('a handler that fails because its partition was taken away does not end run', async (t) => {
  await using w = await GroupWorld.open(2)
  await w.send(20)
  const first = w.consumer({ assignors: ['range'] })
  const second = w.consumer({ assignors: ['range'] })
  const seen = new Set<string>()
  let hasMoved = false
  let other = Promise.resolve()
  const running = first.run(async ({ value, signal }) => {
    if (!hasMoved) {
      hasMoved = true
      other = second.run((record) => void seen.add(record.value))
      await until(() => signal.aborted)
      throw new Error('aborted')
    }
    seen.add(value)
  })
  await until(() => seen.size === 20)
  await Promise.all([first.close(), second.close()])
  await Promise.all([running, other])
  t.equal(seen.size, 20)
})
