// Retention: the deleted segments, under any clock, and the view of readers and the disk.

import { readdirSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import t from '../../protocol/testing/tap.ts'
import { VirtualClock } from '../../broker/testing/virtual-clock.ts'
import { openStore } from '../open-store.ts'
import type { Log, Store } from '../store.ts'
import type { StoreOptions } from '../store-options.ts'
import { batchOf, readRecords, tempDirectory } from '../testing/store-kit.ts'
import { BelievedClock } from './believed-clock.ts'
import { countOverAge, countOverSize } from './retention.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const CHECK_MS = 60_000
/** Turns of the loop in which a sweep is done, also on a busy machine. */
const ROUNDS = 1000

t.test('segments go while what is left is no smaller than retention.bytes', async (t) => {
  const count = (retentionBytes: number, ...sizes: number[]) =>
    countOverSize(sizes, { retentionMs: -1, retentionBytes })
  t.equal(count(-1, 10, 10), 0, 'no limit')
  t.equal(count(20, 10, 10), 0)
  t.equal(count(19, 10, 10), 0, 'one byte too many is no reason to keep too few')
  t.equal(count(10, 10, 10), 1)
  t.equal(count(0, 10, 10), 2)
  t.equal(count(15, 5, 10, 10), 1)
})

t.test(
  'segments go by their latest record, and the first that stays keeps all behind it',
  async (t) => {
    const count = (
      nowMs: number,
      retentionMs: number,
      ...times: [timestamp: number, file: number][]
    ) =>
      countOverAge(
        times.length,
        (i) => ({ maxTimestamp: times[i]![0], modifiedMs: times[i]![1] }),
        nowMs,
        { retentionMs, retentionBytes: -1 },
      )
    t.equal(count(100, -1, [1, 1]), 0, 'no limit')
    t.equal(count(100, 50, [50, 50], [10, 10]), 0, 'as old as the limit is not too old')
    t.equal(count(100, 50, [49, 49], [50, 50], [10, 10]), 1)
    t.equal(count(100, 50, [10, 90]), 1, 'by its records, not by its file')
    t.equal(count(100, 50, [-1, 49]), 1, 'records without a time are as old as their file')
    t.equal(count(100, 50, [-1, 51]), 0)
    t.equal(count(100, 50, [5000, 49]), 1, 'a record from the future is as old as its file')
    t.equal(count(100, 50, [5000, 51]), 0)
    t.equal(
      count(100, 50, [5000, 5000], [5000, 40], [90, 90]),
      2,
      'or as what was written after it',
    )
    t.equal(count(100, 50, [5000, 5000]), 0, 'without any trace of its age it stays')
  },
)

t.test('a clock that leaps ahead is not believed before it has stood', async (t) => {
  let wallMs = 1_000 * DAY_MS
  let monotonicMs = 0
  const pass = (ms: number) => {
    wallMs += ms
    monotonicMs += ms
  }
  const clock = { now: () => wallMs, monotonic: () => monotonicMs, after: () => ({ cancel() {} }) }
  const warnings: string[] = []
  const believedFrom = (lastSeenMs: number | undefined) =>
    new BelievedClock({ clock, lastSeenMs, graceMs: () => DAY_MS, warn: (it) => warnings.push(it) })

  const believed = believedFrom(undefined)
  t.equal(believed.now(), wallMs, 'nothing speaks against the first look')
  pass(HOUR_MS)
  wallMs += 20 * HOUR_MS
  t.equal(believed.now(), wallMs, 'the machine may have slept')
  const before = wallMs
  wallMs += 3650 * DAY_MS
  t.equal(believed.now(), before, 'ten years are too many')
  pass(HOUR_MS)
  t.equal(believed.now(), before + HOUR_MS, 'time goes on from where it was')
  t.equal(warnings.length, 1)
  t.match(warnings[0], /3650 days after this data was last in use.*in 24 hours/)
  wallMs -= 3650 * DAY_MS
  t.equal(believed.now(), wallMs, 'the clock was put right')
  wallMs -= 3650 * DAY_MS
  t.equal(believed.now(), wallMs, 'a clock that is behind deletes nothing')
  wallMs += 3650 * DAY_MS
  pass(0)
  t.not(believed.now(), wallMs, 'and ahead again: it must stand anew')
  pass(DAY_MS)
  t.equal(believed.now(), wallMs, 'now it has')

  const atStart = believedFrom(wallMs - 3 * DAY_MS)
  t.equal(atStart.now(), wallMs - 3 * DAY_MS, 'after a stop of three days readers get a day')
  pass(DAY_MS)
  t.equal(atStart.now(), wallMs)
})

/** What falls due meanwhile is done when it resolves; given `isDone`, when that holds, or it takes far too long. */
async function pass(clock: VirtualClock, ms: number, isDone?: () => boolean): Promise<void> {
  await clock.advance(ms)
  for (let i = 0; i < ROUNDS && isDone?.() !== true; i++) {
    await clock.advance(0)
    if (isDone) await setTimeout(1)
  }
}

interface World {
  readonly store: Store
  readonly log: Log
  readonly clock: VirtualClock
  readonly directory: string
  /** One segment each, all records of the time given. */
  readonly append: (...timestamps: number[]) => Promise<void>
  readonly files: (suffix: string) => string[]
}

async function worldOf(
  dataDir: string,
  config: Record<string, string>,
  options: Partial<StoreOptions> & { clock?: VirtualClock } = {},
): Promise<World> {
  const { clock = new VirtualClock(Date.now()) } = options
  const store = await openStore({
    dataDir,
    writer: 'inline',
    cleaner: { retentionCheckIntervalMs: CHECK_MS },
    ...options,
    clock,
  })
  if (!store.topics.get('aged')) {
    const all = { 'segment.bytes': '200', ...config }
    await store.topics.create({ name: 'aged', partitionCount: 1, config: all })
  }
  const log = store.logs.get('aged', 0)!
  const directory = join(dataDir, 'aged-0')
  return {
    store,
    log,
    clock,
    directory,
    append: async (...timestamps) => {
      for (const timestamp of timestamps) {
        const record = { key: `${timestamp}`, value: 'v'.repeat(90), timestamp }
        const { error } = await store.writer.append(log, batchOf([record]))
        if (error) throw new Error(error)
      }
    },
    files: (suffix) => readdirSync(directory).filter((name) => name.endsWith(suffix)),
  }
}

t.test('old segments go, the active one too, and a reader that is behind is told', async (t) => {
  const { store, log, clock, append, files } = await worldOf(tempDirectory(t), {
    'retention.ms': String(HOUR_MS),
    'file.delete.delay.ms': '40000',
  })
  const now = clock.now()
  await append(now - 3 * HOUR_MS, now - 2 * HOUR_MS, now - HOUR_MS / 2, now)
  t.equal(log.segmentCount, 4)
  await pass(clock, CHECK_MS, () => store.cleaner.counts.retention.deletedSegments === 2)
  t.equal(log.logStartOffset, 2)
  t.equal(log.segmentCount, 2)
  t.throws(() => store.reader.read(log, 1 as never, { bytesMax: 1000, atLeastOne: true }), {
    code: 'OFFSET_OUT_OF_RANGE',
  })
  t.match(await readRecords(store.reader, log, 2), [{ offset: 2 }, { offset: 3 }])
  t.match(store.cleaner.counts.retention, { deletedSegments: 2 })
  t.ok(store.cleaner.counts.retention.deletedBytes > 300)
  t.equal(files('.log').length, 2)
  t.equal(files('.deleted').length, 6, 'files stay for file.delete.delay.ms')
  await pass(clock, 41_000)
  t.equal(files('.deleted').length, 0)

  await pass(clock, HOUR_MS)
  await pass(clock, HOUR_MS, () => log.logStartOffset === 4)
  t.equal(log.logStartOffset, 4, 'all has expired')
  t.equal(log.sizeBytes, 0)
  t.strictSame(files('.log'), ['00000000000000000004.log'])
  await append(clock.now())
  t.match(await readRecords(store.reader, log, 4), [{ offset: 4 }], 'and appends go on')
  await store[Symbol.asyncDispose]()

  const { log: again } = await worldOf(store.dataDir, {}, { clock })
  t.equal(again.logStartOffset, 4)
})

t.test('a partition that is too large loses its oldest segments, whatever their age', async (t) => {
  const { log, clock, append, store } = await worldOf(tempDirectory(t), {
    'retention.bytes': '400',
  })
  await append(...Array.from({ length: 10 }, () => clock.now()))
  const sizeBytes = log.sizeBytes / 10
  await pass(clock, CHECK_MS)
  t.equal(log.segmentCount, Math.ceil(400 / sizeBytes))
  t.equal(log.sizeBytes, sizeBytes * log.segmentCount)
  t.match(await readRecords(store.reader, log, log.logStartOffset), [
    { offset: 10 - log.segmentCount },
  ])
  await store[Symbol.asyncDispose]()
})

t.test('hundreds of segments go in one sweep', async (t) => {
  const config = { 'retention.ms': '1000', 'flush.policy': 'os', 'file.delete.delay.ms': '0' }
  const { log, clock, append, files, store } = await worldOf(tempDirectory(t), config)
  await append(...Array.from({ length: 150 }, (_, i) => clock.now() - DAY_MS + i))
  await pass(clock, CHECK_MS, () => store.cleaner.counts.retention.deletedSegments === 150)
  t.equal(log.logStartOffset, 150)
  t.equal(store.cleaner.counts.retention.deletedSegments, 150)
  await pass(clock, 0, () => files('.deleted').length === 0)
  t.equal(files('.deleted').length, 0)
  await store[Symbol.asyncDispose]()
})

t.test('-1 keeps everything, and so does a topic that only compacts or does neither', async (t) => {
  for (const config of [
    { 'retention.ms': '-1', 'retention.bytes': '-1' },
    { 'cleanup.policy': 'compact', 'retention.ms': '1', 'retention.bytes': '1' },
    { 'cleanup.policy': '', 'retention.ms': '1', 'retention.bytes': '1' },
  ]) {
    const { log, clock, append, store } = await worldOf(tempDirectory(t), config)
    await append(0, 1, 2, -1, clock.now())
    await pass(clock, DAY_MS)
    t.equal(log.logStartOffset, 0)
    await store[Symbol.asyncDispose]()
  }
})

t.test('one record from the future keeps nothing for ever', async (t) => {
  const { log, clock, append, directory, files, store } = await worldOf(tempDirectory(t), {
    'retention.ms': String(HOUR_MS),
    'message.timestamp.after.max.ms': String(4000 * DAY_MS),
  })
  await append(clock.now() + 3650 * DAY_MS, clock.now() + 3650 * DAY_MS, clock.now())
  await pass(clock, CHECK_MS)
  t.equal(log.logStartOffset, 0)
  const writtenAt = new Date(clock.now() - 2 * HOUR_MS)
  for (const file of files('.log').slice(0, 2))
    utimesSync(join(directory, file), writtenAt, writtenAt)
  await pass(clock, CHECK_MS, () => log.logStartOffset === 2)
  t.equal(log.logStartOffset, 2)
  await store[Symbol.asyncDispose]()
})

t.test('a clock ten years ahead deletes nothing for a day', async (t) => {
  class LeapingClock extends VirtualClock {
    aheadMs = 0
    override now(): number {
      return super.now() + this.aheadMs
    }
  }
  const dataDir = tempDirectory(t)
  const clock = new LeapingClock(Date.now())
  const config = { 'retention.ms': String(2 * DAY_MS) }
  const warnings: string[] = []
  const options = { clock, onWarning: (message: string) => warnings.push(message) }
  const { log, append, store } = await worldOf(dataDir, config, options)
  await append(clock.now(), clock.now())
  clock.aheadMs = 3650 * DAY_MS
  await pass(clock, HOUR_MS)
  t.equal(log.logStartOffset, 0)
  t.equal(warnings.length, 1)
  await store[Symbol.asyncDispose]()

  const { log: restarted, store: next } = await worldOf(dataDir, config, options)
  await pass(clock, 23 * HOUR_MS)
  t.equal(restarted.logStartOffset, 0, 'nor after a restart')
  await pass(clock, 2 * HOUR_MS)
  await pass(clock, CHECK_MS, () => restarted.logStartOffset === 2)
  t.equal(restarted.logStartOffset, 2, 'a clock that stays is right')
  await next[Symbol.asyncDispose]()
})

t.test('retention can be changed while it runs', async (t) => {
  const { log, clock, append, store } = await worldOf(tempDirectory(t), { 'retention.ms': '-1' })
  await append(clock.now() - DAY_MS)
  store.cleaner.configure({ retentionCheckIntervalMs: DAY_MS })
  await store.topics.configure('aged', { 'retention.ms': '1000' })
  await pass(clock, HOUR_MS)
  t.equal(log.logStartOffset, 0)
  store.cleaner.configure({ retentionCheckIntervalMs: 1000 })
  await pass(clock, 1001, () => log.logStartOffset === 1)
  t.equal(log.logStartOffset, 1)
  await store[Symbol.asyncDispose]()
})
