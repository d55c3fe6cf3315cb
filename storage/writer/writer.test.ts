// The writer's answers, refusals and files. Crashes have a file of their own, crash.test.ts.

import { strict as assert } from 'node:assert'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from '../../protocol/testing/tap.ts'
import { attributesOf, baseOffsetOf, maxTimestampOf } from '../../protocol/batch/header.ts'
import { batchesOf } from '../../protocol/batch/record.ts'
import { BatchBuilder } from '../../protocol/batch/build.ts'
import { type Clock, systemClock } from '../clock.ts'
import { realFs } from '../fs.ts'
import type { Fault, Step } from '../testing/faulty-fs.ts'
import { contentOf, storedBatches, uniqueBatch } from '../testing/stored-log.ts'
import { DATA, LogWriterWorld, roomy } from '../testing/log-writer-world.ts'
import { newDisk, smallConfig } from '../testing/writer-world.ts'
import type { Append } from './commands.ts'
import { LogWriter } from './writer.ts'
import type { LogConfig } from '../log-facts.ts'

function failing(operation: Step['operation'], suffix: string, fault: Fault) {
  return (step: Step) =>
    step.operation === operation && step.path.endsWith(suffix) ? fault : undefined
}

function batchAt(timestamps: readonly number[]): Uint8Array {
  const builder = new BatchBuilder()
  for (const timestamp of timestamps) builder.append({ timestamp, key: null, value: null })
  return builder.finish()
}

t.test('on a real disk: what was appended is there after a restart, at its offsets', async (t) => {
  const dataDir = mkdtempSync(join(tmpdir(), 'millrace-writer-'))
  t.teardown(() => rmSync(dataDir, { recursive: true, force: true }))
  const deps = { fs: realFs, clock: systemClock, dataDir }
  const logs = [{ slot: 7, directory: 'a-0', config: smallConfig, create: true }]
  const writer = new LogWriter(deps)
  t.match(writer.turn([{ kind: 'open', id: 1, logs }]).outcomes, [
    { id: 1, opened: [{ slot: 7, logEndOffset: 0, segments: [{ baseOffset: 0 }] }] },
  ])
  const appends = [3, 2, 1].map((recordCount, i): Append => {
    return {
      kind: 'append',
      id: i,
      slot: 7,
      batch: uniqueBatch(i, recordCount, 400),
    }
  })
  const result = writer.turn(appends)
  t.match(result.outcomes, [
    { id: 0, baseOffset: 0 },
    { id: 1, baseOffset: 3 },
    { id: 2, baseOffset: 5 },
  ])
  t.match(result.states, [{ slot: 7, logEndOffset: 6, highWatermark: 6 }])
  t.match(result.rolled, [{ slot: 7, closed: { baseOffset: 0 }, activeBaseOffset: 3 }])
  writer.turn([{ kind: 'close', id: 2, clean: true }])
  const bytes = readFileSync(join(dataDir, 'a-0', '00000000000000000003.log'))
  const offsets = Array.from(batchesOf(bytes), ({ at }) => baseOffsetOf(bytes, at))
  t.strictSame(offsets, [3, 5])
  t.equal(
    readFileSync(join(dataDir, 'a-0', 'leader-epoch-checkpoint'), 'utf8'),
    '0\n1\n0 0\n',
    'as Kafka writes it',
  )
  const again = new LogWriter(deps)
  const reopened = again.turn([{ kind: 'open', id: 1, logs: [{ ...logs[0]!, create: false }] }])
  t.match(reopened.outcomes[0]!.opened, [
    {
      logEndOffset: 6,
      highWatermark: 6,
      cleanStart: true,
      epochs: [{ epoch: 0, startOffset: 0 }],
      segments: [{ baseOffset: 0 }, { baseOffset: 3, sizeBytes: bytes.length }],
    },
  ])
  again.turn([{ kind: 'remove', id: 2, slots: [7] }])
  t.notOk(realFs.stat(join(dataDir, 'a-0')))
  const left = realFs.readDirectory(dataDir).map(({ name }) => name)
  t.strictSame(left.sort(), ['ballast', 'recovery-checkpoint'], 'nothing of it is left')
})

t.test('a clean start reads no segment', async (t) => {
  const world = new LogWriterWorld(smallConfig)
  for (let i = 0; i < 10; i++) world.append(uniqueBatch(i, 2, 300))
  world.close()
  const read: string[] = []
  const open = world.disk.open.bind(world.disk)
  world.disk.open = (path, mode) => {
    read.push(path)
    return open(path, mode)
  }
  t.equal(world.restart(smallConfig).cleanStart, true)
  t.strictSame(
    read.filter((path) => path.endsWith('.log')),
    [],
  )
})

t.test(
  'a batch that is damaged, too large or for no log is refused, and others go on',
  async (t) => {
    const world = new LogWriterWorld(smallConfig)
    const damaged = uniqueBatch(1, 1, 100)
    damaged[80]! ^= 1
    const { outcomes } = world.turn([
      world.appendOf(uniqueBatch(0, 1, 100)),
      world.appendOf(damaged),
      world.appendOf(uniqueBatch(2, 1, 2000)),
      world.appendOf(uniqueBatch(3, 1, 100), 99),
      world.appendOf(uniqueBatch(4, 1, 100)),
    ])
    const answers = Object.fromEntries(
      outcomes.map(({ id, error, baseOffset }) => [id, error ?? baseOffset]),
    )
    t.strictSame(answers, {
      1: 0,
      2: 'CORRUPT_MESSAGE',
      3: 'RECORD_LIST_TOO_LARGE',
      4: 'NOT_LEADER_OR_FOLLOWER',
      5: 1,
    })
  },
)

t.test('one write and one sync per log and turn, however many batches wait', async (t) => {
  const world = new LogWriterWorld()
  const before = world.disk.stepCount
  const steps: string[] = []
  world.disk.faultAt = ({ operation }) => void steps.push(operation)
  world.append(...Array.from({ length: 20 }, (_, i) => uniqueBatch(i, 1, 100)))
  t.strictSame(steps.slice(0, 2), ['write', 'sync'])
  t.equal(world.disk.stepCount - before, 2)
})

t.test('a batch that waits for no sync is answered before the sync of others', async (t) => {
  const world = new LogWriterWorld()
  const quick = { ...roomy, flushPolicy: 'os' } as const
  world.turn([
    { kind: 'open', id: 1, logs: [{ slot: 1, directory: 'os-0', config: quick, create: true }] },
  ])
  const { early, last } = world.turnWithEarly([
    world.appendOf(uniqueBatch(1, 2, 10)),
    world.appendOf(uniqueBatch(2, 1, 10), 1),
  ])
  t.match(early, [
    {
      outcomes: [{ baseOffset: 0 }],
      states: [
        { slot: 0, highWatermark: 0, logEndOffset: 2 },
        { slot: 1, highWatermark: 1, logEndOffset: 1 },
      ],
    },
  ])
  t.equal(early[0]!.outcomes.length, 1)
  t.match(last, { outcomes: [{ baseOffset: 0 }], states: [{ highWatermark: 2 }, {}] })
  t.equal(last.outcomes.length, 1)
  t.equal(early[0]!.batchCount + last.batchCount, 2, 'counted once')
})

t.test(
  'with flush policy os nothing is synced, and a change back to fsync catches up',
  async (t) => {
    const world = new LogWriterWorld({ ...roomy, flushPolicy: 'os' })
    let syncs = 0
    world.disk.faultAt = ({ operation, path }) => {
      if (operation === 'sync' && path.endsWith('.log')) syncs++
      return undefined
    }
    t.match(world.append(uniqueBatch(1, 3, 10)).states, [{ logEndOffset: 3, highWatermark: 3 }])
    t.equal(syncs, 0)
    const { states } = world.turn([{ kind: 'configure', id: 1, slot: 0, config: roomy }])
    t.match(states, [{ logEndOffset: 3, highWatermark: 3 }])
    t.equal(syncs, 1)
  },
)

t.test('segments roll by size, by time between records, and when an index is full', async (t) => {
  const bySize = new LogWriterWorld({ ...roomy, segmentBytesMax: 500 })
  t.equal(bySize.append(...[1, 2, 3].map((i) => uniqueBatch(i, 1, 200))).rolled.length, 2)

  const byTime = new LogWriterWorld({ ...roomy, segmentMs: 1000 })
  const hours = byTime.append(batchAt([5000]), batchAt([6000]), batchAt([6001]), batchAt([6002]))
  t.match(hours.rolled, [{ activeBaseOffset: 2, closed: { maxTimestamp: 6000 } }])
  t.equal(hours.rolled.length, 1)
  byTime.close()
  byTime.restart({ ...roomy, segmentMs: 1000 })
  const later = byTime.append(batchAt([7001]), batchAt([7002]))
  t.match(later.rolled, [{ activeBaseOffset: 5 }], 'counted from the first record after a restart')

  const entries = 3
  const config = { ...roomy, indexIntervalBytes: 1, indexBytesMax: 12 * (entries + 1) }
  const byIndex = new LogWriterWorld(config)
  const { rolled } = byIndex.append(...[1, 2, 3, 4, 5, 6].map((i) => uniqueBatch(i, 1, 10)))
  t.match(rolled, [{ activeBaseOffset: 4 }])
  const times = contentOf(byIndex.disk, `${DATA}/topic-0/00000000000000000000.timeindex`)
  t.ok(times.length <= 12 * entries + 12, `${times.length} bytes`)
})

t.test('segments do not all grow equally old with segment.jitter.ms', async (t) => {
  const world = new LogWriterWorld({ ...roomy, segmentMs: 1000, segmentJitterMs: 500 })
  const everyMs = 10
  const batches = Array.from({ length: 1500 }, (_, i) => batchAt([everyMs * (i + 1)]))
  const starts = world.append(...batches).rolled.map(({ activeBaseOffset }) => activeBaseOffset)
  const agesMs = starts.map((start, i) => (start - (starts[i - 1] ?? 0)) * everyMs)
  t.ok(Math.min(...agesMs) > 500 && Math.max(...agesMs) <= 1000 + everyMs, agesMs.join(' '))
  t.ok(new Set(agesMs).size > agesMs.length / 2)
})

t.test('LogAppendTime is the time of every record, and never goes back', async (t) => {
  let nowMs = 1_000_000
  const clock: Clock = { ...systemClock, now: () => nowMs }
  const config: LogConfig = { ...roomy, timestampType: 'LogAppendTime' }
  const world = new LogWriterWorld(config, { clock })
  const times = [1_000_000, 1_000_500, 400, 1_000_600].map((time) => {
    nowMs = time
    return world.append(uniqueBatch(time, 2, 10)).outcomes[0]!.logAppendTimeMs
  })
  t.strictSame(times, [1_000_000, 1_000_500, 1_000_500, 1_000_600])
  const opened = world.restart(config)
  const stored = storedBatches(world.disk, `${DATA}/topic-0`, opened)
  t.strictSame(
    stored.map(({ bytes }) => maxTimestampOf(bytes)),
    times,
  )
  t.ok(stored.every(({ bytes }) => (attributesOf(bytes) & 8) !== 0))
})

t.test(
  'a full disk refuses, keeps what was there, and takes appends again when there is room',
  async (t) => {
    const world = new LogWriterWorld({ ...roomy, segmentBytesMax: 20_000 })
    let acknowledged = 0
    for (let cycle = 0; cycle < 100; cycle++) {
      world.disk.capacityBytes = Infinity
      const { outcomes: fine } = world.append(uniqueBatch(cycle, 2, 500), uniqueBatch(cycle, 1, 50))
      acknowledged += 3
      assert(fine.every(({ error }) => !error))
      world.disk.capacityBytes = world.disk.usedBytes + (cycle % 7) * 150
      const { outcomes: refused, states } = world.append(
        uniqueBatch(1000 + cycle, 4, 500),
        uniqueBatch(2000 + cycle, 4, 500),
      )
      assert(
        refused.every(({ error }) => error === 'KAFKA_STORAGE_ERROR'),
        `cycle ${cycle}`,
      )
      assert(states.every(({ logEndOffset }) => logEndOffset === acknowledged))
      const small = world.append(uniqueBatch(3000 + cycle, 1, 1)).outcomes[0]!
      if (!small.error) acknowledged++
    }
    world.disk.capacityBytes = Infinity
    const opened = world.restart()
    t.equal(opened.logEndOffset, acknowledged)
    t.equal(opened.truncatedBytes, 0)
    t.equal(
      storedBatches(world.disk, `${DATA}/topic-0`, opened).at(-1)!.lastOffset + 1,
      acknowledged,
    )
  },
)

t.test('what was acknowledged is visible, also when the next segment finds no room', async (t) => {
  const world = new LogWriterWorld({ ...roomy, segmentBytesMax: 1000 })
  world.disk.faultAt = ({ operation }) => (operation === 'create' ? 'ENOSPC' : undefined)
  const { outcomes, states } = world.append(uniqueBatch(1, 2, 100), uniqueBatch(2, 1, 900))
  const byId = [...outcomes].sort((a, b) => a.id - b.id)
  t.match(byId, [{ baseOffset: 0 }, { error: 'KAFKA_STORAGE_ERROR' }])
  t.match(states, [{ logEndOffset: 2, highWatermark: 2, lastStableOffset: 2 }])
})

t.test('on a full disk records and topics can still be deleted, and that makes room', async (t) => {
  const world = new LogWriterWorld(smallConfig)
  for (let i = 0; i < 20; i++) world.append(uniqueBatch(i, 1, 600))
  world.disk.capacityBytes = world.disk.usedBytes
  t.equal(world.append(uniqueBatch(99, 1, 600)).outcomes[0]!.error, 'KAFKA_STORAGE_ERROR')
  t.match(world.trim(10), { id: 1, error: undefined })
  t.notOk(world.append(uniqueBatch(100, 1, 600)).outcomes[0]!.error, 'resumes by itself')
  world.disk.capacityBytes = world.disk.usedBytes
  t.equal(world.append(uniqueBatch(99, 1, 1600)).outcomes[0]!.error, 'KAFKA_STORAGE_ERROR')
  t.notOk(world.turn([{ kind: 'remove', id: 5, slots: [0] }]).outcomes[0]!.error)
  t.ok(world.disk.usedBytes < 70_000, 'only the ballast and the checkpoint are left')
})

t.test('after a failed sync nothing is acknowledged, ever', async (t) => {
  for (const suffix of ['.log', '.index', 'recovery-checkpoint.tmp']) {
    const world = new LogWriterWorld(smallConfig)
    world.append(uniqueBatch(1, 1, 1200))
    world.disk.faultAt = failing('sync', suffix, 'EIO')
    const [first, second] = [2, 3].map((i) => world.appendOf(uniqueBatch(i, 1, 1200)))
    const failed =
      suffix === 'recovery-checkpoint.tmp'
        ? world.turn([{ kind: 'trim', id: 9, slot: 0, logStartOffset: 1 }])
        : world.turn([first!, second!])
    t.match(failed.fatal, /EIO/, suffix)
    t.ok(failed.outcomes.every(({ error }) => error === 'KAFKA_STORAGE_ERROR'))
    t.strictSame(failed.states, [], 'the high watermark stays')
    world.disk.faultAt = () => undefined
    const after = world.append(uniqueBatch(4, 1, 10))
    t.match(after, { fatal: /EIO/, outcomes: [{ error: 'KAFKA_STORAGE_ERROR' }] })
  }
})

t.test(
  'a failed write is fatal, and a failed process is not trusted at the next start',
  async (t) => {
    const world = new LogWriterWorld()
    world.append(uniqueBatch(1, 1, 100))
    world.disk.faultAt = failing('write', '.log', 'EIO')
    t.match(world.append(uniqueBatch(2, 1, 100)), { fatal: /EIO/ })
    world.disk.faultAt = () => undefined
    t.match(contentOf(world.disk, `${DATA}/disk-failure`).toString(), /EIO.*topic-0/)
    const renamed: string[] = []
    world.disk.faultAt = ({ operation, path }) => {
      if (operation === 'rename') renamed.push(path)
      return undefined
    }
    t.match(world.restart(), { logEndOffset: 1, cleanStart: false })
    t.ok(renamed.includes(`${DATA}/topic-0/00000000000000000000.log.tmp`), 'the tail was copied')
    world.close()
    t.notOk(world.disk.stat(`${DATA}/disk-failure`), 'an orderly close ends the distrust')
    t.match(world.restart(), { logEndOffset: 1, cleanStart: true })
  },
)

t.test('whatever write, sync or rename fails: no false acknowledgement', async (t) => {
  const kinds: Step['operation'][] = [
    'create',
    'write',
    'sync',
    'truncate',
    'rename',
    'syncDirectory',
  ]
  let faults = 0
  for (let step = 0; step < 60; step++) {
    const world = new LogWriterWorld(smallConfig)
    const first = world.disk.stepCount
    world.disk.faultAt = ({ index, operation }) =>
      index === first + step && kinds.includes(operation) ? 'EIO' : undefined
    let acknowledged = 0
    let isFatal = false
    for (let i = 0; i < 6; i++) {
      const { outcomes, fatal } = world.append(uniqueBatch(i, 1, 900), uniqueBatch(100 + i, 1, 900))
      if (fatal !== undefined) isFatal = true
      else acknowledged += outcomes.filter(({ error }) => !error).length
      if (isFatal)
        assert(
          outcomes.every(({ error }) => error),
          'nothing after a failure',
        )
    }
    if (isFatal) faults++
    const left = world.disk.afterPowerCut(step)
    const writer = new LogWriter({ fs: left, clock: systemClock, dataDir: DATA })
    const { outcomes } = writer.turn([
      {
        kind: 'open',
        id: 1,
        logs: [{ slot: 0, directory: 'topic-0', config: smallConfig, create: false }],
      },
    ])
    const opened = outcomes[0]!.opened![0]!
    assert(opened.logEndOffset >= acknowledged, `step ${step}`)
    assert.deepEqual(opened.quarantined, [])
    storedBatches(left, `${DATA}/topic-0`, opened)
  }
  t.ok(faults > 30, `${faults} faults`)
})

t.test('a trim moves the log start for good and drops whole segments', async (t) => {
  const world = new LogWriterWorld(smallConfig)
  for (let i = 0; i < 9; i++) world.append(uniqueBatch(i, 2, 400))
  t.equal(world.trim(100).error, 'OFFSET_OUT_OF_RANGE')
  const result = world.turn([{ kind: 'trim', id: 5, slot: 0, logStartOffset: 9 }])
  t.match(result.outcomes, [{ id: 5, error: undefined }])
  t.match(result.states, [{ logStartOffset: 9 }])
  t.strictSame(
    result.dropped.map(({ baseOffset }) => baseOffset),
    [0, 4],
  )
  t.notOk(world.trim(3).error, 'a smaller one changes nothing')
  t.match(world.restart(smallConfig), { logStartOffset: 9, segments: [{ baseOffset: 8 }] })
  t.notOk(world.trim(18).error, 'up to the end')
  t.match(world.append(uniqueBatch(50, 1, 10)).outcomes, [{ baseOffset: 18 }])
})

t.test('a topic that is created again begins empty, whatever was left', async (t) => {
  const world = new LogWriterWorld(smallConfig)
  world.append(uniqueBatch(1, 5, 10))
  world.turn([{ kind: 'remove', id: 1, slots: [0] }])
  t.match(world.open(smallConfig, true), { logEndOffset: 0, cleanStart: true })
  world.append(uniqueBatch(2, 3, 10))
  t.match(world.restart(smallConfig), { logEndOffset: 3 })
  // A process that died before it could remove the directory.
  t.match(world.open(smallConfig, true), { logEndOffset: 0, logStartOffset: 0 })
  world.turn([{ kind: 'discard', id: 1, directories: ['topic-0', 'never-was-0'] }])
  t.notOk(world.disk.stat(`${DATA}/topic-0`))
})

t.test('a directory that is gone is not taken for a new topic', async (t) => {
  const world = new LogWriterWorld()
  world.append(uniqueBatch(1, 5, 10))
  world.close()
  world.disk.removeTree(`${DATA}/topic-0`)
  t.throws(() => world.restart(), /topic-0 is gone, which held records up to 4/)
})

t.test('every unclean start begins a leader epoch, and batches bear it', async (t) => {
  const world = new LogWriterWorld()
  world.append(uniqueBatch(1, 2, 10))
  world.restart()
  world.restart()
  world.append(uniqueBatch(2, 3, 10))
  t.strictSame(world.restart().epochs, [
    { epoch: 0, startOffset: 0 },
    { epoch: 2, startOffset: 2 },
    { epoch: 3, startOffset: 5 },
  ])
  world.close()
  const opened = world.restart()
  t.match(opened, { cleanStart: true, epochs: [{}, {}, { epoch: 3, startOffset: 5 }] })
  const stored = storedBatches(world.disk, `${DATA}/topic-0`, opened)
  t.strictSame(
    stored.map(({ leaderEpoch }) => leaderEpoch),
    [0, 2],
  )
})

t.test('where no further file can be opened, files are closed and opened again', async (t) => {
  const disk = newDisk()
  const writer = new LogWriter({
    fs: disk,
    clock: systemClock,
    dataDir: DATA,
    checkpointBytes: 3000,
  })
  const logs = Array.from({ length: 20 }, (_, slot) => {
    return { slot, directory: `topic-${slot}`, config: smallConfig, create: true }
  })
  disk.openFilesMax = 4
  t.match(writer.turn([{ kind: 'open', id: 1, logs }]).outcomes, [{ error: undefined }])
  let rolled = 0
  for (let round = 0; round < 20; round++) {
    const appends = logs.map(({ slot }): Append => {
      return { kind: 'append', id: slot, slot, batch: uniqueBatch(slot, 1, 500) }
    })
    const result = writer.turn(appends)
    assert(result.fatal === undefined, result.fatal)
    for (const { error, message } of result.outcomes) assert(!error, message)
    rolled += result.rolled.length
    disk.openFilesMax = 1 + (round % 4)
  }
  t.ok(rolled > 20, `${rolled} rolls`)
  disk.openFilesMax = 0
  const batch = uniqueBatch(0, 1, 500)
  const refused = writer.turn([{ kind: 'append', id: 1, slot: 0, batch }])
  t.match(refused.outcomes, [{ error: 'KAFKA_STORAGE_ERROR' }], 'with none at all it is refused')
  disk.openFilesMax = 1
  const again = writer.turn([{ kind: 'append', id: 1, slot: 0, batch }])
  t.match(again.outcomes, [{ error: undefined }], 'and taken when there is one')
  t.match(writer.turn([{ kind: 'close', id: 2, clean: true }]).outcomes, [{ error: undefined }])
  t.equal(disk.openFileCount, 0)
})

t.test('no more files are open than there may be, and none after the close', async (t) => {
  const disk = newDisk()
  const writer = new LogWriter({ fs: disk, clock: systemClock, dataDir: DATA, openFilesMax: 3 })
  const logs = Array.from({ length: 10 }, (_, slot) => {
    return { slot, directory: `topic-${slot}`, config: smallConfig, create: true }
  })
  writer.turn([{ kind: 'open', id: 1, logs }])
  for (let round = 0; round < 5; round++) {
    const appends = logs.map(({ slot }): Append => {
      return { kind: 'append', id: slot, slot, batch: uniqueBatch(slot, 1, 500) }
    })
    const { outcomes } = writer.turn(appends)
    assert(outcomes.every(({ error }) => !error))
    assert(disk.openFileCount <= 3, `${disk.openFileCount} files`)
  }
  writer.turn([{ kind: 'close', id: 2, clean: true }])
  t.equal(disk.openFileCount, 0)
})
