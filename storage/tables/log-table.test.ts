// A table is its log: whatever happens to the LMDB view, nothing is missing and nothing is wrong.

import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import type { Database } from 'lmdb'
import t from 'tap'
import { systemClock } from '../clock.ts'
import { realFs, type Fs } from '../fs.ts'
import type { LogView } from '../read/log-view.ts'
import { openStore } from '../open-store.ts'
import type { Store } from '../store.ts'
import { seededRandom } from '../testing/random.ts'
import { tempDirectory } from '../testing/store-kit.ts'
import { LogTable } from './log-table.ts'
import { SEAL_FILE, View, VIEW_FILE, Views } from './views.ts'

const SEED = Number(process.env['SEED'] ?? Date.now() % 1_000_000)

interface Value {
  readonly count: number
  readonly text: string
}

interface World {
  readonly dataDir: string
  readonly store: Store
  readonly log: LogView
}

interface Opened {
  readonly table: LogTable<string, Value>
  readonly views: Views
  readonly warnings: string[]
  /** Did the start read the log? */
  readonly wasReplayed: boolean
  /** A clean stop. */
  readonly close: () => Promise<void>
}

async function openWorld(dataDir: string): Promise<World> {
  const store = await openStore({ dataDir, writer: 'inline' })
  if (!store.topics.get('table')) await store.topics.create({ name: 'table', partitionCount: 1 })
  return { dataDir, store, log: store.log('table', 0) as LogView }
}

async function openTable(
  { dataDir, store, log }: World,
  viewFromBytes = 0,
  fs: Fs = realFs,
): Promise<Opened> {
  const warnings: string[] = []
  const warn = (message: string) => warnings.push(message)
  const views = new Views({ fs, dataDir, clusterId: store.clusterId, viewFromBytes, warn })
  let wasReplayed = false
  const looking: Fs = {
    ...realFs,
    read(fd, into, position) {
      wasReplayed ||= into.length > 0
      return realFs.read(fd, into, position)
    },
  }
  const table = await LogTable.open<string, Value>({
    fs: looking,
    log,
    append: (to, batch) => store.append(to, batch),
    endTransaction: (to, marker) => store.endTransaction(to, marker),
    clock: systemClock,
    views,
    warn,
  })
  const close = async () => {
    await table.saveView()
    await views.close()
  }
  return { table, views, warnings, wasReplayed, close }
}

const contentOf = (table: LogTable<string, Value>) =>
  Object.fromEntries([...table.entries()].sort(([a], [b]) => (a < b ? -1 : 1)))

const value = (count: number): Value => ({ count, text: 'x'.repeat(count % 50) })

t.test(
  'what was put is there after a restart, what was deleted is not, with a view and without',
  async (t) => {
    for (const viewFromBytes of [0, Infinity]) {
      const dataDir = tempDirectory(t)
      const world = await openWorld(dataDir)
      const first = await openTable(world, viewFromBytes)
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
      await first.close()
      const second = await openTable(world, viewFromBytes)
      t.strictSame(contentOf(second.table), content)
      t.equal(second.wasReplayed, viewFromBytes === Infinity, 'a view spares the replay')
      await second.table.put('later', value(5))
      await second.close()
      await world.store[Symbol.asyncDispose]()

      const again = await openWorld(dataDir)
      const third = await openTable(again, viewFromBytes)
      t.strictSame(contentOf(third.table), { ...content, later: value(5) })
      t.equal(existsSync(join(dataDir, VIEW_FILE)), viewFromBytes === 0)
      t.strictSame([...first.warnings, ...second.warnings, ...third.warnings], [])
      await third.close()
      await again.store[Symbol.asyncDispose]()
    }
  },
)

t.test(
  'what a transaction wrote counts once it has committed, over restarts and views',
  async (t) => {
    const producer = { producerId: 7, producerEpoch: 0 }
    const other = { producerId: 8, producerEpoch: 3 }
    for (const viewFromBytes of [0, Infinity]) {
      const dataDir = tempDirectory(t)
      let world = await openWorld(dataDir)
      let opened = await openTable(world, viewFromBytes)
      const restart = async () => {
        await opened.close()
        await world.store[Symbol.asyncDispose]()
        world = await openWorld(dataDir)
        opened = await openTable(world, viewFromBytes)
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
      await opened.close()
      await world.store[Symbol.asyncDispose]()
    }
  },
)

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
  const store = await openStore({ dataDir, writer: 'inline', cleaner: idle })
  await store.topics.create({ name: 'table', partitionCount: 1, config })
  const world = { dataDir, store, log: store.log('table', 0) as LogView }
  const { table } = await openTable(world, Infinity)
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
  const before = store.log('table', 0)!.sizeBytes
  store.setCleanerConfig({ isCompactionEnabled: true, backoffMs: 1 })
  while (store.cleanerCounts.compaction.recordsDropped < 100) await setTimeout(5)
  store.setCleanerConfig(idle)
  t.ok(store.log('table', 0)!.sizeBytes < before)
  const replayed = await openTable(world, Infinity)
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
    const { table, close } = await openTable(world)
    let turnCount = 0
    world.store.onTurn(() => turnCount++)
    const puts = Array.from({ length: 50 }, (_, i) => table.put('same', value(i)))
    t.equal(table.get('same'), undefined, 'not before it is durable')
    await Promise.all(puts)
    t.equal(turnCount, 1)
    t.strictSame(table.get('same'), value(49))
    await close()
    await world.store.topics.delete('table')
    await t.rejects(table.put('same', value(0)), { code: 'UNKNOWN_TOPIC_OR_PARTITION' })
    t.strictSame(table.get('same'), value(49))
  },
)

t.test('without a view that can be believed, the log is read', async (t) => {
  const dataDir = tempDirectory(t)
  const world = await openWorld(dataDir)
  t.teardown(() => world.store[Symbol.asyncDispose]())
  const view = join(dataDir, VIEW_FILE)
  const seal = join(dataDir, SEAL_FILE)
  const { table, close } = await openTable(world)
  for (let i = 0; i < 10; i++) await table.put(`k${i}`, value(i))
  const content = contentOf(table)
  await close()

  const damages: [what: string, damage: () => void | Promise<void>][] = [
    ['no view file', () => rmSync(view)],
    ['no seal', () => rmSync(seal)],
    ['neither', () => [view, seal].forEach((path) => rmSync(path))],
    ['an empty seal', () => truncateSync(seal, 0)],
    ['an empty view file', () => truncateSync(view, 0)],
    [
      'a view of another cluster',
      () => writeFileSync(seal, readFileSync(seal, 'utf8').replace(world.store.clusterId, 'x')),
    ],
    [
      'a kill: changes after the start, and no clean stop',
      async () => {
        const { table: killed, views } = await openTable(world)
        await killed.put('k1', value(100))
        await killed.put('k1', value(1))
        await views.close() // releases LMDB
        rmSync(seal)
      },
    ],
    [
      'a start that died while it opened the view',
      async () => {
        const { views } = await openTable(world)
        await views.close()
        rmSync(seal)
      },
    ],
  ]
  for (const [what, damage] of damages) {
    await damage()
    const opened = await openTable(world)
    t.ok(opened.wasReplayed, what)
    t.strictSame(contentOf(opened.table), content, what)
    t.notOk(existsSync(seal), 'a seal is good for one start')
    await opened.close()
    const reopened = await openTable(world)
    t.notOk(reopened.wasReplayed, `after ${what} the next clean stop leaves a good view`)
    t.strictSame(contentOf(reopened.table), content, what)
    await reopened.close()
  }
})

t.test('a view that is newer than its log is not believed', async (t) => {
  const world = await openWorld(tempDirectory(t))
  t.teardown(() => world.store[Symbol.asyncDispose]())
  const { table, close } = await openTable(world)
  for (let i = 0; i < 10; i++) await table.put(`k${i}`, value(i))
  await close()
  await world.store.topics.delete('table')
  await world.store.topics.create({ name: 'table', partitionCount: 1 })
  const opened = await openTable({ ...world, log: world.store.log('table', 0) as LogView })
  t.strictSame(contentOf(opened.table), {})
  t.match(opened.warnings, [/newer than the log/])
  await opened.close()
})

t.test(
  '1,000 random mutations of the LMDB file: never a wrong value, never a dead process',
  async (t) => {
    t.comment(`SEED=${SEED}`)
    const random = seededRandom(SEED)
    const dataDir = tempDirectory(t)
    const world = await openWorld(dataDir)
    t.teardown(() => world.store[Symbol.asyncDispose]())
    const { table, close } = await openTable(world)
    await Promise.all(Array.from({ length: 100 }, (_, i) => table.put(`key ${i}`, value(i))))
    const content = JSON.stringify(contentOf(table))
    await close()
    const kept = join(dataDir, 'kept')
    mkdirSync(kept)
    for (const name of [VIEW_FILE, SEAL_FILE]) copyFileSync(join(dataDir, name), join(kept, name))
    const good = readFileSync(join(kept, VIEW_FILE))

    const mutate = (bytes: Buffer): Buffer => {
      const at = random.below(bytes.length)
      const kind = random.below(5)
      if (kind === 0) bytes[at] = bytes[at]! ^ (1 << random.below(8))
      else if (kind === 1) bytes.fill(0, at - (at % 4096), at - (at % 4096) + 4096)
      else if (kind === 2)
        bytes.fill(random.below(256), at, Math.min(bytes.length, at + 1 + random.below(100)))
      else if (kind === 3) return bytes.subarray(0, at)
      else return Buffer.concat([bytes, Buffer.alloc(1 + random.below(5000), random.below(256))])
      return bytes
    }
    let wrongCount = 0
    let replayCount = 0
    for (let i = 0; i < 1000; i++) {
      const mutated = mutate(Buffer.from(good))
      writeFileSync(join(dataDir, VIEW_FILE), mutated)
      copyFileSync(join(kept, SEAL_FILE), join(dataDir, SEAL_FILE))
      const opened = await openTable(world)
      if (JSON.stringify(contentOf(opened.table)) !== content) wrongCount++
      if (opened.wasReplayed !== mutated.equals(good)) replayCount++
      await opened.views.close()
    }
    t.equal(wrongCount, 0)
    t.equal(replayCount, 1000, 'a mutation is always noticed')
  },
)

t.test('LMDB that refuses costs the view and nothing else', async (t) => {
  const dataDir = tempDirectory(t)
  const world = await openWorld(dataDir)
  t.teardown(() => world.store[Symbol.asyncDispose]())
  const first = await openTable(world)
  await first.table.put('a', value(1))
  mkdirSync(`${join(dataDir, VIEW_FILE)}-lock`)
  await first.close()
  t.match(first.warnings, [/the views are given up/])
  rmSync(`${join(dataDir, VIEW_FILE)}-lock`, { recursive: true })
  const second = await openTable(world)
  t.ok(second.wasReplayed)
  t.strictSame(contentOf(second.table), { a: value(1) })
  await second.close()
})

t.test('an entry of a view whose checksum is wrong is not loaded', async (t) => {
  const stored = new Map<string, Buffer>()
  const database = {
    batch: async (act: () => void) => act(),
    put: async (key: string, bytes: Buffer) => stored.set(key, bytes),
    remove: async (key: string) => stored.delete(key),
    getRange: () => Array.from(stored, ([key, bytes]) => ({ key, value: bytes })),
  } as unknown as Database<Buffer, string>
  const view = new View(database, (error) => t.fail(String(error)))
  const load = () => {
    const entries: Record<string, string> = {}
    const appliedOffset = view.load((key, bytes) => (entries[key] = bytes.toString()))
    return { appliedOffset, entries }
  }
  t.throws(load, /no applied offset/)
  view.apply(
    [
      ['a', Buffer.from('1')],
      ['b', Buffer.from('2')],
    ],
    7,
  )
  view.apply(
    [
      ['a', undefined],
      ['c', Buffer.from('3')],
    ],
    9,
  )
  t.strictSame(load(), { appliedOffset: 9, entries: { b: '2', c: '3' } })
  for (const [key, bytes] of Array.from(stored)) {
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = Buffer.from(bytes)
      flipped[bit >> 3] = flipped[bit >> 3]! ^ (1 << (bit & 7))
      stored.set(key, flipped)
      t.throws(load, /checksum/)
    }
    stored.set(key, bytes)
  }
  stored.set('b', stored.get('c')!)
  t.throws(load, /checksum of "b"/, 'another key has the value')
})

t.test('a batch of the log that has rotted is passed over with a warning', async (t) => {
  const dataDir = tempDirectory(t)
  const world = await openWorld(dataDir)
  t.teardown(() => world.store[Symbol.asyncDispose]())
  const { table } = await openTable(world, Infinity)
  for (const key of ['a', 'b', 'c']) await table.put(key, value(3))
  const path = join(dataDir, 'table-0', '00000000000000000000.log')
  const bytes = readFileSync(path)
  bytes[bytes.length / 2] = bytes[bytes.length / 2]! ^ 1
  writeFileSync(path, bytes)
  const opened = await openTable(world, Infinity)
  t.strictSame(Object.keys(contentOf(opened.table)), ['a', 'c'])
  t.match(opened.warnings, [
    /damaged: 1 place \(\d+ bytes at offset 1\): older values, or none, stand for 1 key \("b"\)/,
  ])
})
