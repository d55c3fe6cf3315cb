// Compaction against a plain map: after any writes, deletions, compactions and restarts the latest value of every key
// is there at its offset, and no reader sees a value that was never written, or another order.

import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import t, { type Test } from '../../protocol/testing/tap.ts'
import { VirtualClock } from '../../broker/testing/virtual-clock.ts'
import type { Codec } from '../../protocol/compression/index.ts'
import { Offset } from '../../protocol/ids.ts'
import { budget } from '../../protocol/testing/budget.ts'
import { SEED } from '../../protocol/testing/seed.ts'
import { systemClock } from '../clock.ts'
import { openStore } from '../open-store.ts'
import type { Log, Store } from '../store.ts'
import type { StoreOptions } from '../store-options.ts'
import {
  KeyedLog,
  keyedBatch,
  readCommitted,
  readKeyed,
  type KeyedRecord,
} from '../testing/keyed-log.ts'
import { seededRandom, type Random } from '../testing/random.ts'
import { tempDirectory } from '../testing/store-kit.ts'

/** Enough for a machine that does much else. */
t.setTimeout(110_000)

const CODECS: readonly Codec[] = ['none', 'none', 'gzip', 'snappy', 'lz4', 'zstd']
const BACKOFF_MS = 1000
const TOPIC = 'keyed'
const LIVES = budget(1, 8, 'LIVES')
const HOUR_MS = 3_600_000
/** Of the cleaner, and the reads meanwhile. */
const PASSES = 6
const READS = 100

const eager = {
  'cleanup.policy': 'compact',
  'segment.bytes': '2000',
  'index.interval.bytes': '300',
  'min.cleanable.dirty.ratio': '0',
  'file.delete.delay.ms': '0',
}

interface World {
  readonly store: Store
  readonly log: Log
  readonly clock: VirtualClock
}

async function worldOf(
  dataDir: string,
  config: Record<string, string> = eager,
  options: Partial<StoreOptions> & { clock?: VirtualClock } = {},
): Promise<World> {
  const { clock = new VirtualClock(Date.now()) } = options
  const cleaner = { backoffMs: BACKOFF_MS, dedupeBufferBytes: 1024 * 1024, ...options.cleaner }
  const store = await openStore({ dataDir, writer: 'inline', ...options, clock, cleaner })
  if (!store.topics.get(TOPIC)) {
    await store.topics.create({ name: TOPIC, partitionCount: 1, config })
  }
  return { store, log: store.logs.get(TOPIC, 0)!, clock }
}

/** Resolves when nothing is left that is worth compacting. */
async function compact({ store, clock }: World): Promise<void> {
  let idleRounds = 0
  for (let passes = -1; idleRounds < 5;) {
    await clock.advance(BACKOFF_MS)
    for (let i = 0; i < 20; i++) await clock.advance(0)
    await setTimeout(1)
    const { compaction } = store.cleaner.counts
    idleRounds = compaction.passes === passes ? idleRounds + 1 : 0
    passes = compaction.passes
  }
}

function randomRecords(random: Random, keyCount: number, now: number): KeyedRecord[] {
  return Array.from({ length: 1 + random.below(8) }, () => ({
    key: `key-${random.below(keyCount)}`,
    value: random.chance(0.1) ? null : `${random.below(1e9)}`.repeat(random.below(12)),
    timestamp: now + random.below(100),
  }))
}

async function check(t: Test, model: KeyedLog, { store, log }: World, what: string): Promise<void> {
  const flaws = model.flaws(await readKeyed(store.reader, log))
  if (flaws.length > 0) t.fail(what, { flaws: flaws.slice(0, 5), count: flaws.length, seed: SEED })
}

t.test(
  'random writes, deletes, compactions and restarts: the latest value of every key stays',
  async (t) => {
    t.comment(`SEED=${SEED}`)
    for (let life = 0; life < LIVES; life++) {
      const random = seededRandom(SEED + life)
      const dataDir = tempDirectory(t)
      const model = new KeyedLog()
      let world = await worldOf(dataDir)
      const { clock } = world
      for (let act = 0; act < budget(15, 30); act++) {
        if (random.chance(0.7)) {
          for (let i = random.below(20); i >= 0; i--) {
            const records = randomRecords(random, 5 + random.below(100), clock.now())
            await model.append(
              world.store,
              world.log,
              records,
              CODECS[random.below(CODECS.length)]!,
            )
          }
        } else if (random.chance(0.6)) {
          await compact(world)
        } else {
          await world.store[Symbol.asyncDispose]()
          world = await worldOf(dataDir, eager, { clock })
          t.equal(world.store.recovery.corruptBatchCount, 0)
        }
        await check(t, model, world, `life ${life}, act ${act}`)
      }
      await compact(world)
      await check(t, model, world, `life ${life}, the end`)
      const { compaction } = world.store.cleaner.counts
      t.equal(compaction.failures, 0)
      await world.store[Symbol.asyncDispose]()
    }
  },
)

t.test('what is left is small: one record a key, in few segments', async (t) => {
  const world = await worldOf(tempDirectory(t))
  const { store, log } = world
  const model = new KeyedLog()
  for (let i = 0; i < 400; i++) {
    const record = { key: `key-${i % 10}`, value: 'v'.repeat(100), timestamp: i }
    await model.append(store, log, [record], 'none')
  }
  const segmentsBefore = log.segmentCount
  await compact(world)
  await check(t, model, world, 'compacted')
  const activeBase = Number(
    readdirSync(join(store.dataDir, `${TOPIC}-0`))
      .filter((name) => name.endsWith('.log'))
      .sort()
      .at(-1)!
      .slice(0, 20),
  )
  const compacted = (await readKeyed(store.reader, log)).filter(({ offset }) => offset < activeBase)
  t.ok(compacted.length <= 10, `${compacted.length} records before the active segment`)
  t.ok(log.segmentCount <= 3, `${log.segmentCount} segments of ${segmentsBefore}`)
  t.ok(store.cleaner.counts.compaction.recordsDropped > 300)
  t.equal(store.cleaner.counts.compaction.failures, 0)
  const read = await store.reader.read(log, Offset(0), { bytesMax: 1_000_000, atLeastOne: true })
  t.ok(read.bytes.length > 0, 'an offset that is gone reads the next there is')
  read.release()
  const found = await store.reader.offsetForTimestamp(log, 395)
  t.match(found, { offset: 395, timestamp: 395 })
  await store[Symbol.asyncDispose]()
})

t.test('more keys than fit in memory take several passes', async (t) => {
  const cleaner = { dedupeBufferBytes: 2400, backoffMs: BACKOFF_MS }
  const world = await worldOf(tempDirectory(t), eager, { cleaner })
  const { store, log } = world
  const model = new KeyedLog()
  const random = seededRandom(SEED)
  for (let i = 0; i < 200; i++) {
    await model.append(store, log, randomRecords(random, 400, i * 1000), 'none')
  }
  await compact(world)
  await check(t, model, world, 'compacted')
  const { compaction } = store.cleaner.counts
  t.ok(compaction.passes > 3, `${compaction.passes} passes`)
  t.equal(compaction.failures, 0)
  await store[Symbol.asyncDispose]()
})

t.test(
  'a topic that is deleted, and records that are, while it is compacted: no harm, no failure',
  async (t) => {
    const world = await worldOf(tempDirectory(t), { ...eager, 'cleanup.policy': 'compact,delete' })
    const { store, log, clock } = world
    const model = new KeyedLog()
    const random = seededRandom(SEED)
    const append = async () => {
      for (let i = 0; i < 60; i++)
        await model.append(store, log, randomRecords(random, 50, clock.now()), 'none')
    }
    await append()
    for (let round = 0; round < 8; round++) {
      await clock.advance(BACKOFF_MS + 1)
      for (let i = random.below(6); i > 0; i--) await clock.advance(0)
      const span = log.highWatermark - log.logStartOffset
      const start = log.logStartOffset + random.below(Math.ceil(span / 3))
      await store.writer.deleteRecordsBefore(log, Offset(start))
      for (const offset of model.written.keys()) if (offset < start) model.written.delete(offset)
      for (const [key, offset] of model.latest) if (offset < start) model.latest.delete(key)
      t.strictSame(model.flaws(await readKeyed(store.reader, log, start), start), [])
      await append()
    }
    await clock.advance(BACKOFF_MS + 1)
    await store.topics.delete(TOPIC)
    await compact(world)
    t.equal(store.cleaner.counts.compaction.failures, 0)
    await store[Symbol.asyncDispose]()
  },
)

t.test('a tombstone stays for delete.retention.ms, then goes', async (t) => {
  const config = { ...eager, 'delete.retention.ms': String(HOUR_MS) }
  const world = await worldOf(tempDirectory(t), config)
  const { store, log, clock } = world
  const model = new KeyedLog()
  const append = (key: string, value: string | null) =>
    model.append(store, log, [{ key, value, timestamp: clock.now() }], 'none')
  const rolls = async () => {
    for (let i = 0; i < 30; i++) await append('filler', `${i}`.repeat(60))
  }
  const tombstones = async () =>
    (await readKeyed(store.reader, log)).filter(({ value }) => value === null)
  await append('gone', 'value')
  await append('gone', null)
  await rolls()
  await compact(world)
  const [tombstone] = await tombstones()
  t.match(tombstone, { offset: 1, key: 'gone', timestamp: model.written.get(1)!.timestamp })
  await clock.advance(HOUR_MS / 2)
  await rolls()
  await compact(world)
  t.equal((await tombstones()).length, 1, 'half an hour later')
  await clock.advance(HOUR_MS)
  await rolls()
  await compact(world)
  t.strictSame(await tombstones(), [])
  await check(t, model, world, 'the end')
  await store[Symbol.asyncDispose]()
})

t.test('readers see nothing else while segments are swapped under them', async (t) => {
  t.comment(`SEED=${SEED}`)
  const random = seededRandom(SEED)
  const store = await openStore({
    dataDir: tempDirectory(t),
    writer: 'thread',
    clock: systemClock,
    openFilesMax: 4,
    cleaner: { backoffMs: 1 },
  })
  const config = { ...eager, 'flush.policy': 'os', 'segment.bytes': '5000' }
  await store.topics.create({ name: TOPIC, partitionCount: 1, config })
  const log = store.logs.get(TOPIC, 0)!
  const model = new KeyedLog()
  let isDone = false
  let readCount = 0
  const hammer = async () => {
    while (!isDone) {
      const from = random.below(log.highWatermark + 1)
      const end = log.highWatermark
      const latest = new Map(model.latest)
      const seen = await readKeyed(store.reader, log, from, 1 + random.below(4000))
      const flaws = model.flaws(seen, from, end).filter((flaw) => {
        const overtaken = /the latest of (\S+),/.exec(flaw)?.[1]
        return overtaken === undefined || latest.get(overtaken) === model.latest.get(overtaken)
      })
      if (flaws.length > 0) t.fail('a reader', { flaws: flaws.slice(0, 5), from, end })
      readCount++
      await setTimeout(0)
    }
  }
  const readers = Array.from({ length: 4 }, () => hammer())
  for (let round = 0; round < PASSES; round++) {
    const { passes } = store.cleaner.counts.compaction
    await Promise.all(
      Array.from({ length: 40 }, () =>
        model.append(store, log, randomRecords(random, 200, Date.now()), 'none'),
      ),
    )
    // The log grows no further until the cleaner was there: a slow machine has no more to do than a fast one.
    while (store.cleaner.counts.compaction.passes === passes) await setTimeout(1)
  }
  while (readCount < READS) await setTimeout(1)
  isDone = true
  await Promise.all(readers)
  t.equal(store.cleaner.counts.compaction.failures, 0, `${readCount} reads`)
  await store[Symbol.asyncDispose]()
})

/** A producer that begins, writes in and ends one transaction after the other. */
class Transactions {
  readonly #producerId: number
  readonly #model: KeyedLog
  #sequence = 0
  #open: { records: KeyedRecord[]; baseOffset: number }[] = []

  constructor(producerId: number, model: KeyedLog) {
    this.#producerId = producerId
    this.#model = model
  }

  async write({ store, log }: World, records: KeyedRecord[], codec: Codec): Promise<void> {
    const batch = keyedBatch(records, {
      codec,
      producerId: this.#producerId,
      producerEpoch: 0,
      baseSequence: this.#sequence,
      isTransactional: true,
    })
    const { error, message, baseOffset } = await store.writer.append(log, batch)
    if (error) throw new Error(`${error}: ${message}`)
    this.#sequence += records.length
    this.#open.push({ records, baseOffset })
  }

  async end({ store, log }: World, isCommit: boolean): Promise<void> {
    if (this.#open.length === 0) return
    const marker = { producerId: this.#producerId, producerEpoch: 0, isCommit, coordinatorEpoch: 0 }
    const { error, message } = await store.writer.endTransaction(log, marker)
    if (error) throw new Error(`${error}: ${message}`)
    if (isCommit)
      for (const { records, baseOffset } of this.#open) this.#model.note(records, baseOffset)
    this.#open = []
  }
}

t.test(
  'what was aborted goes, what was committed stays, and producers go on where they were',
  async (t) => {
    t.comment(`SEED=${SEED}`)
    const config = { ...eager, 'delete.retention.ms': '1500' }
    for (let life = 0; life < LIVES; life++) {
      const random = seededRandom(SEED + life)
      const dataDir = tempDirectory(t)
      const model = new KeyedLog()
      let world = await worldOf(dataDir, config)
      const { clock } = world
      const producers = Array.from({ length: 4 }, (_, i) => new Transactions(100 + i, model))
      const endAll = async () => {
        for (const producer of producers) await producer.end(world, random.chance(0.6))
      }
      for (let act = 0; act < budget(15, 30); act++) {
        for (let i = random.below(30); i >= 0; i--) {
          const producer = producers[random.below(producers.length)]!
          if (random.chance(0.3)) await producer.end(world, random.chance(0.5))
          else {
            const records = randomRecords(random, 40, clock.now())
            await producer.write(world, records, CODECS[random.below(CODECS.length)]!)
          }
        }
        if (random.chance(0.4)) await compact(world)
        if (random.chance(0.2)) {
          await world.store[Symbol.asyncDispose]()
          const isForgetful = random.chance(0.5)
          if (isForgetful) forget(dataDir)
          world = await worldOf(dataDir, config, { clock })
          t.equal(world.store.recovery.corruptBatchCount, 0)
        }
        if (random.chance(0.5)) continue
        await endAll()
        const flaws = model.flaws(await readCommitted(world.store.reader, world.log))
        if (flaws.length > 0) t.fail(`life ${life}, act ${act}`, { flaws: flaws.slice(0, 5) })
      }
      await endAll()
      await compact(world)
      await compact(world)
      t.strictSame(model.flaws(await readCommitted(world.store.reader, world.log)), [])
      t.equal(world.store.cleaner.counts.compaction.failures, 0)
      await world.store[Symbol.asyncDispose]()
    }
  },
)

/** All but the log itself: checkpoint, snapshots of producers, indexes. */
function forget(dataDir: string): void {
  rmSync(join(dataDir, 'recovery-checkpoint'))
  const directory = join(dataDir, `${TOPIC}-0`)
  for (const name of readdirSync(directory)) {
    if (/\.(snapshot|index|timeindex)$/.test(name)) rmSync(join(directory, name))
  }
}
