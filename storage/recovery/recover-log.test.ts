// Recovery: torn tails are cut off, rot costs one batch and is always found, indexes are rebuilt.

import { strict as assert } from 'node:assert'
import t from '../../protocol/testing/tap.ts'
import { BatchBuilder } from '../../protocol/batch/build.ts'
import { int32At, int64At, stampBatch } from '../../protocol/batch/header.ts'
import { budget, thinned, thinnedSteps } from '../../protocol/testing/budget.ts'
import { SEED } from '../../protocol/testing/seed.ts'
import { systemClock } from '../clock.ts'
import { swapFile } from '../layout.ts'
import { defaultProducerLimits } from '../producers/producer-state.ts'
import { FaultyFs } from '../testing/faulty-fs.ts'
import { seededRandom } from '../testing/random.ts'
import { storedBatches, type StoredBatch, uniqueBatch } from '../testing/stored-log.ts'
import { smallConfig } from '../testing/writer-world.ts'
import type { Opened, LogConfig, Quarantined } from '../log-facts.ts'
import { checkpointLine, type LogCheckpoint, parseLine } from './recovery-checkpoint.ts'
import { LogWriter } from '../writer/writer.ts'
import { type Recovered, recoverLog } from './recover-log.ts'
import { finishSwap } from '../segment/segment-swap.ts'

const DATA = '/data'
const PATH = '/data/topic-0'
const LOG = `${PATH}/00000000000000000000.log`
const config: LogConfig = { ...smallConfig, segmentBytesMax: 1_000_000, indexIntervalBytes: 500 }

interface Written {
  readonly batches: readonly StoredBatch[]
  /** Path -> content, as an orderly close left them. */
  readonly files: ReadonlyMap<string, Uint8Array>
  readonly endOffset: number
  /** As of the open: it covers nothing. */
  readonly early: LogCheckpoint
  /** As of the close. */
  readonly late: LogCheckpoint
}

/** A log of these batches, written by the writer. @param rollAfter begin a segment after this many batches */
function written(batchCount: number, valueBytes: number, rollAfter = Infinity): Written {
  const disk = new FaultyFs()
  disk.makeDirectory(DATA)
  const segmentBytesMax = rollAfter === Infinity ? 1_000_000 : rollAfter * (valueBytes + 90)
  const open = { slot: 0, directory: 'topic-0', config: { ...config, segmentBytesMax } }
  const writer = new LogWriter({ fs: disk, clock: systemClock, dataDir: DATA })
  writer.turn([{ kind: 'open', id: 1, logs: [{ ...open, create: true }] }])
  const early = checkpointOf(disk)
  for (let serial = 0; serial < batchCount; serial++) {
    const batch = uniqueBatch(serial, 1 + (serial % 3), Math.floor(valueBytes / (1 + (serial % 3))))
    writer.turn([{ kind: 'append', id: 2, slot: 0, batch }])
  }
  writer.turn([{ kind: 'close', id: 3, clean: true }])
  const late = checkpointOf(disk)
  const again = new LogWriter({ fs: disk, clock: systemClock, dataDir: DATA })
  const { outcomes } = again.turn([{ kind: 'open', id: 1, logs: [{ ...open, create: false }] }])
  const [opened] = outcomes[0]!.opened!
  assert(opened!.cleanStart)
  const files = disk.readDirectory(PATH).map(({ name }) => `${PATH}/${name}`)
  return {
    batches: storedBatches(disk, PATH, opened!),
    files: new Map(files.map((path) => [path, disk.contentOf(path).slice()])),
    endOffset: opened!.logEndOffset,
    early,
    late,
  }
}

function checkpointOf(disk: FaultyFs): LogCheckpoint {
  const text = Buffer.from(disk.contentOf(`${DATA}/recovery-checkpoint`)).toString()
  return parseLine(text.split('\n')[1]!)
}

function diskWith(files: ReadonlyMap<string, Uint8Array>): FaultyFs {
  const disk = new FaultyFs()
  disk.makeDirectory(PATH)
  for (const [path, content] of files) disk.place(path, content)
  return disk
}

function recover(disk: FaultyFs, checkpoint: LogCheckpoint | undefined): Recovered {
  return recoverLog({
    fs: disk,
    clock: systemClock,
    path: PATH,
    config,
    checkpoint,
    distrustsCache: false,
    producerLimits: defaultProducerLimits,
  })
}

function quarantinedBatch({ segmentBaseOffset, ...batch }: StoredBatch): Quarantined {
  return {
    startOffset: batch.baseOffset,
    endOffset: batch.lastOffset + 1,
    segmentBaseOffset,
    startPosition: batch.position,
    endPosition: batch.position + batch.bytes.length,
  }
}

/** The stored batches after a recovery, checked for gaps and checksums. */
function stored(disk: FaultyFs, recovered: Recovered): StoredBatch[] {
  const { active, sealed, quarantined, logStartOffset } = recovered
  const opened: Opened = {
    slot: 0,
    logStartOffset,
    logEndOffset: active.endOffset,
    highWatermark: active.endOffset,
    lastStableOffset: active.endOffset,
    activeBytesVisible: active.sizeBytes,
    activeAbortedCount: active.abortedCount,
    segments: [...sealed, active.info],
    epochs: recovered.epochs,
    quarantined,
    firstDirtyOffset: 0,
    sparseEndOffset: 0,
    truncatedBytes: recovered.truncatedBytes,
    cleanStart: recovered.cleanStart,
    strays: recovered.strays,
  }
  return storedBatches(disk, PATH, opened)
}

t.test('a log that is cut anywhere ends after its last whole batch', async (t) => {
  const { batches, files, early, late, endOffset } = written(12, 150)
  const whole = files.get(LOG)!
  const lengths = [...thinnedSteps(whole.length, 4), whole.length]
  for (const length of lengths) {
    const kept = batches.filter(({ position, bytes }) => position + bytes.length <= length)
    const keptEnd = (kept.at(-1)?.lastOffset ?? -1) + 1
    const keptBytes = kept.reduce((sum, { bytes }) => sum + bytes.length, 0)

    const torn = recover(diskWith(new Map([[LOG, whole.slice(0, length)]])), early)
    assert.equal(torn.active.endOffset, keptEnd, `${length} bytes`)
    assert.equal(torn.active.sizeBytes, keptBytes)
    assert.equal(torn.truncatedBytes, length - keptBytes)
    assert.deepEqual(torn.quarantined, [])
    assert.equal(torn.epochs.at(-1)!.epoch, 1, 'the epoch is bumped')

    // Records that the checkpoint covers were durable: their loss is reported, and their offsets are not assigned again.
    const disk = diskWith(new Map([...files, [LOG, whole.slice(0, length)]]))
    const rotten = recover(disk, late)
    assert.equal(rotten.active.endOffset, endOffset, `${length} bytes of a log that was closed`)
    assert.equal(rotten.cleanStart, length === whole.length)
    const lost = rotten.quarantined.map((range) => [range.startOffset, range.endOffset])
    assert.deepEqual(lost, length === whole.length ? [] : [[keptEnd, endOffset]])
    assert.equal(stored(disk, rotten).length, kept.length)
  }
  t.pass(`${lengths.length} lengths`)
})

/** Flips bits one after the other; each costs its batch, no other. */
function flipBits(log: Written, bits: Iterable<number>): number {
  const disk = diskWith(new Map([[LOG, log.files.get(LOG)!]]))
  const pristine = log.files.get(LOG)!
  const content = pristine.slice()
  const last = log.batches.at(-1)!
  let flipCount = 0
  for (const bit of bits) {
    const at = bit >> 3
    content[at] = content[at]! ^ (1 << (bit & 7))
    disk.place(LOG, content)
    const hit = log.batches.findLast(({ position }) => position <= at)!
    const recovered = recover(disk, log.early)
    if (hit === last) {
      assert.equal(recovered.truncatedBytes, last.bytes.length, `bit ${bit}`)
      assert.equal(recovered.active.endOffset, last.baseOffset, `bit ${bit}`)
      assert.deepEqual(recovered.quarantined, [], `bit ${bit}`)
    } else {
      assert.deepEqual(recovered.quarantined, [quarantinedBatch(hit)], `bit ${bit}`)
      assert.equal(recovered.truncatedBytes, 0, `bit ${bit}`)
      assert.equal(recovered.active.endOffset, log.endOffset, `bit ${bit}`)
    }
    content[at] = pristine[at]!
    flipCount++
  }
  return flipCount
}

function* every(stride: number, start: number, end: number): Generator<number> {
  for (let bit = start; bit < end; bit += stride) yield bit
}

t.test('any single bit of a segment flipped is found, and costs one batch', async (t) => {
  const small = written(6, 300)
  const smallBits = small.files.get(LOG)!.length * 8
  const smallFlips = thinnedSteps(smallBits, 8)
  t.equal(
    flipBits(small, smallFlips),
    smallFlips.length,
    `${smallFlips.length} of ${smallBits} bits`,
  )
  const large = written(100, 600)
  const largeBits = large.files.get(LOG)!.length * 8
  t.ok(largeBits >= 64 * 1024 * 8)
  // FLIP_STRIDE=1 takes minutes.
  const stride = budget(3203, 101, 'FLIP_STRIDE')
  const start = seededRandom(SEED).below(stride)
  t.ok(flipBits(large, every(stride, start, largeBits)), `of ${largeBits} bits, SEED=${SEED}`)
  // A wrong size may point at a batch far behind.
  const sizeBits = large.batches.flatMap(({ position }) =>
    Array.from(every(1, 8 * (position + 8), 8 * (position + 12))),
  )
  const sizeFlips = thinned(sizeBits, 7)
  t.equal(flipBits(large, sizeFlips), sizeFlips.length, `of ${sizeBits.length} bits of sizes`)
})

t.test(
  'batches inside a record of a rotten batch are not taken for those that follow',
  async (t) => {
    const log = written(3, 100)
    const inner = [1, 2].map((offset) => {
      const batch = uniqueBatch(offset, 1, 50)
      stampBatch(batch, 0, offset + 1, 0)
      return batch
    })
    const builder = new BatchBuilder()
    builder.append({ timestamp: 1, key: Buffer.from('rots'), value: Buffer.concat(inner) })
    const outer = builder.finish()
    stampBatch(outer, 0, 1, 0)
    const follower = uniqueBatch(9, 1, 100)
    stampBatch(follower, 0, 2, 0)
    const first = log.batches[0]!.bytes
    const content = Buffer.concat([first, outer, follower])
    content[first.length + 66]! ^= 1
    const recovered = recover(diskWith(new Map([[LOG, content]])), log.early)
    t.match(recovered.quarantined, [{ startOffset: 1, endOffset: 2 }])
    t.equal(recovered.active.endOffset, 3)
  },
)

t.test('a lost sector within what was acknowledged is quarantined, all else is kept', async (t) => {
  const log = written(40, 300)
  const whole = log.files.get(LOG)!
  for (let start = 0; start + 512 < whole.length; start += 512) {
    const content = whole.slice()
    content.fill(0, start, start + 512)
    const disk = diskWith(new Map([[LOG, content]]))
    const covered = { ...log.late, isClosed: false, segments: [] }
    const recovered = recover(disk, covered)
    const hits = log.batches.filter(
      ({ position, bytes }) => position < start + 512 && position + bytes.length > start,
    )
    const hurt = hits.filter(({ position, bytes }) =>
      bytes.some((byte, i) => byte !== content[position + i]),
    )
    const keptCount = log.batches.length - hurt.length
    assert.equal(stored(disk, recovered).length, keptCount, `sector at ${start}`)
    assert.equal(recovered.truncatedBytes, 0)
    assert.equal(recovered.active.endOffset, log.endOffset)
  }
  t.pass()
})

t.test('rot in a closed segment is quarantined once the segment is read again', async (t) => {
  const log = written(40, 300, 10)
  const bases = log.late.segments.map(({ baseOffset }) => baseOffset)
  t.ok(bases.length >= 4, `${bases.length} segments`)
  const files = new Map(log.files)
  const hit = log.batches[15]!
  const path = `${PATH}/${String(hit.segmentBaseOffset).padStart(20, '0')}`
  const rotten = files.get(`${path}.log`)!.slice()
  rotten[hit.position + 100]! ^= 1
  files.set(`${path}.log`, rotten)
  files.delete(`${path}.index`)
  const disk = diskWith(files)
  const recovered = recover(disk, log.late)
  t.strictSame(recovered.quarantined, [quarantinedBatch(hit)])
  t.equal(stored(disk, recovered).length, log.batches.length - 1)
  t.equal(recovered.cleanStart, true, 'nothing was cut: the epoch stays')
  const late = { ...log.late, quarantined: recovered.quarantined }
  const again = recover(disk, late)
  t.strictSame(again.quarantined, recovered.quarantined, 'and it stays quarantined')
})

t.test('a segment that is gone is a gap, and what follows is kept', async (t) => {
  const log = written(40, 300, 10)
  for (const [i, gone] of log.late.segments.entries()) {
    const name = `${PATH}/${String(gone.baseOffset).padStart(20, '0')}`
    const files = new Map(Array.from(log.files).filter(([path]) => !path.startsWith(name)))
    const disk = diskWith(files)
    const recovered = recover(disk, log.late)
    const lost = recovered.quarantined.map((range) => [range.startOffset, range.endOffset])
    t.strictSame(lost, [[gone.baseOffset, gone.endOffset]], `segment ${i}`)
    t.equal(recovered.active.endOffset, log.endOffset)
  }
  const empty = recover(diskWith(new Map()), log.late)
  t.strictSame(
    empty.quarantined.map((range) => [range.startOffset, range.endOffset]),
    [[0, log.endOffset]],
    'also when all are gone',
  )
  t.equal(empty.active.endOffset, log.endOffset, 'and no offset is given out again')
})

t.test(
  'indexes that are missing, short, zeroed or too long are as before after a start',
  async (t) => {
    const log = written(60, 200, 30)
    const indexes = Array.from(log.files).filter(([path]) => path.endsWith('index'))
    t.equal(indexes.length, 4)
    const damages: Record<string, (content: Uint8Array) => Uint8Array | undefined> = {
      missing: () => undefined,
      empty: () => new Uint8Array(0),
      'one entry short': (content) => content.slice(0, -12),
      'cut within an entry': (content) => content.slice(0, -3),
      zeroed: (content) => new Uint8Array(content.length),
      'too long': (content) => Buffer.concat([content, Buffer.alloc(24, 7)]),
    }
    for (const [name, damage] of Object.entries(damages)) {
      for (const [path, content] of indexes) {
        const files = new Map(log.files)
        const damaged = damage(content)
        if (damaged) files.set(path, damaged)
        else files.delete(path)
        const disk = diskWith(files)
        const recovered = recover(disk, log.late)
        t.strictSame(Buffer.from(disk.contentOf(path)), Buffer.from(content), `${path} ${name}`)
        t.equal(recovered.cleanStart, true)
        t.equal(recovered.quarantined.length, 0)
      }
    }
  },
)

t.test(
  'without a checkpoint everything is read, and epochs and indexes come out the same',
  async (t) => {
    const log = written(60, 200, 30)
    const files = Array.from(log.files).filter(([path]) => path.endsWith('.log'))
    const disk = diskWith(new Map(files))
    const recovered = recover(disk, undefined)
    t.strictSame(
      stored(disk, recovered).map(({ bytes }) => bytes),
      log.batches.map(({ bytes }) => bytes),
    )
    t.strictSame(recovered.epochs, [
      { epoch: 0, startOffset: 0 },
      { epoch: 1, startOffset: log.endOffset },
    ])
    t.equal(recovered.cleanStart, false)
    const closed = log.late.segments[0]!
    for (const suffix of ['index', 'timeindex']) {
      const path = `${PATH}/00000000000000000000.${suffix}`
      t.strictSame(Buffer.from(disk.contentOf(path)), Buffer.from(log.files.get(path)!), suffix)
    }
    t.match(recovered.sealed[0], closed)
  },
)

t.test('what a crash broke off is finished or taken back', async (t) => {
  const log = written(40, 300, 10)
  const [first, second] = log.late.segments
  const name = (base: number) => `${PATH}/${String(base).padStart(20, '0')}`
  const files = new Map(log.files)
  files.set(`${name(999)}.log.deleted`, Buffer.from('gone'))
  files.set(`${PATH}/${swapFile(first!, '.log')}.cleaned`, Buffer.from('half a compaction'))
  files.set(
    `${PATH}/${swapFile(first!, '.index')}.swap`,
    Buffer.from('of one that was not committed'),
  )
  files.set(`${PATH}/leader-epoch-checkpoint.tmp`, Buffer.from('half'))
  files.set(`${name(7777)}.timeindex`, Buffer.from('no log'))
  const swap = `${PATH}/${swapFile(second!, '.log')}.swap`
  files.set(swap, files.get(`${name(second!.baseOffset)}.log`)!)
  files.delete(`${name(second!.baseOffset)}.log`)
  const disk = diskWith(files)
  const trimmed = { ...log.late, logStartOffset: first!.endOffset }
  const recovered = recover(disk, trimmed)
  t.equal(recovered.logStartOffset, first!.endOffset)
  t.equal(recovered.sealed[0]!.baseOffset, second!.baseOffset, 'what the log start passed is gone')
  t.equal(recovered.quarantined.length, 0)
  t.strictSame(recovered.swaps, [{ baseOffset: second!.baseOffset, endOffset: second!.endOffset }])
  for (const range of recovered.swaps) finishSwap(disk, PATH, range)
  const expected = Array.from(log.files.keys()).filter((path) => !path.startsWith(name(0)))
  t.strictSame(
    disk
      .readDirectory(PATH)
      .map((entry) => `${PATH}/${entry.name}`)
      .sort(),
    expected.sort(),
  )
})

t.test('after a failed disk, what came after the checkpoint is copied to a new file', async (t) => {
  const log = written(12, 150)
  const disk = diskWith(log.files)
  const paths: string[] = []
  disk.faultAt = ({ operation, path }) => {
    if (operation === 'write' || operation === 'rename') paths.push(path)
    return undefined
  }
  const deps = { fs: disk, clock: systemClock, path: PATH, config, checkpoint: log.early }
  const recovered = recoverLog({
    ...deps,
    distrustsCache: true,
    producerLimits: defaultProducerLimits,
  })
  t.equal(recovered.active.endOffset, log.endOffset)
  t.ok(paths.includes(`${LOG}.tmp`))
  t.strictSame(Buffer.from(disk.contentOf(LOG)), Buffer.from(log.files.get(LOG)!))
  t.equal(disk.openFileCount, 0)
})

t.test(
  'index entries are those of Kafka: last offset of a batch and where it starts',
  async (t) => {
    const log = written(60, 200)
    const index = log.files.get(`${PATH}/00000000000000000000.index`)!
    const times = log.files.get(`${PATH}/00000000000000000000.timeindex`)!
    t.equal(index.length % 8, 0)
    t.equal(times.length % 12, 0)
    let indexed = 0
    for (let at = 0; at < index.length; at += 8) {
      const batch = log.batches.find(({ lastOffset }) => lastOffset === int32At(index, at))
      assert.equal(batch?.position, int32At(index, at + 4))
      assert(batch.position - indexed > config.indexIntervalBytes, 'entries are sparse')
      indexed = batch.position
    }
    for (let at = 0; at < times.length; at += 12) {
      const batch = log.batches.find(({ lastOffset }) => lastOffset === int32At(times, at + 8))
      assert.equal(batch?.maxTimestamp, int64At(times, at))
    }
    const last = log.batches.at(-1)!
    t.equal(
      int64At(times, times.length - 12),
      last.maxTimestamp,
      'the last one is the largest time',
    )
  },
)

t.test('a checkpoint line holds all that it was given', async (t) => {
  const { late } = written(40, 300, 10)
  const quarantined = [
    { startOffset: 1, endOffset: 2, segmentBaseOffset: 0, startPosition: 3, endPosition: 4 },
  ]
  t.strictSame(parseLine(checkpointLine({ ...late, quarantined })), { ...late, quarantined })
})

t.test("without a checkpoint one rotten leader epoch does not become the log's", async (t) => {
  const log = written(12, 150)
  const content = log.files.get(LOG)!.slice()
  for (const [hit, epoch] of [
    [4, 4096],
    [0, 7],
  ] as const) {
    const rotten = content.slice()
    rotten.set(Buffer.from([0, 0, epoch >> 8, epoch & 0xff]), log.batches[hit]!.position + 12)
    const { epochs, quarantined } = recover(diskWith(new Map([[LOG, rotten]])), undefined)
    t.strictSame(epochs, [
      { epoch: 0, startOffset: hit === 0 ? log.batches[1]!.baseOffset : 0 },
      { epoch: 1, startOffset: log.endOffset },
    ])
    t.strictSame(quarantined, [])
  }
})

t.test(
  'a file of another log in the place of a known segment is quarantined as a whole',
  async (t) => {
    const log = written(12, 150)
    const other = written(12, 160)
    const disk = diskWith(new Map([...log.files, [LOG, other.files.get(LOG)!]]))
    const recovered = recover(disk, log.late)
    t.match(recovered.quarantined, [{ startOffset: 0, endOffset: log.endOffset }])
    t.equal(recovered.active.endOffset, log.endOffset)
  },
)
