// Where readings begin and end: ends in gaps, added partitions, recreated topics.

import { execFile } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from '../../protocol/testing/tap.ts'
import { fetch } from '../../protocol/api/01_fetch.ts'
import type { RequestOf } from '../../protocol/schema.ts'
import { read, texts, world, write } from '../testing/reader-world.ts'

t.test('an end inside a hole that compaction has left is reached', async (t) => {
  await using w = await world()
  write(w.log, ['0', '1'])
  w.log.endOffset = 100
  write(w.log, ['100', '101'])
  const values = (until: number) =>
    read(w.client.consumer({ topics: [texts], from: 'earliest', until }))
  t.same(await values(2), ['0', '1'])
  t.same(await values(50), ['0', '1'])
  t.same(await values(101), ['0', '1', '100'])
  const consumer = w.client.consumer({ topics: [texts], from: 10, until: 50 })
  t.same(await read(consumer), [])
  t.match(consumer.positions(), [{ offset: 50 }], 'the position is where it was to stop')
})

t.test('an end in a hole that reaches to the end of the log is reached', async (t) => {
  await using w = await world()
  const logs = w.broker.createTopic('t', 3)
  write(logs[0]!, ['0'])
  logs[0]!.endOffset = 100 // of which all but the first is gone
  write(logs[1]!, ['a'])
  logs[2]!.startOffset = logs[2]!.endOffset = 7 // emptied
  const options = { topics: [texts], from: 'earliest', fetchWaitMs: 5 } as const
  for (const until of ['end', () => 1] as const)
    t.same(new Set(await read(w.client.consumer({ ...options, until }))), new Set(['0', 'a']))
})

t.test('one empty answer is no proof of a hole, and throttled ones are none at all', async (t) => {
  await using w = await world()
  write(w.log, ['0'])
  const silent = ({ topics }: RequestOf<typeof fetch>) => ({
    responses: topics.map((each) => ({
      ...each,
      partitions: each.partitions.map(({ partition }) => ({
        partitionIndex: partition,
        errorCode: 0,
        highWatermark: 1,
        lastStableOffset: 1,
        abortedTransactions: null,
        records: Buffer.alloc(0),
      })),
    })),
  })
  const throttled = (request: RequestOf<typeof fetch>) => ({
    throttleTimeMs: 5,
    ...silent(request),
  })
  w.broker.next(fetch, silent, throttled, throttled)
  const consumer = w.client.consumer({ topics: [texts], from: 'earliest', until: 'end' })
  t.same(await read(consumer), ['0'])
})

t.test('a process stays alive while a loop of its own waits, whatever it waits for', async (t) => {
  await using w = await world()
  const script = fileURLToPath(new URL('../testing/paused-reader.js', import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, [script, w.broker.bootstrap])
  t.equal(stdout, 'over\n')
})

for (const by of ['id', 'name'] as const) {
  t.test(`a topic that is recreated is read from its start, fetched by ${by}`, async (t) => {
    const told: string[] = []
    const tell = (_: object, what: string): void => void told.push(what)
    const logger = { debug() {}, info: tell, warn: tell }
    await using w = await world({ logger })
    if (by === 'name') w.broker.versionsMax.set('Fetch', 12)
    write(w.log, ['old 0', 'old 1'])
    const consumer = w.client.consumer({ topics: [texts], from: 'earliest', fetchWaitMs: 5 })
    t.same(await read(consumer, 1), ['old 0'])
    w.broker.topics.delete('t')
    const next = read(consumer, 4)
    while (!told.some((what) => what.startsWith('a fetch failed'))) await sleep(1)
    write(w.broker.createTopic('t')[0]!, ['new 0', 'new 1', 'new 2'])
    t.same((await next).slice(-3), ['new 0', 'new 1', 'new 2'])
    t.match(consumer.positions(), [{ offset: 3 }])
    t.ok(told.includes('the topic was deleted and recreated: going on elsewhere'))
  })
}

t.test('in a topic that is recreated, outOfRange says where to go on', async (t) => {
  await using w = await world()
  const readFirst = async (options: object) => {
    const log = w.broker.createTopic('t')[0]!
    write(log, ['old'])
    const consumer = w.client.consumer({
      topics: [texts],
      from: 'earliest',
      fetchWaitMs: 5,
      ...options,
    })
    t.same(await read(consumer, 1), ['old'])
    const [next] = w.broker.createTopic('t')
    write(next!, ['new 0', 'new 1'])
    return { consumer, log: next! }
  }
  const atEnd = await readFirst({ outOfRange: 'latest' })
  const next = read(atEnd.consumer, 1)
  while (atEnd.consumer.positions()[0]!.offset !== 2) await sleep(1)
  write(atEnd.log, ['new 2'])
  t.same(await next, ['new 2'])
  const { consumer } = await readFirst({ outOfRange: 'error' })
  for (let i = 0; i < 2; i++)
    await t.rejects(read(consumer, 1), { code: 'OFFSET_OUT_OF_RANGE', message: /recreated/ })
  consumer.seek({ topic: 't', partition: 0 }, 1)
  t.same(await read(consumer, 1), ['new 1'])
})

t.test('a reader that is to stop in a topic stops when it is recreated', async (t) => {
  await using w = await world()
  write(w.log, ['old'])
  const consumer = w.client.consumer({ topics: [texts], from: 'earliest', until: 10 })
  t.same(await read(consumer, 1), ['old'])
  write(w.broker.createTopic('t')[0]!, ['new'])
  t.same(await read(consumer), [])
})
