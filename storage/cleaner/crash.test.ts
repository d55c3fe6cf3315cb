// A crash, and a disk that refuses, at every step of a compaction and of its swaps: the next start finds the old
// segments or the new one, never a mix, and no acknowledged record is lost.

import t, { type Test } from 'tap'
import { VirtualClock } from '../../broker/testing/virtual-clock.ts'
import { budget, thinned } from '../../protocol/testing/budget.ts'
import { SEED } from '../../protocol/testing/seed.ts'
import { openStore } from '../open-store.ts'
import type { Store } from '../store.ts'
import { FaultyFs, type Fault, type Step } from '../testing/faulty-fs.ts'
import { KeyedLog, readKeyed } from '../testing/keyed-log.ts'
import { seededRandom } from '../testing/random.ts'

/** Enough for a machine that does much else. */
const TIMEOUT_MS = 110_000
/** The quick budget takes every fourth step of a compaction. */
const STRIDE = 8
const DOUBLE_CRASHES = budget(8, 80)
const DATA = '/data'
const PARTITION = `${DATA}/keyed-0`
const BACKOFF_MS = 1000

const config = {
  'cleanup.policy': 'compact',
  'segment.bytes': '700',
  'index.interval.bytes': '100',
  'min.cleanable.dirty.ratio': '0',
  'file.delete.delay.ms': '0',
}

interface World {
  readonly disk: FaultyFs
  readonly clock: VirtualClock
  readonly store: Store
  readonly model: KeyedLog
}

async function open(disk: FaultyFs, model: KeyedLog): Promise<World> {
  const clock = new VirtualClock()
  const cleaner = { backoffMs: BACKOFF_MS, dedupeBufferBytes: 4096 }
  const store = await openStore({ dataDir: DATA, writer: 'inline', fs: disk, clock, cleaner })
  return { disk, clock, store, model }
}

/** A log whose every segment is dirty. */
async function dirtyWorld(): Promise<World> {
  const disk = new FaultyFs()
  const world = await open(disk, new KeyedLog())
  await world.store.topics.create({ name: 'keyed', partitionCount: 1, config })
  await write(world, 40)
  return world
}

async function write({ store, model }: World, count: number): Promise<void> {
  const log = store.logs.get('keyed', 0)!
  for (let i = 0; i < count; i++) {
    const value = i % 11 === 5 ? null : `${i}`.repeat(20)
    const records = [{ key: `key-${i % 7}`, value, timestamp: 1_000_000 + i }]
    await model.append(store, log, records, i % 3 === 0 ? 'gzip' : 'none')
  }
}

/** Until nothing is left to do, or the disk has crashed. */
async function compact({ store, clock, disk }: World): Promise<void> {
  let before = -1
  for (let idle = 0; idle < 2 && !disk.hasCrashed;) {
    await clock.advance(BACKOFF_MS)
    for (let i = 0; i < 12; i++) await clock.advance(0)
    const { passes } = store.cleaner.counts.compaction
    idle = passes === before ? idle + 1 : 0
    before = passes
  }
}

/** A store whose disk fails may fail to close. */
async function close({ store }: World): Promise<void> {
  try {
    await store[Symbol.asyncDispose]()
  } catch {
    // what counts is what the next start finds
  }
}

async function checkRestart(t: Test, disk: FaultyFs, model: KeyedLog, what: string): Promise<void> {
  for (const round of ['first', 'second']) {
    const world = await open(disk, model)
    const flaws = model.flaws(
      await readKeyed(world.store.reader, world.store.logs.get('keyed', 0)!),
    )
    if (flaws.length > 0)
      t.fail(`${what}, ${round} start`, { flaws: flaws.slice(0, 3), seed: SEED })
    const { corruptBatchCount } = world.store.recovery
    if (corruptBatchCount > 0) t.fail(`${what}, ${round} start: ${corruptBatchCount} corrupt`)
    const left = disk.readDirectory(PARTITION).map(({ name }) => name)
    const strangers = left.filter((name) => /\.(cleaned|swap|deleted|tmp)$/.test(name))
    if (strangers.length > 0) t.fail(`${what}: ${strangers.join()} are left`)
    await compact(world)
    const { failures } = world.store.cleaner.counts.compaction
    if (failures > 0) t.fail(`${what}, ${round} start: it cannot be compacted`)
    const after = model.flaws(
      await readKeyed(world.store.reader, world.store.logs.get('keyed', 0)!),
    )
    if (after.length > 0) t.fail(`${what}, compacted again`, { flaws: after.slice(0, 3) })
    await close(world)
    if (disk.openFileCount > 0) t.fail(`${what}: ${disk.openFileCount} files are open`)
  }
}

/** The steps of a compaction on a good disk. */
async function stepsOfCompaction(): Promise<Step[]> {
  const world = await dirtyWorld()
  const steps: Step[] = []
  world.disk.faultAt = (step) => void steps.push(step)
  await compact(world)
  await close(world)
  return steps
}

async function compactWithFault(index: number, fault: Fault): Promise<World> {
  const world = await dirtyWorld()
  world.disk.faultAt = (step) => (step.index === index ? fault : undefined)
  await compact(world)
  return world
}

t.setTimeout(TIMEOUT_MS)

t.test('a crash at any step of a compaction, killed or with the power cut', async (t) => {
  t.comment(`SEED=${SEED}`)
  const steps = await stepsOfCompaction()
  t.ok(steps.filter(({ operation }) => operation === 'rename').length > 8, `${steps.length} steps`)
  for (const { index } of thinned(steps, STRIDE)) {
    const { disk, model } = await compactWithFault(index, 'crash')
    const cut = disk.afterPowerCut(SEED + index)
    await checkRestart(t, cut, model, `power cut at step ${index}`)
    await checkRestart(t, disk.afterKill(), model, `kill at step ${index}`)
  }
})

t.test('a crash in the start that finishes a swap changes nothing', async (t) => {
  t.comment(`SEED=${SEED}`)
  const random = seededRandom(SEED)
  const steps = await stepsOfCompaction()
  for (let round = 0; round < DOUBLE_CRASHES; round++) {
    const first = steps[random.below(steps.length)]!.index
    const { disk, model } = await compactWithFault(first, 'crash')
    const again = random.chance(0.5) ? disk.afterKill() : disk.afterPowerCut(SEED + round)
    const second = random.below(30)
    again.faultAt = ({ index }) => (index === second ? 'crash' : undefined)
    const world = await open(again, model).catch(() => undefined)
    if (world) await close(world)
    const last = random.chance(0.5) ? again.afterKill() : again.afterPowerCut(SEED - round)
    await checkRestart(t, last, model, `crashes at steps ${first} and ${second}`)
  }
  t.pass(`${DOUBLE_CRASHES} double crashes`)
})

t.test('without the checkpoint a compacted log is what it was', async (t) => {
  const world = await dirtyWorld()
  await compact(world)
  await close(world)
  world.disk.removeFile(`${DATA}/recovery-checkpoint`)
  await checkRestart(t, world.disk, world.model, 'no checkpoint')
  t.pass('nothing is taken for rot')
})

t.test(
  'a full disk leaves everything as it was, and compaction goes on when there is room',
  async (t) => {
    const steps = await stepsOfCompaction()
    const isWrite = ({ operation }: Step) => operation === 'write' || operation === 'create'
    for (const { index } of thinned(steps.filter(isWrite), STRIDE)) {
      const world = await compactWithFault(index, 'ENOSPC')
      world.disk.faultAt = () => undefined
      const what = `no room at step ${index}`
      const flaws = world.model.flaws(
        await readKeyed(world.store.reader, world.store.logs.get('keyed', 0)!),
      )
      if (flaws.length > 0) t.fail(what, { flaws })
      await write(world, 5)
      await world.clock.advance(700_000)
      await compact(world)
      await close(world)
      await checkRestart(t, world.disk, world.model, what)
    }
    t.pass('at every write')
  },
)

t.test('a disk that fails ends the process or the compaction, and loses nothing', async (t) => {
  let fatalCount = 0
  const steps = thinned(await stepsOfCompaction(), STRIDE)
  for (const { index } of steps) {
    const world = await dirtyWorld()
    world.store.writer.onFatal(() => fatalCount++)
    world.disk.faultAt = (step) => (step.index === index ? 'EIO' : undefined)
    await compact(world)
    await close(world)
    await checkRestart(t, world.disk.afterPowerCut(SEED + index), world.model, `EIO at ${index}`)
  }
  t.ok(fatalCount > steps.length / 8, `${fatalCount} ended the process`)
})
