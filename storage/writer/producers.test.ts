// The writer and producers with an id: duplicates, gaps, fenced epochs, transactions. Kafka's rules, case by case.

import t from '../../protocol/testing/tap.ts'
import { readBatchHeader } from '../../protocol/batch/header.ts'
import { systemClock } from '../clock.ts'
import { FaultyFs } from '../testing/faulty-fs.ts'
import { contentOf, type Sequence, sequencedBatch, uniqueBatch } from '../testing/stored-log.ts'
import { DATA, LogWriterWorld, roomy } from '../testing/log-writer-world.ts'
import type { TurnResult } from './commands.ts'

const send = (world: LogWriterWorld, ...batches: Sequence[]): TurnResult =>
  world.append(...batches.map(sequencedBatch))

/** Of each append, in order, its error or the offset that it was answered with. */
const answers = ({ outcomes }: TurnResult): (string | number | undefined)[] =>
  [...outcomes].sort((a, b) => a.id - b.id).map(({ error, baseOffset }) => error ?? baseOffset)

const OUT_OF_ORDER = 'OUT_OF_ORDER_SEQUENCE_NUMBER'

t.test('a copy of any of the last five batches is answered with its offset, not written', (t) => {
  const world = new LogWriterWorld()
  for (let i = 0; i < 7; i++) t.same(answers(send(world, { first: 2 * i, count: 2 })), [2 * i])
  for (let i = 2; i < 7; i++) t.same(answers(send(world, { first: 2 * i, count: 2 })), [2 * i])
  t.same(answers(send(world, { first: 2, count: 2 })), [OUT_OF_ORDER], 'older ones are not known')
  t.same(answers(send(world, { first: 12, count: 1 })), [OUT_OF_ORDER], 'half of one is no copy')
  t.same(answers(send(world, { first: 14 })), [14], 'nothing of that was written')
  t.end()
})

t.test('a gap is refused, and so is all that follows it', (t) => {
  const world = new LogWriterWorld()
  t.same(answers(send(world, { first: 0 }, { first: 2 }, { first: 3 })), [
    0,
    OUT_OF_ORDER,
    OUT_OF_ORDER,
  ])
  t.same(answers(send(world, { first: 1 }, { first: 2 })), [1, 2])
  t.end()
})

t.test(
  'batches that are sent before the first is answered follow one another, and copies are known',
  (t) => {
    const world = new LogWriterWorld()
    const copy = { first: 0, count: 3 }
    t.same(answers(send(world, copy, { first: 3 }, copy, { first: 4 })), [0, 3, 0, 4])
    t.end()
  },
)

t.test('a new epoch begins with 0, an old one is fenced', (t) => {
  const world = new LogWriterWorld()
  send(world, { first: 0, count: 5 })
  t.same(answers(send(world, { epoch: 1, first: 5 })), [OUT_OF_ORDER])
  t.same(answers(send(world, { epoch: 1, first: 0 })), [5])
  t.same(answers(send(world, { epoch: 0, first: 5 })), ['INVALID_PRODUCER_EPOCH'])
  t.same(answers(send(world, { epoch: 0, first: 0, count: 5 })), ['INVALID_PRODUCER_EPOCH'])
  t.same(answers(send(world, { epoch: 1, first: 1 })), [6])
  t.end()
})

t.test('sequences go on with 0 after the largest int32, also within a batch', (t) => {
  const world = new LogWriterWorld()
  t.same(answers(send(world, { first: 0x7fffffff - 3, count: 3 })), [0], 'unknown: any sequence')
  t.same(answers(send(world, { first: 0x7fffffff, count: 3 })), [3])
  t.same(answers(send(world, { first: 2 })), [6])
  t.same(answers(send(world, { first: 0x7fffffff, count: 3 })), [3], 'a copy over the edge')
  const atEdge = new LogWriterWorld()
  t.same(answers(send(atEdge, { first: 0x7fffffff })), [0])
  t.same(answers(send(atEdge, { first: 0 })), [1])
  t.end()
})

t.test('producers do not know of one another; without an id nothing is checked', (t) => {
  const world = new LogWriterWorld()
  t.same(answers(send(world, { producerId: 1, first: 0 }, { producerId: 2, first: 40 })), [0, 1])
  const plain = uniqueBatch(1, 1, 10)
  t.same(answers(world.append(plain, new Uint8Array(plain))), [2, 3])
  t.match(world.producers(), [
    {
      producerId: 1,
      producerEpoch: 0,
      lastSequence: 0,
      coordinatorEpoch: -1,
      currentTxnStartOffset: -1,
    },
    { producerId: 2, producerEpoch: 0, lastSequence: 40, lastTimestampMs: 1_000_000 },
  ])
  t.end()
})

t.test('a copy says the append time of the first', (t) => {
  let nowMs = 5_000_000
  const clock = { ...systemClock, now: () => nowMs++ }
  const world = new LogWriterWorld({ ...roomy, timestampType: 'LogAppendTime' }, { clock })
  const [first] = send(world, { first: 0 }).outcomes
  t.ok(first!.logAppendTimeMs! >= 5_000_000)
  t.equal(send(world, { first: 0 }).outcomes[0]!.logAppendTimeMs, first!.logAppendTimeMs)
  t.end()
})

t.test('what found no room on the disk was not sent, and neither were its copies', (t) => {
  const world = new LogWriterWorld()
  send(world, { first: 0 })
  world.disk.capacityBytes = world.disk.usedBytes + 100
  const full = send(
    world,
    { first: 1, valueBytes: 400 },
    { first: 2 },
    { first: 1, valueBytes: 400 },
    { first: 0 },
  )
  const REFUSED = 'KAFKA_STORAGE_ERROR'
  t.same(answers(full), [REFUSED, REFUSED, REFUSED, 0])
  world.disk.capacityBytes = Infinity
  t.same(answers(send(world, { first: 2 })), [OUT_OF_ORDER])
  t.same(answers(send(world, { first: 1, valueBytes: 400 }, { first: 2 })), [1, 2])
  t.end()
})

t.test('nothing goes in before the first batch of a producer, for which there was no room', (t) => {
  const config = { ...roomy, segmentBytesMax: 400 }
  for (const isRollRefused of [false, true]) {
    const world = new LogWriterWorld(config)
    send(world, { producerId: 8, first: 0, valueBytes: isRollRefused ? 300 : 20 })
    world.disk.capacityBytes = world.disk.usedBytes
    if (isRollRefused)
      world.disk.faultAt = ({ operation }) => (operation === 'create' ? 'ENOSPC' : undefined)
    t.same(answers(send(world, { first: 0 })), ['KAFKA_STORAGE_ERROR'])
    world.disk.capacityBytes = Infinity
    world.disk.faultAt = () => undefined
    t.same(answers(send(world, { first: 1 }, { first: 2 })), [OUT_OF_ORDER, OUT_OF_ORDER])
    t.same(answers(send(world, { first: 0 }, { first: 1 })), [1, 2])
    t.same(answers(send(world, { producerId: 9, first: 5 })), [3], 'others may begin anywhere')
  }
  t.end()
})

t.test('the last stable offset stays where the oldest open transaction begins', (t) => {
  const world = new LogWriterWorld()
  const lso = (result: TurnResult) => result.states.at(-1)!.lastStableOffset
  t.equal(lso(send(world, { producerId: 1, first: 0 })), 1)
  t.equal(lso(send(world, { producerId: 2, first: 0, isTransactional: true })), 1)
  t.equal(lso(send(world, { producerId: 3, first: 0, isTransactional: true })), 1)
  t.equal(lso(send(world, { producerId: 2, first: 1, isTransactional: true })), 1)
  const end = { producerEpoch: 0, coordinatorEpoch: 0 }
  t.equal(lso(world.end({ producerId: 3, isCommit: true, ...end })), 1)
  t.equal(lso(world.end({ producerId: 2, isCommit: false, ...end })), 6)
  t.equal(lso(world.end({ producerId: 2, isCommit: false, ...end })), 7, 'once more ends nothing')
  t.equal(world.restart().lastStableOffset, 7)
  t.end()
})

t.test('outside the transaction that it has open a producer writes nothing', (t) => {
  const world = new LogWriterWorld()
  send(world, { first: 0, isTransactional: true })
  t.same(answers(send(world, { first: 1 })), ['INVALID_TXN_STATE'])
  world.end({ producerId: 7, producerEpoch: 0, isCommit: true, coordinatorEpoch: 0 })
  t.same(answers(send(world, { first: 1 })), [2], 'sequences go on after a transaction')
  t.end()
})

t.test('a marker of an older epoch, or of a coordinator that was replaced, is refused', (t) => {
  const world = new LogWriterWorld()
  const marker = { producerId: 7, producerEpoch: 3, isCommit: true, coordinatorEpoch: 5 }
  send(world, { epoch: 3, first: 0, isTransactional: true })
  t.same(answers(world.end({ ...marker, producerEpoch: 2 })), ['INVALID_PRODUCER_EPOCH'])
  t.same(answers(world.end(marker)), [1])
  t.same(answers(world.end({ ...marker, coordinatorEpoch: 4 })), ['TRANSACTION_COORDINATOR_FENCED'])
  t.same(answers(world.end({ ...marker, producerEpoch: 4, coordinatorEpoch: 6 })), [2])
  t.match(world.producers(), [{ producerEpoch: 4, lastSequence: -1, coordinatorEpoch: 6 }])
  t.same(answers(send(world, { epoch: 3, first: 1 })), ['INVALID_PRODUCER_EPOCH'])
  t.same(answers(send(world, { epoch: 4, first: 1 })), [OUT_OF_ORDER])
  t.same(answers(send(world, { epoch: 4, first: 0 })), [3])
  t.end()
})

t.test('a marker and an index entry are as Kafka writes them', (t) => {
  const clock = { ...systemClock, now: () => 1_700_000_000_000 }
  const world = new LogWriterWorld(roomy, { clock })
  const timestamp = clock.now()
  send(world, { producerId: 0x0102030405, epoch: 6, first: 0, isTransactional: true, timestamp })
  send(world, { producerId: 8, first: 0, isTransactional: true, timestamp })
  world.end({ producerId: 0x0102030405, producerEpoch: 6, isCommit: false, coordinatorEpoch: 9 })
  world.end({ producerId: 8, producerEpoch: 0, isCommit: true, coordinatorEpoch: 9 })
  const log = contentOf(world.disk, `${DATA}/topic-0/00000000000000000000.log`)
  const [abort, commit] = [log.subarray(-2 * 78, -78), log.subarray(-78)]
  t.match(readBatchHeader(abort), {
    baseOffset: 2,
    attributes: 0x30,
    baseSequence: -1,
    recordCount: 1,
  })
  // baseOffset, length 66, epoch 0, magic 2 -- attributes 0x30, lastOffsetDelta 0, both timestamps, producer, epoch, sequence -1, 1 record
  t.equal(abort.toString('hex', 0, 17), `${'0000000000000002'}${'00000042'}${'00000000'}${'02'}`)
  t.equal(
    abort.toString('hex', 21, 61),
    `0030${'00000000'}${'0000018bcfe56800'.repeat(2)}${'0000000102030405'}${'0006'}${'ffffffff'}${'00000001'}`,
  )
  // length 16 (zig-zag), attributes, timestamp and offset delta 0, key of 4: version 0, ABORT 0; value of 6: version 0, coordinator epoch 9; no headers
  t.equal(abort.toString('hex', 61), `20000000${'08'}${'00000000'}${'0c'}${'000000000009'}${'00'}`)
  t.equal(commit.toString('hex', 61), `20000000${'08'}${'00000001'}${'0c'}${'000000000009'}${'00'}`)
  const index = contentOf(world.disk, `${DATA}/topic-0/00000000000000000000.txnindex`)
  // version 0, producer, first offset 0, last offset 2, last stable offset 1
  t.equal(
    index.toString('hex'),
    `0000${'0000000102030405'}${'0000000000000000'}${'0000000000000002'}${'0000000000000001'}`,
  )
  t.end()
})

const LOG = `${DATA}/topic-0/00000000000000000000.log`
const commit = { producerId: 7, producerEpoch: 0, isCommit: true, coordinatorEpoch: 0 }

t.test('a torn tail takes along what it said of producers', (t) => {
  const world = new LogWriterWorld()
  send(world, { first: 0 }, { first: 1 }, { first: 2, isTransactional: true })
  const content = contentOf(world.disk, LOG)
  world.disk.place(LOG, content.subarray(0, -1))
  const opened = world.restart()
  t.ok(opened.truncatedBytes > 0)
  t.equal(opened.lastStableOffset, 2)
  t.match(world.producers(), [{ lastSequence: 1, currentTxnStartOffset: -1 }])
  t.same(answers(send(world, { first: 1 }, { first: 2 })), [1, 2])
  t.end()
})

t.test('a marker that has rotted leaves its transaction open until the next one', (t) => {
  const clock = { ...systemClock, now: () => 1_000_000 }
  const world = new LogWriterWorld(roomy, { clock })
  send(world, { first: 0, isTransactional: true })
  world.end({ ...commit, isCommit: false })
  const markerEnd = contentOf(world.disk, LOG).length
  send(world, { producerId: 8, first: 0 })
  const content = contentOf(world.disk, LOG)
  content[markerEnd - 1]! ^= 1
  world.disk.place(LOG, content)
  const opened = world.restart()
  t.match(opened.quarantined, [{ startOffset: 1, endOffset: 2 }])
  t.equal(opened.lastStableOffset, 0, 'nothing is shown that may have been aborted')
  const [state] = world.end({ ...commit, isCommit: false }).states
  t.match(state, { lastStableOffset: 4, activeAbortedCount: 1 })
  t.end()
})

t.test('DeleteRecords takes records, not what is known of their producers', (t) => {
  const config = { ...roomy, segmentBytesMax: 300 }
  const world = new LogWriterWorld(config)
  send(world, { first: 0 }, { first: 1, isTransactional: true })
  for (let first = 0; first < 4; first++) send(world, { producerId: 8, first })
  t.equal(world.trim(3).error, undefined)
  const copy = { first: 1, isTransactional: true }
  t.same(answers(send(world, copy)), [1], 'a copy of what is gone is known')
  for (const stop of [() => {}, () => world.close()]) {
    stop()
    const opened = world.restart(config)
    t.match(opened, { logStartOffset: 3, lastStableOffset: 3 }, 'its transaction is still open')
    t.same(answers(send(world, copy)), [1])
  }
  const [state] = world.end({ ...commit, isCommit: false }).states
  t.match(state, { lastStableOffset: 7, activeAbortedCount: 1 })
  t.end()
})

t.test('a copy is answered when what it copies is durable, not before', (t) => {
  const world = new LogWriterWorld()
  const config = { ...roomy, flushPolicy: 'os' } as const
  world.turn([
    { kind: 'open', id: 1, logs: [{ slot: 1, directory: 'os-0', config, create: true }] },
  ])
  const first = world.appendOf(sequencedBatch({ first: 0 }))
  const copy = world.appendOf(sequencedBatch({ first: 0 }))
  const quick = world.appendOf(uniqueBatch(1, 1, 10), 1)
  const { early, last } = world.turnWithEarly([first, copy, quick])
  t.strictSame(
    early.flatMap(({ outcomes }) => outcomes.map(({ id }) => id)),
    [quick.id],
  )
  t.strictSame(
    last.outcomes.map(({ id, baseOffset }) => [id, baseOffset]),
    [
      [first.id, 0],
      [copy.id, 0],
    ],
  )
  t.end()
})

t.test('with flush.policy=os, what a power cut takes is forgotten', (t) => {
  const config = { ...roomy, flushPolicy: 'os' } as const
  const world = new LogWriterWorld(config, { checkpointBytes: 1 })
  send(world, { first: 0, valueBytes: 70_000 })
  send(world, { first: 1, isTransactional: true })
  const opened = world.restart(config, world.disk.afterPowerCut(1))
  const lastSequence = world.producers()[0]?.lastSequence ?? -1
  t.equal(opened.logEndOffset, lastSequence + 1)
  t.ok(opened.lastStableOffset <= opened.logEndOffset)
  t.end()
})

t.test(
  'a start after an orderly stop does not read the log, also when all producers have expired',
  (t) => {
    let nowMs = 1_000_000
    const world = new LogWriterWorld(roomy, { clock: { ...systemClock, now: () => nowMs } })
    send(world, { first: 0, isTransactional: true, valueBytes: 100_000 })
    world.end({ ...commit, isCommit: false })
    for (const laterMs of [0, 90_000_000, 0]) {
      nowMs += laterMs
      world.close()
      const { disk } = world
      let bytesRead = 0
      disk.read = (fd, into, position) => {
        bytesRead += into.length
        return FaultyFs.prototype.read.call(disk, fd, into, position)
      }
      t.match(world.restart(), { cleanStart: true, activeAbortedCount: 1 })
      t.ok(bytesRead < 5000, `${bytesRead} bytes read`)
      t.equal(world.producers().length, laterMs > 0 || nowMs > 90_000_000 ? 0 : 1)
    }
    t.end()
  },
)
