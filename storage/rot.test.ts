// Rot below the checkpoint: whatever happens to the bytes of a segment, no reader gets a wrong byte or offset, the
// scrubber finds the rot, and the records before and behind it stay readable.

import { strict as assert } from 'node:assert'
import t, { type Test } from 'tap'
import { VirtualClock } from '../broker/testing/virtual-clock.ts'
import { position as field, stampBatch, stampCrc } from '../protocol/batch/header.ts'
import { KafkaError } from '../protocol/errors.ts'
import { Offset } from '../protocol/ids.ts'
import { budget } from '../protocol/testing/budget.ts'
import { SEED } from '../protocol/testing/seed.ts'
import { scrubPiece } from './cleaner/worker/scrub-piece.ts'
import { systemClock } from './clock.ts'
import { parseTopicConfig } from './config.ts'
import { PageCache } from './read/hot-tail.ts'
import { LogView } from './read/log-view.ts'
import { openStore } from './open-store.ts'
import { LogReader } from './read/reader.ts'
import { InlineSearchPort } from './search/port.ts'
import type { Log, Store } from './store.ts'
import type { StoreOptions } from './store-options.ts'
import { FaultyFs } from './testing/faulty-fs.ts'
import { keyedBatch } from './testing/keyed-log.ts'
import { liesIn, lostIn, seenIn, type SeenBatch } from './testing/rot-kit.ts'
import { tempDirectory } from './testing/store-kit.ts'
import { uniqueBatch } from './testing/stored-log.ts'

// FLIP_STRIDE=1 takes minutes.
const FLIP_STRIDE = budget(3203, 101, 'FLIP_STRIDE')
const timeout = FLIP_STRIDE < 101 ? 0 : 110_000
t.setTimeout(timeout)

const SEGMENT_BITS = 64 * 1024 * 8
const LOG_PATH = '/data/rot-0/00000000000000000000'

/** A segment of at least 64 KiB on a disk in memory, all of it cold. */
function coldSegment() {
  const disk = new FaultyFs()
  disk.makeDirectory('/data/rot-0')
  const batches: SeenBatch[] = []
  let sizeBytes = 0
  let offset = 0
  for (let serial = 0; sizeBytes * 8 < SEGMENT_BITS; serial++) {
    const bytes = uniqueBatch(serial, 1 + (serial % 3), Math.floor(600 / (1 + (serial % 3))))
    stampBatch(bytes, 0, offset, 3)
    batches.push({ baseOffset: offset, lastOffset: offset + (serial % 3), bytes })
    sizeBytes += bytes.length
    offset += 1 + (serial % 3)
  }
  disk.place(`${LOG_PATH}.log`, Buffer.concat(batches.map(({ bytes }) => bytes)))
  const topic = { name: 'rot', id: 'x', partitionCount: 1, config: {}, isInternal: false }
  const reader = new LogReader({
    fs: disk,
    search: new InlineSearchPort(disk),
    openFilesMax: 2,
    warn() {},
    onRot() {},
  })
  const log = new LogView({
    topic,
    partition: 0,
    dataDir: '/data',
    files: reader,
    configOf: () => parseTopicConfig({}),
    pageCache: new PageCache(0),
    opened: {
      slot: 0,
      logStartOffset: 0,
      logEndOffset: offset,
      highWatermark: offset,
      lastStableOffset: offset,
      activeBytesVisible: sizeBytes,
      activeAbortedCount: 0,
      segments: [{ baseOffset: 0, sizeBytes, maxTimestamp: 1, abortedCount: 0 }],
      epochs: [{ epoch: 3, startOffset: 0 }],
      quarantined: [],
      firstDirtyOffset: 0,
      sparseEndOffset: 0,
      truncatedBytes: 0,
      cleanStart: true,
      strays: [],
    },
  })
  const scrub = () => {
    const { bad } = scrubPiece(disk, {
      path: LOG_PATH,
      segmentBaseOffset: 0,
      position: 0,
      offset: 0,
      endPosition: sizeBytes,
      endOffset: offset,
      isSparse: false,
      epochs: log.epochs,
      bytesMax: Infinity,
    })
    log.quarantine(bad)
    return bad
  }
  return { content: disk.contentOf(`${LOG_PATH}.log`), batches, sizeBytes, reader, log, scrub }
}

t.test(
  'any bit of a segment flipped: no wrong byte is served, one batch is lost',
  { timeout },
  async (t) => {
    const { content, batches, sizeBytes, reader, log, scrub } = coldSegment()
    const pristine = Buffer.from(content)
    const starts: number[] = []
    for (let at = 0; starts.length < batches.length; at += batches[starts.length - 1]!.bytes.length)
      starts.push(at)
    /** Reads everything, one batch further after each refusal. @returns batches that were refused */
    const refusedNow = async (): Promise<SeenBatch[]> => {
      const refused: SeenBatch[] = []
      for (let i = 0; i < batches.length;) {
        try {
          const limits = { bytesMax: 1e6, atLeastOne: true }
          const read = await reader.read(log, Offset(batches[i]!.baseOffset), limits)
          const { bytes } = read
          const start = starts[i]!
          assert(pristine.subarray(start, start + bytes.length).equals(bytes), `batch ${i}`)
          i = starts.indexOf(start + bytes.length)
          if (i < 0) i = batches.length
          assert(i < batches.length || start + bytes.length === sizeBytes, 'whole batches')
          read.release()
        } catch (error) {
          if (!(error instanceof KafkaError && error.code === 'CORRUPT_MESSAGE')) throw error
          refused.push(batches[i++]!)
        }
      }
      return refused
    }
    let flipCount = 0
    for (let bit = SEED % FLIP_STRIDE; bit < sizeBytes * 8; bit += FLIP_STRIDE) {
      const at = bit >> 3
      content[at]! ^= 1 << (bit & 7)
      const hit = batches[starts.findLastIndex((start) => start <= at)]!
      log.quarantine([])
      assert((await refusedNow()).includes(hit), `bit ${bit}, unscrubbed`)
      const bad = scrub()
      const ranges = bad.map(({ startOffset, endOffset }) => [startOffset, endOffset])
      assert.deepEqual(ranges, [[hit.baseOffset, hit.lastOffset + 1]], `bit ${bit}`)
      assert.deepEqual(await refusedNow(), [hit], `bit ${bit}, scrubbed`)
      content[at]! ^= 1 << (bit & 7)
      flipCount++
    }
    t.pass(`${flipCount} of ${sizeBytes * 8} bits, SEED=${SEED}`)
  },
)

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
/** No other background work. */
const calm = { isCompactionEnabled: false, retentionCheckIntervalMs: 100 * DAY_MS }

const DATA = '/data'
const FIRST_LOG = '/data/rot-0/00000000000000000000.log'

interface World {
  readonly disk: FaultyFs
  readonly store: Store
  readonly log: Log
  readonly clock: VirtualClock
  readonly warnings: string[]
  readonly batches: readonly SeenBatch[]
}

const small = {
  'segment.bytes': '4000',
  'index.interval.bytes': '300',
  'flush.policy': 'os',
}

/** A log of several segments that were written before this process. */
async function worldOf(
  t: Test,
  options: Partial<StoreOptions> = {},
  config: Record<string, string> = small,
): Promise<World> {
  const disk = new FaultyFs()
  const clock = new VirtualClock()
  const first = await openStore({ dataDir: DATA, fs: disk, writer: 'inline', clock })
  await first.topics.create({ name: 'rot', partitionCount: 1, config })
  for (let serial = 0; serial < 40; serial++) {
    const batch = uniqueBatch(serial, 1 + (serial % 3), 120)
    await first.writer.append(first.logs.get('rot', 0)!, batch)
  }
  await first[Symbol.asyncDispose]()
  return reopened(t, disk, clock, options)
}

async function reopened(
  t: Test,
  disk: FaultyFs,
  clock: VirtualClock,
  options: Partial<StoreOptions> = {},
): Promise<World> {
  const warnings: string[] = []
  const onWarning = (message: string) => warnings.push(message)
  const world = { dataDir: DATA, fs: disk, clock, onWarning, ...options }
  const store = await openStore({ writer: 'inline', ...world })
  t.teardown(() => store[Symbol.asyncDispose]())
  const log = store.logs.get('rot', 0)!
  const { batches } = await seenIn(store.reader, log)
  return { disk, store, log, clock, warnings, batches }
}

/** Changes the file in place, as readers with an open descriptor see it. */
function mutate(disk: FaultyFs, change: (content: Buffer) => Buffer, path = FIRST_LOG): void {
  const content = change(Buffer.from(disk.contentOf(path)))
  const fd = disk.open(path, 'write')
  disk.truncate(fd, 0)
  disk.write(fd, content, 0)
  disk.close(fd)
}

/** Runs timers until it has happened; a reader's suspicion is followed up without any. */
async function until(clock: VirtualClock, stepMs: number, hasHappened: () => boolean) {
  for (let i = 0; i < 2000 && !hasHappened(); i++) await clock.advance(stepMs)
  assert(hasHappened(), 'it has happened')
}

/** Where the batches of the first segment lie. */
function placesIn(content: Buffer): { at: number; end: number; baseOffset: number }[] {
  const places = []
  for (let at = 0; at < content.length;) {
    const end = at + 12 + content.readInt32BE(at + field.batchLength)
    places.push({ at, end, baseOffset: Number(content.readBigInt64BE(at)) })
    at = end
  }
  return places
}

const mutations: Record<string, (content: Buffer) => Buffer> = {}
for (const [name, at] of Object.entries(field)) {
  for (const bit of [0, 5, 7]) {
    mutations[`bit ${bit} of ${name} flipped`] = (content) => {
      content[placesIn(content)[4]!.at + at]! ^= 1 << bit
      return content
    }
  }
}
Object.assign(mutations, {
  'the low bit of baseOffset flipped': (content: Buffer) => {
    content[placesIn(content)[4]!.at + 7]! ^= 1
    return content
  },
  'a sector zeroed': (content: Buffer) => content.fill(0, 1024, 1536),
  'two batches swapped': (content: Buffer) => {
    const [a, b] = placesIn(content).slice(3, 5)
    const [first, second] = [content.subarray(a!.at, a!.end), content.subarray(b!.at, b!.end)]
    const after = content.subarray(b!.end)
    return Buffer.concat([content.subarray(0, a!.at), second, first, after])
  },
  'a batch there twice': (content: Buffer) => {
    const { at, end } = placesIn(content)[4]!
    const twice = [content.subarray(0, end), content.subarray(at, end), content.subarray(end)]
    return Buffer.concat(twice).subarray(0, content.length)
  },
  'a piece taken out of the middle': (content: Buffer) =>
    Buffer.concat([content.subarray(0, 1000), content.subarray(1600)]),
  'a batch taken out of the middle': (content: Buffer) => {
    const { at, end } = placesIn(content)[4]!
    return Buffer.concat([content.subarray(0, at), content.subarray(end)])
  },
  'the end cut off between two batches': (content: Buffer) =>
    content.subarray(0, placesIn(content).at(-2)!.at),
  'nothing left': () => Buffer.alloc(0),
  'a batch of another partition, its CRC right': (content: Buffer) => {
    const stranger = uniqueBatch(99, 1, 120)
    stampBatch(stranger, 0, 2, 0)
    content.set(stranger, placesIn(content)[4]!.at)
    return content
  },
  'a batch of another partition in the place of one, its offset and CRC right': (
    content: Buffer,
  ) => {
    const { at, end, baseOffset } = placesIn(content)[4]!
    content.writeUInt8(content[end - 1]! ^ 1, end - 1)
    stampCrc(content, at, end - at)
    stampBatch(content, at, baseOffset, 7)
    return content
  },
})

t.test(
  'whatever happens to a segment is found by a reader, and what is behind it served',
  async (t) => {
    for (const [name, change] of Object.entries(mutations)) {
      await t.test(name, async (t) => {
        const world = await worldOf(t)
        const { disk, log, clock, warnings, store, batches } = world
        mutate(disk, change)
        t.strictSame(liesIn(batches, await seenIn(store.reader, log)), [], 'before the verdict')
        await until(clock, 0, () => store.cleaner.counts.scrub.corruptBatches > 0)
        const after = await seenIn(store.reader, log)
        t.strictSame(liesIn(batches, after), [], 'after the verdict')
        t.strictSame([...new Set(after.refused.values())], ['CORRUPT_MESSAGE'])
        const endOfFirst =
          log.segmentCount > 1 ? batches.filter(({ baseOffset }) => baseOffset > 22) : []
        t.ok(endOfFirst.every(({ baseOffset }) => !lostIn(batches, after).includes(baseOffset)))
        t.equal(
          warnings.filter((each) => /^rot-0: offsets \d+ to \d+ cannot be read/.test(each)).length,
          store.cleaner.counts.scrub.corruptBatches,
          'it is said',
        )
        await store[Symbol.asyncDispose]()
        const again = await reopened(t, disk, clock)
        const seen = await seenIn(again.store.reader, again.log)
        t.strictSame(liesIn(batches, seen), [], 'after a restart')
        t.strictSame([...seen.refused.keys()], [...after.refused.keys()], 'and it is remembered')
      })
    }
  },
)

/** One bit, where only a CRC tells. */
function flipped(...places: number[]): (content: Buffer) => Buffer {
  return (content) => {
    for (const at of places) content[at < 0 ? content.length + at : at]! ^= 1
    return content
  }
}

t.test('the scrubber reads every segment once in its interval, at a bounded rate', async (t) => {
  const config = { ...calm, scrubIntervalMs: DAY_MS, scrubBytesPerSecond: 1024 }
  const { disk, store, log, clock, warnings } = await worldOf(t, { cleaner: config })
  const scrubbed = () => store.cleaner.counts.scrub
  const sizeBytes = log.sizeBytes
  mutate(disk, flipped(700))
  await clock.advance(59_000)
  t.equal(scrubbed().readBytes, 0, 'a start has other things to do')
  let worst = 0
  for (let seconds = 1; scrubbed().passes === 0; seconds++) {
    await clock.advance(1000)
    worst = Math.max(worst, scrubbed().readBytes - 1024 * seconds)
    assert(seconds < 1000)
  }
  t.ok(worst < 2048, `never more than a piece ahead: ${worst}`)
  t.equal(scrubbed().readBytes >= sizeBytes, true)
  t.equal(scrubbed().corruptBatches, 1)
  t.match(warnings.at(-1), /^rot-0: offsets \d+ to \d+ cannot be read: bytes \d+ to \d+ of .*\.log/)
  t.ok(store.logs.quarantinedOffsetCount >= 1 && store.logs.quarantinedOffsetCount <= 3)
  const { readBytes } = scrubbed()
  await clock.advance(DAY_MS - HOUR_MS)
  t.equal(scrubbed().readBytes, readBytes, 'then it rests')
  await clock.advance(2 * HOUR_MS)
  t.equal(scrubbed().passes, 2)
  t.equal(scrubbed().corruptBatches, 1, 'what is known is passed over')
  store.cleaner.configure({ scrubIntervalMs: -1 })
  await clock.advance(10 * DAY_MS)
  t.equal(scrubbed().passes, 2, 'it can be turned off')
  store.cleaner.configure({ scrubIntervalMs: HOUR_MS })
  await until(clock, 1000, () => scrubbed().passes === 3)
})

t.test('a broker that is restarted often still scrubs everything', async (t) => {
  const cleaner = { ...calm, scrubIntervalMs: 7 * DAY_MS, scrubBytesPerSecond: 1024 }
  let world = await worldOf(t, { cleaner }, { ...small, 'segment.bytes': '1500' })
  const { clock, disk } = world
  const segmentCount = world.log.segmentCount
  t.ok(segmentCount > 4)
  let scrubbedCount = 0
  let lives = 0
  for (let passes = 0; passes === 0; lives++) {
    assert(lives < 20, 'the pass ends')
    await clock.advance(60_000 + 12_000)
    const { scrub } = world.store.cleaner.counts
    scrubbedCount += scrub.segments
    passes = scrub.passes
    await world.store[Symbol.asyncDispose]()
    await clock.advance(HOUR_MS)
    world = await reopened(t, disk, clock, { cleaner })
  }
  t.ok(lives >= 2, `${lives} lives`)
  t.ok(scrubbedCount < 2 * segmentCount + lives, `${scrubbedCount} of ${segmentCount} segments`)
  await clock.advance(DAY_MS)
  t.equal(world.store.cleaner.counts.scrub.readBytes, 0, 'and nothing before its time')
  await clock.advance(7 * DAY_MS)
  t.equal(world.store.cleaner.counts.scrub.passes, 1)
})

t.test('rot in the active segment is found, hot or not, and appends go on behind it', async (t) => {
  const { disk, store, log, clock, batches } = await worldOf(t, {}, { 'flush.policy': 'os' })
  t.equal(log.segmentCount, 1)
  const fresh = uniqueBatch(77, 1, 100)
  const { baseOffset } = await store.writer.append(log, fresh)
  mutate(disk, flipped(900, -5))
  await until(clock, 60_000, () => store.cleaner.counts.scrub.corruptBatches === 2)
  t.equal(log.segmentCount, 2)
  const seen = await seenIn(store.reader, log)
  t.strictSame(liesIn(batches, seen), [])
  t.equal(seen.refused.get(baseOffset), 'CORRUPT_MESSAGE')
  const next = await store.writer.append(log, uniqueBatch(78, 1, 100))
  t.equal(next.baseOffset, baseOffset + 1, 'no offset is given out again')
  t.equal((await seenIn(store.reader, log)).batches.at(-1)!.baseOffset, baseOffset + 1)
  await store[Symbol.asyncDispose]()
  const again = await reopened(t, disk, clock)
  t.equal(again.log.highWatermark, baseOffset + 2)
  t.strictSame(
    [...(await seenIn(again.store.reader, again.log)).refused.keys()],
    [...seen.refused.keys()],
  )
})

t.test(
  'with quarantine.policy=skip readers pass over what has rotted, and wait behind it',
  async (t) => {
    const { disk, store, log, clock, batches } = await worldOf(t, {}, { 'flush.policy': 'os' })
    const places = placesIn(Buffer.from(disk.contentOf(FIRST_LOG)))
    mutate(disk, flipped(places[4]!.end - 1, places.at(-1)!.end - 1))
    t.strictSame(liesIn(batches, await seenIn(store.reader, log)), [])
    await until(clock, 0, () => store.cleaner.counts.scrub.corruptBatches === 2)
    t.equal((await seenIn(store.reader, log)).refused.size > 0, true)
    await store.topics.configure('rot', (before) => ({ ...before, 'quarantine.policy': 'skip' }))
    const seen = await seenIn(store.reader, log)
    t.equal(seen.refused.size, 0)
    t.strictSame(lostIn(batches, seen), [places[4]!.baseOffset, places.at(-1)!.baseOffset])
    t.equal(log.bytesAvailable(Offset(places.at(-1)!.baseOffset)), 0, 'nothing to wake a fetch for')
    await store.writer.append(log, uniqueBatch(78, 1, 100))
    t.ok(log.bytesAvailable(Offset(places.at(-1)!.baseOffset)) > 0)
    const limits = { bytesMax: 1000, atLeastOne: true }
    const read = await store.reader.read(log, Offset(places.at(-1)!.baseOffset), limits)
    t.equal(read.bytes.length > 0, true)
    read.release()
  },
)

const keyed = {
  ...small,
  'cleanup.policy': 'compact',
  'min.cleanable.dirty.ratio': '0',
  'file.delete.delay.ms': '0',
}

/** A compacted log with gaps between its batches. */
async function compactedWorld(t: Test): Promise<World> {
  const disk = new FaultyFs()
  const clock = new VirtualClock()
  const store = await openStore({ dataDir: DATA, fs: disk, writer: 'inline', clock })
  await store.topics.create({ name: 'rot', partitionCount: 1, config: keyed })
  for (let i = 0; i < 120; i++) {
    const key = i % 9 === 0 ? `lasts ${i}` : `key ${i % 5}`
    const record = { key, value: `${i}`.repeat(30), timestamp: clock.now() }
    await store.writer.append(store.logs.get('rot', 0)!, keyedBatch([record]))
  }
  await until(clock, 1000, () => store.cleaner.counts.compaction.recordsDropped > 50)
  await store[Symbol.asyncDispose]()
  return reopened(t, disk, clock, { cleaner: calm })
}

t.test(
  'a base offset that moved within a gap of a compacted log is found by the scrubber',
  async (t) => {
    const { disk, store, log, clock, batches } = await compactedWorld(t)
    const places = placesIn(Buffer.from(disk.contentOf(FIRST_LOG)))
    const after = places.findIndex(
      ({ baseOffset }, i) => i > 0 && (places[i + 1]?.baseOffset ?? 0) > baseOffset + 4,
    )
    const victim = places[after]!
    const bit = victim.baseOffset % 2 === 0 ? 1 : 2
    mutate(disk, (content) => {
      content[victim.at + 7]! ^= bit
      return content
    })
    await until(clock, 60_000, () => store.cleaner.counts.scrub.corruptBatches > 0)
    const seen = await seenIn(store.reader, log)
    t.strictSame(liesIn(batches, seen), [])
    t.strictSame(lostIn(batches, seen), [victim.baseOffset], 'and only its batch is lost')
    await until(clock, HOUR_MS, () => store.cleaner.counts.scrub.passes === 2)
    t.equal(store.cleaner.counts.scrub.corruptBatches, 1)
  },
)

t.test('a segment with the batches of another log is quarantined as a whole', async (t) => {
  const { disk, store, log, clock, batches } = await worldOf(t, { cleaner: calm })
  const others = (content: Buffer) => {
    for (const { at, end } of placesIn(content)) {
      content[end - 1]! ^= 1
      stampCrc(content, at, end - at)
    }
    return content
  }
  mutate(disk, others)
  await until(clock, 60_000, () => store.cleaner.counts.scrub.corruptBatches > 0)
  const seen = await seenIn(store.reader, log)
  t.strictSame(liesIn(batches, seen), [])
  t.equal(seen.refused.get(0), 'CORRUPT_MESSAGE')
  t.ok(seen.batches.length > 10, 'other segments are served')
})

t.test('compaction does not make rot look sound, and goes on around it', async (t) => {
  const disk = new FaultyFs()
  const clock = new VirtualClock()
  const cleaner = { backoffMs: 1000, isCompactionEnabled: false }
  const store = await openStore({ dataDir: DATA, fs: disk, writer: 'inline', clock, cleaner })
  t.teardown(() => store[Symbol.asyncDispose]())
  await store.topics.create({ name: 'rot', partitionCount: 1, config: keyed })
  const log = store.logs.get('rot', 0)!
  for (let i = 0; i < 120; i++) {
    const record = { key: `key ${i % 5}`, value: `${i}`.repeat(30), timestamp: clock.now() }
    await store.writer.append(log, keyedBatch([record]))
  }
  const { batches } = await seenIn(store.reader, log)
  const victim = placesIn(Buffer.from(disk.contentOf(FIRST_LOG)))[5]!
  mutate(disk, (content) => {
    content[victim.at + 4]! ^= 1
    return content
  })
  store.cleaner.configure({ isCompactionEnabled: true })
  await until(clock, 1000, () => store.cleaner.counts.scrub.corruptBatches > 0)
  await until(clock, 60_000, () => store.cleaner.counts.compaction.recordsDropped > 10)
  const { batches: left, refused } = await seenIn(store.reader, log)
  const known = new Set(batches.map(({ baseOffset }) => baseOffset))
  t.ok(
    left.every(({ baseOffset }) => known.has(baseOffset)),
    'no offset that was never given out',
  )
  t.equal(refused.get(5), 'CORRUPT_MESSAGE')
  t.equal(
    left.filter(({ baseOffset }) => baseOffset < 10).length,
    9,
    'its segment is left as it is',
  )
})

t.test('bytes that come back are served again once the checkpoint is gone', async (t) => {
  const { disk, store, clock, batches } = await worldOf(t)
  const sound = disk.contentOf(FIRST_LOG).slice()
  mutate(disk, flipped(900))
  await until(clock, 60_000, () => store.logs.quarantinedOffsetCount > 0)
  await store[Symbol.asyncDispose]()
  disk.place(FIRST_LOG, sound)
  disk.removeFile(`${DATA}/recovery-checkpoint`)
  const again = await reopened(t, disk, clock)
  t.equal(again.store.logs.quarantinedOffsetCount, 0)
  t.strictSame(lostIn(batches, await seenIn(again.store.reader, again.log)), [])
})

t.test('a file that somebody copied into a log is put aside', async (t) => {
  const { disk, store, clock, batches, log } = await worldOf(t)
  const inside = batches.at(4)!.baseOffset
  const copy = `${DATA}/rot-0/${String(inside).padStart(20, '0')}.log`
  await store[Symbol.asyncDispose]()
  disk.place(copy, disk.contentOf(FIRST_LOG))
  const again = await reopened(t, disk, clock)
  t.strictSame(lostIn(batches, await seenIn(again.store.reader, again.log)), [])
  t.equal(again.log.segmentCount, log.segmentCount)
  t.match(again.warnings, [`${copy}.stray: no segment of this log, put aside`])
  t.ok(disk.stat(`${copy}.stray`))
})

t.test(
  'in threads, what is written, compacted and scrubbed at once never looks rotten',
  async (t) => {
    const warnings: string[] = []
    const store = await openStore({
      dataDir: tempDirectory(t),
      writer: 'thread',
      clock: systemClock,
      cleaner: { backoffMs: 10, scrubBytesPerSecond: 1e9 },
      onWarning: (message) => warnings.push(message),
    })
    t.teardown(() => store[Symbol.asyncDispose]())
    const config = { ...keyed, 'segment.bytes': '20000' }
    await store.topics.create({ name: 'rot', partitionCount: 1, config })
    const log = store.logs.get('rot', 0)!
    const counts = () => store.cleaner.counts
    for (let i = 0; counts().scrub.passes < 5 || counts().compaction.passes < 5; i++) {
      const records = Array.from({ length: 40 }, (_, n) => {
        return { key: `key ${(i * 7 + n) % 90}`, value: `${i}`.repeat(20), timestamp: i }
      })
      await store.writer.append(log, keyedBatch(records))
      // Each change of the interval begins a pass as soon as one is due.
      store.cleaner.configure({ scrubIntervalMs: 1 + (i % 2) })
    }
    t.match(counts().scrub, { corruptBatches: 0, failures: 0 })
    t.equal(counts().compaction.failures, 0)
    t.strictSame(warnings, [])
    t.equal((await seenIn(store.reader, log)).refused.size, 0)
  },
)

t.test('a segment that is sealed while it is scrubbed is not taken for another one', async (t) => {
  const cleaner = { ...calm, scrubBytesPerSecond: 1024 }
  const { store, log, clock, warnings } = await worldOf(
    t,
    { cleaner },
    { 'segment.bytes': '16000' },
  )
  await clock.advance(60_000 + 3000)
  for (let i = 0; i < 40; i++) await store.writer.append(log, uniqueBatch(i, 1, 300))
  t.ok(log.segmentCount > 1)
  await until(clock, 1000, () => store.cleaner.counts.scrub.passes === 1)
  t.match(store.cleaner.counts.scrub, { corruptBatches: 0, failures: 0 })
  t.strictSame(
    warnings.filter((each) => !each.startsWith('the clock')),
    [],
  )
})
