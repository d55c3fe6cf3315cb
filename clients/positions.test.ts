// Where readings begin and end: ends in holes, partitions that are added, topics that are made again.

import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'
import { fetch } from '../protocol/api/01_fetch.ts'
import type { RequestOf } from '../protocol/schema.ts'
import { read, texts, world, write } from './testing/reader-world.ts'

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
    t.same((await read(w.client.consumer({ ...options, until }))).sort(), ['0', 'a'])
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
  const throttled = (request: RequestOf<typeof fetch>) => ({ throttleTimeMs: 5, ...silent(request) })
  w.broker.next(fetch, silent, throttled, throttled)
  const consumer = w.client.consumer({ topics: [texts], from: 'earliest', until: 'end' })
  t.same(await read(consumer), ['0'])
})

t.test('a process stays alive while a loop of its own waits, whatever it waits for', async (t) => {
  await using w = await world()
  const script = fileURLToPath(new URL('testing/paused-reader.js', import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, [script, w.broker.bootstrap])
  t.equal(stdout, 'over\n')
})
