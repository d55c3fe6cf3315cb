// Any damage to the files of a data directory, while the broker is down or while it runs: it starts, serves no wrong
// byte, and once it has scrubbed it has reported every missing record. Internal logs have tests of their own.

import { strict as assert } from 'node:assert'
import { basename, dirname, join } from 'node:path'
import t from 'tap'
import { VirtualClock } from '../broker/testing/virtual-clock.ts'
import { Offset } from '../protocol/ids.ts'
import { budget } from '../protocol/testing/budget.ts'
import { SEED } from '../protocol/testing/seed.ts'
import { segmentFile } from './layout.ts'
import { openStore } from './open-store.ts'
import type { AbortedTransaction, Log, Reader, Store } from './store.ts'
import { FaultyFs } from './testing/faulty-fs.ts'
import { keyedBatch } from './testing/keyed-log.ts'
import { seededRandom, type Random } from './testing/random.ts'
import { liesIn, seenIn, type SeenBatch } from './testing/rot-kit.ts'
import { sequencedBatch, uniqueBatch } from './testing/stored-log.ts'

/** Of a test: enough for a machine that does much else. */
const timeout = 110_000
t.setTimeout(4 * timeout)

const RUNS = budget(8, 200, 'RUNS')
const RUNS_MAX = 200
const DATA = '/data'
const TOPICS = ['plain', 'keyed', 'ledger']
const HOUR_MS = 3_600_000

interface Truth {
  readonly batches: readonly SeenBatch[]
  readonly aborted: readonly AbortedTransaction[]
}

interface Base {
  readonly files: ReadonlyMap<string, Uint8Array>
  readonly truths: ReadonlyMap<string, Truth>
  readonly clock: VirtualClock
}

function open(disk: FaultyFs, clock: VirtualClock, warnings: string[] = []): Promise<Store> {
  const onWarning = (message: string) => warnings.push(message)
  const cleaner = { scrubIntervalMs: HOUR_MS, isCompactionEnabled: false, backoffMs: 1000 }
  return openStore({ dataDir: DATA, fs: disk, writer: 'inline', clock, onWarning, cleaner })
}

async function fill(store: Store, clock: VirtualClock): Promise<void> {
  const config = { 'segment.bytes': '1500', 'index.interval.bytes': '200', 'retention.ms': '-1' }
  const keyed = { ...config, 'cleanup.policy': 'compact', 'min.cleanable.dirty.ratio': '0' }
  await store.topics.create({ name: 'plain', partitionCount: 1, config })
  await store.topics.create({ name: 'ledger', partitionCount: 1, config })
  await store.topics.create({ name: 'keyed', partitionCount: 1, config: keyed })
  const [plain, ledger, log] = ['plain', 'ledger', 'keyed'].map((name) => store.logs.get(name, 0)!)
  for (let i = 0; i < 30; i++) {
    await store.writer.append(plain!, uniqueBatch(i, 1 + (i % 3), 100))
    const records = Array.from({ length: 2 }, (_, n) => {
      return { key: `key ${(i * 7 + n) % 9}`, value: `${i}`.repeat(40), timestamp: clock.now() }
    })
    await store.writer.append(log!, keyedBatch(records))
    const producerId = 1 + (i % 2)
    const sequence = { producerId, first: i >> 1, isTransactional: true, valueBytes: 60 }
    const { error } = await store.writer.append(ledger!, sequencedBatch(sequence))
    assert(!error, error)
    const marker = { producerId, producerEpoch: 0, isCommit: i % 4 < 2, coordinatorEpoch: 0 }
    if (i % 5 > 1) await store.writer.endTransaction(ledger!, marker)
  }
  for (const producerId of [1, 2]) {
    const marker = { producerId, producerEpoch: 0, isCommit: false, coordinatorEpoch: 0 }
    await store.writer.endTransaction(ledger!, marker)
  }
  await store.writer.deleteRecordsBefore(plain!, Offset(9))
  store.cleaner.configure({ isCompactionEnabled: true })
  for (let i = 0; i < 30; i++) await clock.advance(1000)
  assert(store.cleaner.counts.compaction.recordsDropped > 10)
}

/** A data directory with every kind of file, as a stop left it, and what is in it. */
async function baseOf(isClean: boolean): Promise<Base> {
  const clock = new VirtualClock()
  let disk = new FaultyFs()
  const store = await open(disk, clock)
  await fill(store, clock)
  const truths = new Map<string, Truth>()
  for (const name of TOPICS) {
    const log = store.logs.get(name, 0)!
    truths.set(name, {
      batches: (await seenIn(store.reader, log)).batches,
      aborted: await abortedIn(store.reader, log),
    })
  }
  if (isClean) await store[Symbol.asyncDispose]()
  else disk = disk.afterKill()
  return { files: new Map(filesIn(disk, DATA)), truths, clock }
}

function* filesIn(disk: FaultyFs, path: string): Generator<[string, Uint8Array]> {
  for (const { name, isDirectory } of disk.readDirectory(path)) {
    const file = join(path, name)
    if (isDirectory) yield* filesIn(disk, file)
    else yield [file, disk.contentOf(file).slice()]
  }
}

function diskWith(files: ReadonlyMap<string, Uint8Array>): FaultyFs {
  const disk = new FaultyFs()
  for (const [path, content] of files) {
    disk.makeDirectory(dirname(path))
    disk.place(path, content)
  }
  return disk
}

async function abortedIn(reader: Reader, log: Log): Promise<readonly AbortedTransaction[]> {
  return reader.abortedTransactions(log, log.logStartOffset, log.lastStableOffset)
}

/** Files that a mutation may befall. */
function isVictim(path: string): boolean {
  const directory = basename(dirname(path))
  const name = basename(path)
  if (TOPICS.some((topic) => directory === `${topic}-0`)) return true
  return name === 'recovery-checkpoint' || name === 'scrub-place'
}

function rewrite(disk: FaultyFs, path: string, content: Uint8Array): void {
  const fd = disk.open(path, 'write')
  disk.truncate(fd, 0)
  if (content.length > 0) disk.write(fd, content, 0)
  disk.close(fd)
}

/** One mutation. @returns what it was */
function mutateOne(disk: FaultyFs, victims: readonly string[], random: Random): string {
  const path = victims[random.below(victims.length)]!
  const content = Buffer.from(disk.contentOf(path))
  const at = random.below(Math.max(1, content.length))
  const name = `${basename(dirname(path))}/${basename(path)}`
  // Nothing in a segment says whose it is, as in Kafka: that of another log with the same offsets passes for this one's.
  const isOfAnother = (each: string) => each.endsWith('.log') && dirname(each) !== dirname(path)
  const sameKind = victims.filter(
    (each) => each !== path && each.endsWith(path.slice(-4)) && !isOfAnother(each),
  )
  const other = sameKind[random.below(Math.max(1, sameKind.length))]
  const otherBase = join(dirname(path), segmentFile(random.below(70), '.log'))
  const acts: [string, () => void][] = [
    [
      `bit flipped at ${at}`,
      () => {
        if (content.length > 0) content[at]! ^= 1 << random.below(8)
        rewrite(disk, path, content)
      },
    ],
    [
      `sector zeroed at ${at}`,
      () => {
        const start = at - (at % 512)
        rewrite(disk, path, content.fill(0, start, Math.min(start + 512, content.length)))
      },
    ],
    [`cut at ${at}`, () => rewrite(disk, path, content.subarray(0, at))],
    ['emptied', () => rewrite(disk, path, Buffer.alloc(0))],
    ['removed', () => disk.removeFile(path)],
    [
      'garbage behind it',
      () => rewrite(disk, path, Buffer.concat([content, content.subarray(at).reverse()])),
    ],
    [
      `byte put in at ${at}`,
      () =>
        rewrite(
          disk,
          path,
          Buffer.concat([content.subarray(0, at), Buffer.of(7), content.subarray(at)]),
        ),
    ],
  ]
  if (other) {
    acts.push([
      `swapped with ${basename(dirname(other))}/${basename(other)}`,
      () => {
        const theirs = disk.contentOf(other).slice()
        rewrite(disk, other, content)
        rewrite(disk, path, theirs)
      },
    ])
  }
  if (path.endsWith('.log') && !disk.stat(otherBase)) {
    acts.push([`copied to ${basename(otherBase)}`, () => disk.place(otherBase, content)])
    acts.push([`renamed to ${basename(otherBase)}`, () => disk.rename(path, otherBase)])
  }
  const [what, act] = acts[random.below(acts.length)]!
  act()
  return `${name}: ${what}`
}

async function check(base: Base, store: Store, isScrubbed: boolean, what: string): Promise<void> {
  for (const name of TOPICS) {
    const { batches, aborted } = base.truths.get(name)!
    const log = store.logs.get(name, 0)!
    const lies = liesIn(batches, await seenIn(store.reader, log)).filter(
      (lie) => isScrubbed || lie.startsWith('wrong'),
    )
    assert.deepEqual(lies, [], `${what}: ${name}`)
    try {
      const found = await abortedIn(store.reader, log)
      const missing = aborted.filter(
        (each) => !found.some((one) => JSON.stringify(one) === JSON.stringify(each)),
      )
      if (isScrubbed && log.logStartOffset === 0 && store.logs.quarantinedOffsetCount === 0)
        assert.deepEqual(missing, [], `${what}: aborted in ${name}`)
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error
    }
  }
}

/** A pass over everything. */
async function scrub(store: Store, clock: VirtualClock): Promise<void> {
  const { passes } = store.cleaner.counts.scrub
  for (let i = 0; i < 200 && store.cleaner.counts.scrub.passes === passes; i++)
    await clock.advance(60_000)
  assert(store.cleaner.counts.scrub.passes > passes)
}

interface Life {
  readonly base: Base
  readonly random: Random
  readonly isRunning: boolean
}

/** One mutation, a scrub and another start. @returns what it was, and whether it cost records */
async function live({ base, random, isRunning }: Life, seed: number) {
  const { clock, files } = base
  const disk = diskWith(files)
  const victims = [...files.keys()].filter(isVictim)
  const warnings: string[] = []
  let what = `SEED=${seed}`
  if (!isRunning) what += ` ${mutateOne(disk, victims, random)}`
  const store = await open(disk, clock, warnings)
  const there = victims.filter((path) => disk.stat(path))
  if (isRunning) what += ` ${mutateOne(disk, there, random)}`
  await check(base, store, false, what)
  await scrub(store, clock)
  await check(base, store, true, `${what}, scrubbed`)
  const { quarantinedOffsetCount } = store.logs
  assert(quarantinedOffsetCount === 0 || warnings.length > 0, `${what}: it is said`)
  await store[Symbol.asyncDispose]()
  const again = await open(disk, clock)
  await check(base, again, true, `${what}, scrubbed and started again`)
  await again[Symbol.asyncDispose]()
  return quarantinedOffsetCount > 0
}

for (const isClean of [true, false]) {
  for (const isRunning of [false, true]) {
    const when = isRunning ? 'under a broker that runs' : 'before a start'
    const after = isClean ? 'an orderly stop' : 'a kill'
    t.test(
      `files damaged ${when}, after ${after}, cost what they held, and it is said`,
      async (t) => {
        const base = await baseOf(isClean)
        let costlyCount = 0
        /** A few runs may all be lucky. */
        const isStillWanted = (seed: number) => costlyCount === 0 && seed < SEED + RUNS_MAX
        for (let seed = SEED; seed < SEED + RUNS || isStillWanted(seed); seed++) {
          const isCostly = await live({ base, random: seededRandom(seed), isRunning }, seed)
          if (isCostly) costlyCount++
        }
        t.ok(costlyCount > 0, `${costlyCount} of ${RUNS} cost records, SEED=${SEED}`)
      },
    )
  }
}
