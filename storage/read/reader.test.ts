// Reads against a model: whole batches at every offset, records by time, and never a byte past the high watermark.

import { readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from '../../protocol/testing/tap.ts'
import { VirtualClock } from '../../broker/testing/virtual-clock.ts'
import { batchSizeBytes, stampBatch } from '../../protocol/batch/header.ts'
import type { Codec } from '../../protocol/compression/index.ts'
import { batchesOf } from '../../protocol/batch/record.ts'
import { KafkaError } from '../../protocol/errors.ts'
import { Offset } from '../../protocol/ids.ts'
import { SEED } from '../../protocol/testing/seed.ts'
import { parseTopicConfig } from '../config.ts'
import { realFs, type Fs } from '../fs.ts'
import { HotTail, PageCache } from './hot-tail.ts'
import { parseSegmentFile } from '../layout.ts'
import { LogView } from './log-view.ts'
import { openStore } from '../open-store.ts'
import { LogReader } from './reader.ts'
import { InlineSearchPort } from '../search/port.ts'
import type { Log, Reader, ReadResult, Store } from '../store.ts'
import { seededRandom, type Random } from '../testing/random.ts'
import {
  appendValues,
  batchOf,
  readRecords,
  recordsIn,
  tempDirectory,
} from '../testing/store-kit.ts'
import type { Opened } from '../log-facts.ts'

const CODECS: readonly Codec[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd']

interface ModelBatch {
  readonly baseOffset: number
  readonly sizeBytes: number
  readonly records: readonly { readonly offset: number; readonly timestamp: number }[]
}

interface World {
  readonly store: Store
  readonly log: Log
  readonly directory: string
  readonly batches: readonly ModelBatch[]
}

/** A log of many small segments with random batches: sizes, codecs, times in any order, some without a time. */
async function worldOf(dataDir: string, random: Random, batchCount: number): Promise<World> {
  const store = await openStore({ dataDir, writer: 'inline', clock: new VirtualClock() })
  const config = { 'segment.bytes': '3000', 'index.interval.bytes': '200', 'flush.policy': 'os' }
  await store.topics.create({ name: 'model', partitionCount: 1, config })
  const log = store.logs.get('model', 0)!
  const batches: ModelBatch[] = []
  let timeMs = 1_000_000
  for (let i = 0; i < batchCount; i++) {
    const records = Array.from({ length: 1 + random.below(6) }, () => {
      timeMs += random.below(100) - 20
      const timestamp = random.chance(0.05) ? -1 : timeMs
      return { value: 'v'.repeat(random.below(120)), timestamp }
    })
    const bytes = batchOf(records, CODECS[random.below(CODECS.length)])
    const { baseOffset, error } = await store.writer.append(log, bytes)
    if (error) throw new Error(error)
    const placed = records.map(({ timestamp }, n) => ({ offset: baseOffset + n, timestamp }))
    batches.push({ baseOffset, sizeBytes: bytes.length, records: placed })
  }
  return { store, log, directory: join(dataDir, 'model-0'), batches }
}

const segmentBases = (directory: string): number[] =>
  readdirSync(directory)
    .map((name) => parseSegmentFile(name))
    .filter((file) => file?.suffix === '.log')
    .map((file) => file!.baseOffset)
    .sort((a, b) => a - b)

/** Base offsets of the batches that a read must give, by the rules of KIP-74 and one segment a read. */
function expectedBatches(
  world: World,
  bases: readonly number[],
  offset: number,
  bytesMax: number,
  atLeastOne: boolean,
  endOffset: number,
): number[] {
  const segmentOf = (batch: ModelBatch) => bases.findLast((base) => base <= batch.baseOffset)
  const first = world.batches.findIndex((batch) => batch.records.at(-1)!.offset >= offset)
  const expected: number[] = []
  let bytes = 0
  for (const batch of world.batches.slice(first)) {
    const fits = bytes + batch.sizeBytes <= bytesMax || (bytes === 0 && atLeastOne)
    if (batch.records.at(-1)!.offset >= endOffset) break
    if (!fits || segmentOf(batch) !== segmentOf(world.batches[first]!)) break
    expected.push(batch.baseOffset)
    bytes += batch.sizeBytes
  }
  return expected
}

const basesIn = (read: ReadResult): number[] => {
  const bases: number[] = []
  for (let at = 0; at < read.bytes.length; at += batchSizeBytes(read.bytes, at)!) {
    bases.push(Number(Buffer.from(read.bytes).readBigInt64BE(at)))
  }
  return bases
}

/** Does the read say how many records it holds, and where the next one goes on? */
function knowsWhatItHolds(
  { batches }: World,
  { bytes, nextOffset, recordCount }: ReadResult,
  offset: number,
): boolean {
  const held = Array.from(batchesOf(bytes), ({ header }) => header)
  const last = held.at(-1)
  const endOffset = last ? last.baseOffset + last.lastOffsetDelta + 1 : offset
  const model = batches.filter(({ baseOffset }) =>
    held.some((batch) => batch.baseOffset === baseOffset),
  )
  const modelCount = model.reduce((count, { records }) => count + records.length, 0)
  return nextOffset === endOffset && recordCount === modelCount
}

async function checkEveryOffset(t: Test, world: World, random: Random): Promise<void> {
  const { store, log } = world
  const bases = segmentBases(world.directory)
  let wrongCount = 0
  for (let offset = log.logStartOffset as number; offset < log.highWatermark; offset++) {
    for (const bytesMax of [0, 1, 100 + random.below(500), 1500, 1_000_000]) {
      for (const atLeastOne of [true, false]) {
        const ahead = random.chance(0.3) ? random.below(20) - 2 : 1_000_000
        const endOffset = Offset(Math.max(0, offset + ahead))
        const read = await store.reader.read(log, Offset(offset), {
          bytesMax,
          atLeastOne,
          endOffset,
        })
        const expected = expectedBatches(world, bases, offset, bytesMax, atLeastOne, endOffset)
        const isAsExpected =
          String(basesIn(read)) === String(expected) && knowsWhatItHolds(world, read, offset)
        if (!isAsExpected) {
          wrongCount++
          t.fail(`offset ${offset}, ${bytesMax} bytes, ${atLeastOne}, end ${endOffset}`, {
            found: basesIn(read),
            expected,
          })
        }
        if (read.bytes.length > 0) read.release()
        if (wrongCount > 3) return
      }
    }
  }
  t.equal(wrongCount, 0, `${log.highWatermark} offsets`)
}

async function checkEveryTime(t: Test, world: World): Promise<void> {
  const { store, log } = world
  const records = world.batches
    .flatMap((batch) => batch.records)
    .filter((record) => record.offset >= log.logStartOffset)
  const times = [...new Set(records.map(({ timestamp }) => timestamp))]
  let wrongCount = 0
  for (const time of [0, 1, ...times, ...times.map((ms) => ms + 1)].filter((ms) => ms >= 0)) {
    const expected = records.find(({ timestamp }) => timestamp >= time)
    const found = await store.reader.offsetForTimestamp(log, time)
    if (JSON.stringify(found) !== JSON.stringify(expected) && wrongCount++ < 3) {
      t.fail(`time ${time}`, { found, expected })
    }
  }
  const max = Math.max(...times)
  t.equal(wrongCount, 0, `${times.length} times`)
  t.strictSame(
    await store.reader.offsetForMaxTimestamp(log),
    records.find(({ timestamp }) => timestamp === max),
  )
}

t.test(
  'reads at every offset and by every time agree with a model, hot, cold, and with indexes gone bad',
  async (t) => {
    t.comment(`SEED=${SEED}`)
    const random = seededRandom(SEED)
    const dataDir = tempDirectory(t)
    const hot = await worldOf(dataDir, random, 90)
    t.ok(hot.log.segmentCount >= 5, `${hot.log.segmentCount} segments`)
    await checkEveryOffset(t, hot, random)
    await checkEveryTime(t, hot)
    await hot.store[Symbol.asyncDispose]()

    const warnings: string[] = []
    const onWarning = (message: string) => warnings.push(message)
    const store = await openStore({
      dataDir,
      writer: 'inline',
      clock: new VirtualClock(),
      openFilesMax: 3,
      onWarning,
    })
    t.teardown(() => store[Symbol.asyncDispose]())
    const cold = { ...hot, store, log: store.logs.get('model', 0)! }
    await checkEveryOffset(t, cold, random)
    await checkEveryTime(t, cold)
    t.strictSame(warnings, [])

    const indexes = readdirSync(cold.directory).filter((name) => name.endsWith('index'))
    for (const [i, name] of indexes.entries()) {
      const path = join(cold.directory, name)
      const bytes = readFileSync(path)
      if (i % 4 === 0) rmSync(path)
      else if (i % 4 === 1) truncateSync(path, random.below(bytes.length + 1))
      else if (i % 4 === 2) writeFileSync(path, Buffer.alloc(bytes.length))
      else
        writeFileSync(
          path,
          bytes.map(() => random.below(256)),
        )
    }
    await checkEveryOffset(t, cold, random)
    await checkEveryTime(t, cold)
  },
)

/** Counts what is asked of the disk. */
function countingFs(): Fs & { reads: string[] } {
  const reads: string[] = []
  return {
    ...realFs,
    reads,
    read(fd, into, position) {
      reads.push('sync')
      return realFs.read(fd, into, position)
    },
    readAsync(fd, into, position) {
      reads.push('async')
      return realFs.readAsync(fd, into, position)
    },
  }
}

const topic = {
  name: 'made',
  id: 'AAAAAAAAAAAAAAAAAAAAAg',
  partitionCount: 1,
  config: {},
  isInternal: false,
}

interface MadeLog {
  readonly reader: LogReader
  readonly log: LogView
  /** Where each batch begins. */
  readonly positions: readonly number[]
  readonly path: string
  readonly fs: ReturnType<typeof countingFs>
  readonly pageCache: PageCache
}

/** A log with one segment of `count` batches with one record each, as if opened with what `opened` says of it. */
function madeLog(
  t: Test,
  count: number,
  opened: (positions: readonly number[]) => Partial<Opened> = () => ({}),
): MadeLog {
  const dataDir = tempDirectory(t)
  const path = join(dataDir, 'made-0', '00000000000000000000.log')
  realFs.makeDirectory(join(dataDir, 'made-0'))
  const batches = Array.from({ length: count }, (_, offset) => {
    const batch = batchOf([{ value: `v${offset}`.padEnd(100), timestamp: 1000 + offset }])
    stampBatch(batch, 0, offset, 0)
    return batch
  })
  const positions = batches.map((_, i) =>
    batches.slice(0, i).reduce((sum, batch) => sum + batch.length, 0),
  )
  const bytes = Buffer.concat(batches)
  writeFileSync(path, bytes)
  const fs = countingFs()
  const reader = new LogReader({
    fs,
    search: new InlineSearchPort(fs),
    openFilesMax: 2,
    warn: () => {},
    onRot: () => {},
  })
  t.teardown(() => reader.forget(''))
  const pageCache = new PageCache(1_000_000)
  const log = new LogView({
    topic,
    partition: 0,
    dataDir,
    files: reader,
    configOf: () => parseTopicConfig({}),
    pageCache,
    opened: {
      slot: 0,
      logStartOffset: 0,
      logEndOffset: count,
      highWatermark: count,
      lastStableOffset: count,
      activeBytesVisible: bytes.length,
      activeAbortedCount: 0,
      segments: [
        { baseOffset: 0, sizeBytes: bytes.length, maxTimestamp: 1000 + count - 1, abortedCount: 0 },
      ],
      epochs: [{ epoch: 0, startOffset: 0 }],
      quarantined: [],
      firstDirtyOffset: 0,
      sparseEndOffset: 0,
      truncatedBytes: 0,
      cleanStart: true,
      strays: [],
      ...opened(positions),
    },
  })
  return { reader, log, positions, path, fs, pageCache }
}

const offsetsAt = async (
  reader: Reader,
  log: Log,
  offset: number,
  bytesMax = 1_000_000,
): Promise<number[]> => {
  const read = await reader.read(log, Offset(offset), { bytesMax, atLeastOne: true })
  const offsets = recordsIn(read.bytes).map((record) => record.offset)
  if (offsets.length > 0) read.release()
  return offsets
}

t.test('what was written last is read at once, until much has been written since', async (t) => {
  const { reader, log, fs, pageCache } = madeLog(t, 4, (positions) => ({
    logEndOffset: 2,
    highWatermark: 2,
    activeBytesVisible: positions[2]!,
  }))
  const readsAt = async (offset: number) => {
    fs.reads.length = 0
    t.equal((await offsetsAt(reader, log, offset, 1))[0], offset)
    return new Set(fs.reads)
  }
  t.same(await readsAt(0), new Set(['async']), 'older than this process')
  log.update({
    slot: 0,
    logStartOffset: 0,
    logEndOffset: 4,
    highWatermark: 4,
    lastStableOffset: 4,
    activeBytesVisible: realFs.stat(log.path + '/00000000000000000000.log')!.sizeBytes,
    activeAbortedCount: 0,
  })
  t.same(await readsAt(1), new Set(['async']))
  t.same(await readsAt(2), new Set(['sync']))
  t.same(await readsAt(3), new Set(['sync']))
  pageCache.bytesWritten += pageCache.hotBytes
  t.same(await readsAt(3), new Set(['async']), 'other logs have grown by more than is hot')
})

t.test('a log remembers a bounded number of hot places, each hot for as long as it should', (t) => {
  const pageCache = new PageCache(1600)
  const tail = new HotTail(pageCache)
  t.equal(tail.startOffset, Infinity)
  for (let offset = 0; offset < 10_000; offset++) {
    tail.grew(offset, 10)
    const hotBytes = (offset + 1 - tail.startOffset) * 10
    if (hotBytes > 1600 || (offset >= 160 && hotBytes < 1500)) t.fail(`${hotBytes} bytes are hot`)
  }
  t.end()
})

/** The code of the error that a read is refused with, thrown at once or later. */
async function codeOf(act: () => unknown): Promise<string | undefined> {
  try {
    await act()
    return undefined
  } catch (error) {
    return error instanceof KafkaError ? error.code : String(error)
  }
}

t.test(
  'a quarantined range answers CORRUPT_MESSAGE; what lies before and after it is read',
  async (t) => {
    const { reader, log } = madeLog(t, 10, (positions) => ({
      quarantined: [
        {
          startOffset: 3,
          endOffset: 5,
          segmentBaseOffset: 0,
          startPosition: positions[3]!,
          endPosition: positions[5]!,
        },
        {
          startOffset: 7,
          endOffset: 8,
          segmentBaseOffset: 0,
          startPosition: positions[7]!,
          endPosition: positions[8]!,
        },
      ],
    }))
    t.strictSame(await offsetsAt(reader, log, 1), [1, 2], 'a read stops before the range')
    for (const offset of [3, 4, 7])
      t.equal(
        await codeOf(() => reader.read(log, Offset(offset), { bytesMax: 1000, atLeastOne: true })),
        'CORRUPT_MESSAGE',
      )
    t.strictSame(await offsetsAt(reader, log, 5), [5, 6])
    t.strictSame(await offsetsAt(reader, log, 8), [8, 9])
    t.strictSame(await offsetsAt(reader, log, 9), [9])
    t.match(
      await reader.offsetForTimestamp(log, 1003),
      { offset: 5 },
      'a record that cannot be read is not found by its time',
    )
    t.match(await reader.offsetForMaxTimestamp(log), { offset: 9 })
  },
)

t.test('rot that nobody has found yet is refused, not served and not walked over', async (t) => {
  const { reader, log, path, positions } = madeLog(t, 10)
  const bytes = readFileSync(path)
  writeFileSync(path, bytes.fill(0xff, positions[4], positions[5]))
  t.strictSame(await offsetsAt(reader, log, 1, 500), [1, 2], 'before it all is well')
  t.equal(
    await codeOf(() => reader.read(log, Offset(4), { bytesMax: 1000, atLeastOne: true })),
    'CORRUPT_MESSAGE',
  )
  t.equal(
    await codeOf(() => reader.read(log, Offset(6), { bytesMax: 1000, atLeastOne: true })),
    'CORRUPT_MESSAGE',
    'there is no index to go around it',
  )
  truncateSync(path, positions[2]! + 20)
  t.equal(
    await codeOf(() => reader.read(log, Offset(2), { bytesMax: 1000, atLeastOne: true })),
    'CORRUPT_MESSAGE',
    'a file that is too short',
  )
  t.strictSame(await offsetsAt(reader, log, 0, 200), [0])
})

t.test(
  'nothing past the high watermark is given, also when a segment is closed before it is durable',
  async (t) => {
    const { reader, log, positions, path } = madeLog(t, 6, (at) => ({
      highWatermark: 4,
      lastStableOffset: 4,
      activeBytesVisible: at[4]!,
      activeAbortedCount: 0,
    }))
    t.strictSame(await offsetsAt(reader, log, 2), [2, 3])
    t.strictSame(await offsetsAt(reader, log, 4), [], 'the end')
    t.strictSame(await offsetsAt(reader, log, 5), [], 'written, not yet visible')
    t.equal(
      await codeOf(() => reader.read(log, Offset(7), { bytesMax: 1000, atLeastOne: true })),
      'OFFSET_OUT_OF_RANGE',
    )
    const sizeBytes = readFileSync(path).length
    log.roll({ baseOffset: 0, sizeBytes, maxTimestamp: 1005, abortedCount: 0 }, 6)
    const state = {
      slot: 0,
      logStartOffset: 0,
      logEndOffset: 6,
      activeBytesVisible: 0,
      activeAbortedCount: 0,
    }
    log.update({ ...state, highWatermark: 4, lastStableOffset: 4 })
    t.strictSame(await offsetsAt(reader, log, 2), [2, 3])
    t.strictSame(await offsetsAt(reader, log, 4), [])
    t.equal(log.sizeBytes, positions[4])
    log.update({ ...state, highWatermark: 6, lastStableOffset: 6 })
    t.strictSame(await offsetsAt(reader, log, 4), [4, 5])
    t.strictSame(await offsetsAt(reader, log, 6), [])
    t.equal(log.sizeBytes, sizeBytes)
    t.equal(log.segmentCount, 2)
  },
)

t.test(
  'the end of an epoch is the start of the next; of the current one, the end of the log',
  async (t) => {
    const epochs = [
      { epoch: 1, startOffset: 0 },
      { epoch: 3, startOffset: 4 },
      { epoch: 4, startOffset: 7 },
    ]
    const { log } = madeLog(t, 10, () => ({ epochs }))
    t.equal(log.leaderEpoch, 4)
    const answers = [0, 1, 2, 3, 4, 5].map((epoch) => log.endOffsetOfEpoch(epoch))
    t.strictSame(answers, [
      undefined,
      { epoch: 1, endOffset: 4 },
      { epoch: 1, endOffset: 4 },
      { epoch: 3, endOffset: 7 },
      { epoch: 4, endOffset: 10 },
      undefined,
    ])
  },
)

t.test('a reader that tails asks the disk once a read, and not to find its place', async (t) => {
  const { reader, log, fs } = madeLog(t, 50, (positions) => ({
    logEndOffset: 40,
    highWatermark: 40,
    lastStableOffset: 40,
    activeBytesVisible: positions[40]!,
    activeAbortedCount: 0,
  }))
  const end = (offset: number) => ({
    slot: 0,
    logStartOffset: 0,
    logEndOffset: offset,
    highWatermark: offset,
    lastStableOffset: offset,
  })
  t.strictSame(await offsetsAt(reader, log, 40), [])
  t.equal(log.bytesAvailable(Offset(40)), 0)
  const batchBytes = log.sizeBytes / 40
  log.update({ ...end(43), activeBytesVisible: 43 * batchBytes, activeAbortedCount: 0 })
  t.equal(log.bytesAvailable(Offset(40)), 3 * batchBytes)
  t.strictSame(await offsetsAt(reader, log, 40), [40, 41, 42])
  log.update({ ...end(50), activeBytesVisible: 50 * batchBytes, activeAbortedCount: 0 })
  t.strictSame(await offsetsAt(reader, log, 43, 2.5 * batchBytes), [43, 44])
  t.equal(log.bytesAvailable(Offset(45)), 5 * batchBytes)
  t.strictSame(await offsetsAt(reader, log, 45), [45, 46, 47, 48, 49])
  t.strictSame(fs.reads, ['sync', 'sync', 'sync'])
})

t.test('what was there before this process is read without stalling it', async (t) => {
  const { reader, log, fs } = madeLog(t, 20)
  t.strictSame(
    await offsetsAt(reader, log, 7),
    Array.from({ length: 13 }, (_, i) => i + 7),
  )
  t.notOk(fs.reads.includes('sync'), fs.reads.join())
})

t.test('a buffer is given back once; what was read stays as it is until then', async (t) => {
  const { reader, log } = madeLog(t, 4)
  const reads = await Promise.all(
    [0, 1, 2, 3].map(async (offset) =>
      reader.read(log, Offset(offset), { bytesMax: 1, atLeastOne: true }),
    ),
  )
  t.strictSame(
    reads.flatMap((read) => recordsIn(read.bytes).map(({ value }) => value?.trim())),
    ['v0', 'v1', 'v2', 'v3'],
  )
  for (const read of reads) read.release()
  t.throws(() => reads[0]!.release(), /released once/)
})

t.test('a file is not closed under a read that uses it, however few may be open', async (t) => {
  const dataDir = tempDirectory(t)
  const store = await openStore({
    dataDir,
    writer: 'inline',
    clock: new VirtualClock(),
    openFilesMax: 1,
  })
  await store.topics.create({ name: 'many', partitionCount: 8 })
  const logs = Array.from({ length: 8 }, (_, partition) => store.logs.get('many', partition)!)
  for (const log of logs) await appendValues(store, log, [`of ${log.partition}`])
  await store[Symbol.asyncDispose]()
  await using again = await openStore({
    dataDir,
    writer: 'inline',
    clock: new VirtualClock(),
    openFilesMax: 1,
  })
  const values = await Promise.all(
    logs.map(
      async ({ partition }) =>
        (await readRecords(again.reader, again.logs.get('many', partition)!, 0))[0]?.value,
    ),
  )
  t.strictSame(
    values,
    logs.map(({ partition }) => `of ${partition}`),
  )
})

t.test(
  'a log whose topic is deleted, or whose segment goes, refuses reads in a way that clients retry',
  async (t) => {
    const { reader, log, path } = madeLog(t, 4)
    rmSync(path)
    t.equal(
      await codeOf(() => reader.read(log, Offset(1), { bytesMax: 1000, atLeastOne: true })),
      'NOT_LEADER_OR_FOLLOWER',
    )
    log.remove()
    t.equal(
      await codeOf(() => reader.read(log, Offset(1), { bytesMax: 1000, atLeastOne: true })),
      'UNKNOWN_TOPIC_OR_PARTITION',
    )
    t.equal(await codeOf(() => reader.offsetForTimestamp(log, 1)), 'UNKNOWN_TOPIC_OR_PARTITION')
  },
)
