// A table is its log: over restarts, transactions and compactions nothing is missing and nothing is wrong.

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from '../../protocol/testing/tap.ts'
import { VirtualClock } from '../../broker/testing/virtual-clock.ts'
import { SEED } from '../../protocol/testing/seed.ts'
import { realFs } from '../fs.ts'
import type { LogView } from '../read/log-view.ts'
import { openStore } from '../open-store.ts'
import type { Store } from '../store.ts'
import { seededRandom } from '../testing/random.ts'
import { tempDirectory } from '../testing/store-kit.ts'
import { LogTable } from './log-table.ts'

interface Value {
  readonly count: number
  readonly text: string
}

interface World {
  readonly dataDir: string
  readonly store: Store
  readonly log: LogView
}

const clock = new VirtualClock()

interface Opened {
  readonly table: LogTable<string, Value>
  readonly warnings: string[]
}

async function openWorld(dataDir: string): Promise<World> {
  const store = await openStore({ dataDir, writer: 'inline', clock })
  if (!store.topics.get('table')) await store.topics.create({ name: 'table', partitionCount: 1 })
  return { dataDir, store, log: store.logs.get('table', 0) as LogView }
}

async function openTable({ store, log }: World): Promise<Opened> {
  const warnings: string[] = []
  const table = await LogTable.open<string, Value>({
    fs: realFs,
    log,
    append: (to, batch) => store.writer.append(to, batch),
    endTransaction: (to, marker) => store.writer.endTransaction(to, marker),
    clock,
    warn: (message) => warnings.push(message),
  })
  return { table, warnings }
}

const contentOf = (table: LogTable<string, Value>) =>
  Object.fromEntries([...table.entries()].sort(([a], [b]) => (a < b ? -1 : 1)))

const value = (count: number): Value => ({ count, text: 'x'.repeat(count % 50) })

t.test('what was put is there after a restart, what was deleted is not', async (t) => {
  const dataDir = tempDirectory(t)
  const world = await openWorld(dataDir)
  const first = await openTable(world)
  await Promise.all(Array.from({ length: 20 }, (_, i) => first.table.put(`k${i}`, value(i))))
  await first.table.delete('k7')
  await first.table.write([
    ['k8', value(80)],
    ['k9', undefined],
    ['ключ', value(1)],
  ])
  const content = contentOf(first.table)
  t.equal(Object.keys(content).length, 19)
  t.strictSame(content['k8'], value(80))
  await first.table.put('later', value(5))
  await world.store[Symbol.asyncDispose]()
  const again = await openWorld(dataDir)
  const second = await openTable(again)
  t.strictSame(contentOf(second.table), { ...content, later: value(5) })
  t.strictSame([...first.warnings, ...second.warnings], [])
  await again.store[Symbol.asyncDispose]()
})

t.test('what a transaction wrote counts once it has committed, over restarts', async (t) => {
  const producer = { producerId: 7, producerEpoch: 0 }
  const other = { producerId: 8, producerEpoch: 3 }
  const dataDir = tempDirectory(t)
  let world = await openWorld(dataDir)
  let opened = await openTable(world)
  const restart = async () => {
    await world.store[Symbol.asyncDispose]()
    world = await openWorld(dataDir)
    opened = await openTable(world)
  }
  await opened.table.put('a', value(1))
  await opened.table.writePending(producer, [
    ['a', value(2)],
    ['b', value(2)],
    ['c', value(2)],
    ['d', value(2)],
  ])
  await opened.table.put('b', value(3))
  await opened.table.delete('c')
  await opened.table.writePending(other, [['d', value(4)]])
  await restart()
  t.strictSame(contentOf(opened.table), { a: value(1), b: value(3) })
  t.same(Array.from(opened.table.pending(), String).sort(), ['7,a', '7,b', '7,d', '8,d'])
  t.strictSame(await opened.table.end(other, true), [['d', value(4)]])
  await restart()
  t.strictSame(await opened.table.end(producer, true), [['a', value(2)]])
  t.strictSame(await opened.table.end(producer, true), [], 'told twice')
  await opened.table.writePending(producer, [['e', value(5)]])
  await opened.table.end(producer, false)
  const after = { a: value(2), b: value(3), d: value(4) }
  t.strictSame(contentOf(opened.table), after)
  await restart()
  t.strictSame(contentOf(opened.table), after)
  t.same([...opened.table.pending()], [])
  t.same(opened.warnings, [])
  const zombie = { producerId: 8, producerEpoch: 2 }
  await t.rejects(opened.table.writePending(zombie, [['a', value(9)]]), {
    code: 'INVALID_PRODUCER_EPOCH',
  })
  await world.store[Symbol.asyncDispose]()
})

t.test('compaction changes nothing that a table says, whatever transactions do', async (t) => {
  t.comment(`SEED=${SEED}`)
  const random = seededRandom(SEED)
  const dataDir = tempDirectory(t)
  const config = {
    'cleanup.policy': 'compact',
    'segment.bytes': '2000',
    'min.cleanable.dirty.ratio': '0',
    'delete.retention.ms': '0',
    'file.delete.delay.ms': '0',
  }
  const idle = { isCompactionEnabled: false }
  const store = await openStore({
    dataDir,
    writer: 'inline',
    clock,
    cleaner: idle,
  })
  await store.topics.create({ name: 'table', partitionCount: 1, config })
  const world = { dataDir, store, log: store.logs.get('table', 0) as LogView }
  const { table } = await openTable(world)
  const key = () => `k${random.below(12)}`
  for (let i = 0; i < 600; i++) {
    const producer = { producerId: 1 + random.below(3), producerEpoch: 0 }
    const kind = random.below(10)
    if (kind < 4) await table.put(key(), value(i))
    else if (kind < 5) await table.delete(key())
    else if (kind < 8) await table.writePending(producer, [[key(), value(i)]])
    else await table.end(producer, random.below(2) === 0)
  }
  for (const producerId of [1, 2, 3]) await table.end({ producerId, producerEpoch: 0 }, true)
  await table.writePending({ producerId: 3, producerEpoch: 0 }, [['open', value(1)]])
  for (let i = 0; i < 60; i++) await table.put('last', value(i))
  const content = contentOf(table)
  const pending = Array.from(table.pending(), String).sort()
  const before = store.logs.get('table', 0)!.sizeBytes
  store.cleaner.configure({ isCompactionEnabled: true, backoffMs: 1 })
  while (store.cleaner.counts.compaction.recordsDropped < 100) await clock.advance(5)
  store.cleaner.configure(idle)
  t.ok(store.logs.get('table', 0)!.sizeBytes < before)
  const replayed = await openTable(world)
  t.strictSame(contentOf(replayed.table), content)
  t.same(Array.from(replayed.table.pending(), String).sort(), pending)
  t.same(replayed.warnings, [])
  await store[Symbol.asyncDispose]()
})

t.test(
  'puts of one turn of the loop are one turn of the writer, and one that is refused changes nothing',
  async (t) => {
    const world = await openWorld(tempDirectory(t))
    t.teardown(() => world.store[Symbol.asyncDispose]())
    const { table } = await openTable(world)
    let turnCount = 0
    world.store.logs.onTurn(() => turnCount++)
    const puts = Array.from({ length: 50 }, (_, i) => table.put('same', value(i)))
    t.equal(table.get('same'), undefined, 'not before it is durable')
    await Promise.all(puts)
    t.equal(turnCount, 1)
    t.strictSame(table.get('same'), value(49))
    await world.store.topics.delete('table')
    await t.rejects(table.put('same', value(0)), { code: 'UNKNOWN_TOPIC_OR_PARTITION' })
    t.strictSame(table.get('same'), value(49))
  },
)

t.test('a view that an earlier release left in LMDB is passed over, and goes', async (t) => {
  const dataDir = tempDirectory(t)
  const world = await openWorld(dataDir)
  const { table } = await openTable(world)
  await table.put('a', value(1))
  await world.store[Symbol.asyncDispose]()
  const names = ['tables.seal', 'tables.lmdb', 'tables.lmdb-lock']
  for (const name of names) writeFileSync(join(dataDir, name), 'of an earlier release')
  const again = await openWorld(dataDir)
  t.strictSame(contentOf((await openTable(again)).table), { a: value(1) })
  t.strictSame(
    names.filter((name) => existsSync(join(dataDir, name))),
    [],
    'an earlier release must not believe it after this one has written',
  )
  await again.store[Symbol.asyncDispose]()
})

t.test('a batch of the log that has rotted is passed over with a warning', async (t) => {
  const dataDir = tempDirectory(t)
  const world = await openWorld(dataDir)
  t.teardown(() => world.store[Symbol.asyncDispose]())
  const { table } = await openTable(world)
  for (const key of ['a', 'b', 'c']) await table.put(key, value(3))
  const path = join(dataDir, 'table-0', '00000000000000000000.log')
  const bytes = readFileSync(path)
  bytes[bytes.length / 2] = bytes[bytes.length / 2]! ^ 1
  writeFileSync(path, bytes)
  const opened = await openTable(world)
  t.strictSame(Object.keys(contentOf(opened.table)), ['a', 'c'])
  t.match(opened.warnings, [
    /damaged: 1 place \(\d+ bytes at offset 1\): older values, or none, stand for 1 key \("b"\)/,
  ])
})
