// Looking for a time inside batches that are small on the disk and large inside: the network thread goes on meanwhile.

import t, { type Test } from '../../protocol/testing/tap.ts'
import { BatchBuilder } from '../../protocol/batch/build.ts'
import type { Codec } from '../../protocol/compression/index.ts'
import { systemClock } from '../clock.ts'
import { realFs } from '../fs.ts'
import { openStore } from '../open-store.ts'
import type { Log, Overrides } from '../store.ts'
import { batchOf, tempDirectory } from '../testing/store-kit.ts'
import { ThreadSearchPort } from './thread.ts'

const MIB = 1024 * 1024
const codecs: Codec[] = ['gzip', 'lz4', 'snappy', 'zstd']

/** Two records: one with little, and one with 60 MiB of zeros. */
function bomb(codec: Codec): Uint8Array {
  const builder = new BatchBuilder()
  builder.append({ timestamp: 1000, key: null, value: Buffer.alloc(1) })
  builder.append({ timestamp: 2000, key: null, value: Buffer.alloc(60 * MIB) })
  return builder.finish({ codec })
}

async function openLogs(t: Test, topics: readonly string[], config: Overrides = {}) {
  const store = await openStore({ dataDir: tempDirectory(t), writer: 'thread', clock: systemClock })
  t.teardown(async () => store[Symbol.asyncDispose]())
  // Its thread needs real time, and the records are of 1970.
  const kept = { 'retention.ms': '-1', ...config }
  for (const name of topics) await store.topics.create({ name, partitionCount: 1, config: kept })
  return { store, logs: topics.map((name) => store.logs.get(name, 0)!) }
}

/** The result of `action`, and how often the loop turned meanwhile. */
async function turnsDuring<Result>(action: () => Promise<Result>) {
  let turnCount = 0
  let next = setImmediate(function turn() {
    turnCount++
    next = setImmediate(turn)
  })
  try {
    return { result: await action(), turnCount }
  } finally {
    clearImmediate(next)
  }
}

async function append(
  store: Awaited<ReturnType<typeof openLogs>>['store'],
  log: Log,
  batch: Uint8Array,
) {
  const { error, message } = await store.writer.append(log, batch)
  if (error) throw new Error(message)
}

t.test(
  'the loop turns while a batch of any codec is looked into, however much is inside',
  async (t) => {
    const { store, logs } = await openLogs(t, codecs)
    for (const [i, codec] of codecs.entries()) await append(store, logs[i]!, bomb(codec))
    for (const [i, codec] of codecs.entries()) {
      const log = logs[i]!
      const { result, turnCount } = await turnsDuring(() =>
        store.reader.offsetForTimestamp(log, 1500),
      )
      t.match(result, { offset: 1, timestamp: 2000 }, codec)
      t.ok(turnCount >= 50, `${turnCount} turns with ${codec}`)
    }
  },
)

t.test('more than 64 MiB is answered for by where its batch begins', async (t) => {
  const { store, logs } = await openLogs(t, ['large'], { 'record.check': 'batch' })
  const builder = new BatchBuilder()
  for (const timestamp of [1000, 2000])
    builder.append({ timestamp, key: null, value: Buffer.alloc(40 * MIB) })
  await append(store, logs[0]!, builder.finish({ codec: 'zstd' }))
  t.match(await store.reader.offsetForTimestamp(logs[0]!, 1500), { offset: 0, timestamp: 2000 })
})

t.test('a large uncompressed batch is looked into elsewhere, too', async (t) => {
  const { store, logs } = await openLogs(t, ['many'])
  const records = Array.from({ length: 200_000 }, (_, i) => ({ value: '', timestamp: i }))
  await append(store, logs[0]!, batchOf(records))
  const { result, turnCount } = await turnsDuring(() =>
    store.reader.offsetForTimestamp(logs[0]!, 199_999),
  )
  t.match(result, { offset: 199_999, timestamp: 199_999 })
  t.ok(turnCount >= 10, `${turnCount} turns`)
})

t.test(
  'many searches at once are answered each, and a store that closes refuses the rest',
  async (t) => {
    const { store, logs } = await openLogs(t, ['busy'])
    for (let i = 0; i < 4; i++)
      await append(store, logs[0]!, batchOf([{ value: 'x', timestamp: i * 10 }], 'gzip'))
    const asked = Array.from({ length: 100 }, (_, i) =>
      store.reader.offsetForTimestamp(logs[0]!, (i % 4) * 10),
    )
    const found = await Promise.all(asked)
    t.same(
      found.map((each) => each?.offset),
      asked.map((_, i) => i % 4),
    )
    await append(store, logs[0]!, bomb('gzip'))
    const late = Array.from({ length: 20 }, () => store.reader.offsetForTimestamp(logs[0]!, 1500))
    const outcomes = Promise.allSettled(late)
    await store[Symbol.asyncDispose]()
    for (const outcome of await outcomes) {
      if (outcome.status === 'rejected') t.ok(outcome.reason.code, String(outcome.reason))
      else t.match(outcome.value, { offset: 5 })
    }
  },
)

t.test('a thread that dies takes only its answers with it', async (t) => {
  const warnings: string[] = []
  const warn = (message: string) => void warnings.push(message)
  const script = new URL('data:text/javascript,process.exit(3)')
  const port = new ThreadSearchPort({ clock: systemClock, warn, script })
  const task = { fd: 0, position: 0, sizeBytes: 1, since: 0, logStartOffset: 0 }
  const refusal = { code: 'KAFKA_STORAGE_ERROR' }
  await Promise.all([t.rejects(port.ask(task), refusal), t.rejects(port.ask(task), refusal)])
  await t.rejects(port.ask(task), refusal, 'the next question starts another')
  t.equal(warnings.length, 2)
  t.match(warnings[0], /ended with code 3/)
  await port.stop()
})

t.test('garbage inside and a disk that refuses fail one answer', async (t) => {
  const port = new ThreadSearchPort({ clock: systemClock, warn: (message) => t.fail(message) })
  const path = `${tempDirectory(t)}/garbage`
  const fd = realFs.open(path, 'replace')
  const batch = Buffer.from(batchOf([{ value: 'x'.repeat(1000), timestamp: 5 }], 'gzip'))
  realFs.write(fd, Buffer.from(batch).fill(0xee, 70), 0)
  realFs.write(fd, batch, batch.length)
  const task = { fd, position: 0, sizeBytes: batch.length, since: 0, logStartOffset: 0 }
  await t.rejects(port.ask(task), { code: 'CORRUPT_MESSAGE' })
  await t.rejects(port.ask({ ...task, fd: 9999 }), { code: 'EBADF' })
  t.match(await port.ask({ ...task, position: batch.length }), { offset: 0, timestamp: 5 })
  await port.stop()
  realFs.close(fd)
})
