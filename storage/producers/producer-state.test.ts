// ProducerState against a model that keeps everything and copies itself to go back; expiry; snapshots, damaged in
// every bit.

import { strict as assert } from 'node:assert'
import fc from 'fast-check'
import t from '../../protocol/testing/tap.ts'
import { BatchBuilder } from '../../protocol/batch/build.ts'
import { crc32c } from '../../protocol/crc32c.ts'
import { budget } from '../../protocol/testing/budget.ts'
import { placedMarkerOf, type SequencedBatch } from './producer-batch.ts'
import { decodeSnapshot, encodeSnapshot, ProducerSnapshots } from './producer-snapshot.ts'
import { defaultProducerLimits, ProducerState } from './producer-state.ts'
import type { TxnEntry } from '../segment/txn-index.ts'
import type { TxnMarker } from '../log-facts.ts'
import { FaultyFs } from '../testing/faulty-fs.ts'

interface ModelProducer {
  epoch: number
  coordinatorEpoch: number
  txnFirstOffset: number
  /** All of the epoch. */
  batches: { first: number; last: number; offset: number }[]
}

/** The rules of Apache Kafka, with everything kept for ever. */
class Model {
  producers = new Map<number, ModelProducer>()
  ended: TxnEntry[] = []
  /** First batches of producers that were not known. */
  firsts: SequencedBatch[] = []
  /** By id, those of them that were dropped. */
  awaited = new Map<number, SequencedBatch>()

  copy(): Model {
    const copy = new Model()
    copy.producers = structuredClone(this.producers)
    copy.ended = structuredClone(this.ended)
    copy.awaited = this.awaited
    return copy
  }

  verdict(batch: SequencedBatch, isTransactionV2: boolean): string | number {
    const { producerEpoch, firstSequence, lastSequence } = batch
    const producer = this.producers.get(batch.producerId)
    if (!producer) {
      if (isTransactionV2 && firstSequence !== 0) return 'OUT_OF_ORDER_SEQUENCE_NUMBER'
      const awaited = this.awaited.get(batch.producerId)
      const isEarly = awaited && firstSequence > awaited.firstSequence
      return isEarly && awaited.producerEpoch === producerEpoch
        ? 'OUT_OF_ORDER_SEQUENCE_NUMBER'
        : 'taken'
    }
    const copy = producer.batches
      .slice(-5)
      .find(({ first, last }) => first === firstSequence && last === lastSequence)
    if (producerEpoch === producer.epoch && copy) return copy.offset
    if (producerEpoch < producer.epoch) return 'INVALID_PRODUCER_EPOCH'
    const last = producerEpoch > producer.epoch ? -1 : (producer.batches.at(-1)?.last ?? -1)
    const next = last === 2 ** 31 - 1 ? 0 : last + 1
    if (firstSequence !== next) return 'OUT_OF_ORDER_SEQUENCE_NUMBER'
    if (producer.txnFirstOffset >= 0 && !batch.isTransactional) return 'INVALID_TXN_STATE'
    return 'taken'
  }

  take(batch: SequencedBatch): void {
    if (!this.producers.has(batch.producerId)) this.firsts.push(batch)
    const producer = this.#producer(batch.producerId, batch.producerEpoch)
    const { firstSequence: first, lastSequence: last, baseOffset: offset } = batch
    producer.batches.push({ first, last, offset })
    if (batch.isTransactional && producer.txnFirstOffset < 0) producer.txnFirstOffset = offset
  }

  dropped(batch: SequencedBatch): void {
    const known = this.awaited.get(batch.producerId)
    const isSame = known?.producerEpoch === batch.producerEpoch
    if (isSame && known.firstSequence <= batch.firstSequence) return
    this.awaited.set(batch.producerId, batch)
  }

  end({ producerId, producerEpoch: epoch, ...marker }: TxnMarker, offset: number): string {
    const { coordinatorEpoch, isTransactionV2 } = marker
    const known = this.producers.get(producerId)
    const isOpen = known !== undefined && known.txnFirstOffset >= 0
    if (known && epoch < known.epoch) return 'INVALID_PRODUCER_EPOCH'
    if (isTransactionV2 && isOpen && epoch === known.epoch) return 'INVALID_PRODUCER_EPOCH'
    if (known && coordinatorEpoch < known.coordinatorEpoch) return 'TRANSACTION_COORDINATOR_FENCED'
    const producer = this.#producer(producerId, epoch)
    producer.coordinatorEpoch = coordinatorEpoch
    const firstOffset = producer.txnFirstOffset
    producer.txnFirstOffset = -1
    if (firstOffset < 0) return 'nothing'
    const lastStableOffset = Math.min(offset + 1, ...this.#openOffsets())
    const ended = { producerId, firstOffset, lastOffset: offset, lastStableOffset }
    this.ended.push(ended)
    return JSON.stringify(ended)
  }

  lastStableOffset(highWatermark: number): number {
    const undecided = this.ended.filter(({ lastOffset }) => lastOffset >= highWatermark)
    const starts = undecided.map(({ firstOffset }) => firstOffset)
    return Math.min(highWatermark, ...this.#openOffsets(), ...starts)
  }

  #openOffsets(): number[] {
    const offsets = Array.from(this.producers.values(), ({ txnFirstOffset }) => txnFirstOffset)
    return offsets.filter((offset) => offset >= 0)
  }

  #producer(id: number, epoch: number): ModelProducer {
    const fresh = { epoch, coordinatorEpoch: -1, txnFirstOffset: -1, batches: [] }
    const producer = this.producers.get(id) ?? fresh
    this.producers.set(id, producer)
    if (producer.epoch !== epoch) producer.batches = []
    producer.epoch = epoch
    return producer
  }
}

const batchAct = fc.record({
  kind: fc.constant('batch' as const),
  producerId: fc.nat(2),
  epochStep: fc.constantFrom(0, 0, 0, 0, 0, 0, 0, 1, -1),
  /** How far from the sequence that follows: mostly not at all, sometimes back where copies come from. */
  skip: fc.constantFrom(0, 0, 0, 0, 0, 0, 0, 0, 1, -1, -2, -3, -6, -9),
  count: fc.constantFrom(1, 1, 1, 2, 3),
  isTransactional: fc.constantFrom(true, true, false),
  isTransactionV2: fc.boolean(),
})
const endAct = fc.record({
  kind: fc.constant('end' as const),
  producerId: fc.nat(2),
  epochStep: fc.constantFrom(0, 0, 0, 1, -1),
  coordinatorEpoch: fc.constantFrom(1, 1, 1, 1, 2, 0),
  isTransactionV2: fc.boolean(),
})
const otherAct = fc.record({ kind: fc.constantFrom('keep', 'keep', 'drop', 'reload' as const) })
const acts = fc.array(
  fc.oneof(
    { weight: 12, arbitrary: batchAct },
    { weight: 3, arbitrary: endAct },
    { weight: 4, arbitrary: otherAct },
  ),
  { maxLength: 100, size: 'max' },
)

type Valued<Arbitrary> = Arbitrary extends fc.Arbitrary<infer Value> ? Value : never

/** Does the same to both. */
class Comparison {
  #state = new ProducerState(defaultProducerLimits)
  #kept = new Model()
  #model = this.#kept.copy()
  #keptOffset = 0
  #offset = 0
  /** Sequence that a producer begins with. */
  readonly #start: number
  /** How often each came. */
  readonly verdicts: Map<string, number>

  constructor(start: number, verdicts: Map<string, number>) {
    this.#start = start
    this.verdicts = verdicts
  }

  act(act: Valued<typeof acts>[number]): void {
    if (act.kind === 'batch') this.#send(act)
    else if (act.kind === 'end') this.#end(act)
    else if (act.kind === 'keep') this.#keep()
    else this.#drop()
    if (act.kind === 'reload') this.#reload()
    const offset = this.#keptOffset
    this.#same(this.#state.lastStableOffset(offset), this.#kept.lastStableOffset(offset))
  }

  #same(found: string | number, expected: string | number): void {
    assert.equal(found, expected)
    const kind = typeof found === 'number' || found.startsWith('{') ? 'offset' : found
    this.verdicts.set(kind, (this.verdicts.get(kind) ?? 0) + 1)
  }

  #send(act: Valued<typeof batchAct>): void {
    const { producerId, isTransactional, count } = act
    const producer = this.#model.producers.get(producerId)
    const producerEpoch = Math.max(0, (producer?.epoch ?? 0) + act.epochStep)
    const last = producer?.batches.at(-1)?.last
    const isNew = producerEpoch > (producer?.epoch ?? 0)
    const next = isNew ? 0 : last === undefined ? (producer ? 0 : this.#start) : last + 1
    const firstSequence = wrapped(next + act.skip)
    const batch: SequencedBatch = {
      producerId,
      producerEpoch,
      firstSequence,
      lastSequence: wrapped(firstSequence + count - 1),
      isTransactional,
      baseOffset: this.#offset,
      lastOffset: this.#offset + count - 1,
      timestampMs: 1,
    }
    const expected = this.#model.verdict(batch, act.isTransactionV2)
    const verdict = this.#state.take(batch, act.isTransactionV2)
    this.#same(
      verdict ? ('error' in verdict ? verdict.error : verdict.baseOffset) : 'taken',
      expected,
    )
    if (verdict) return
    this.#model.take(batch)
    this.#offset += count
  }

  #end({ producerId, epochStep, ...act }: Valued<typeof endAct>): void {
    const known = this.#model.producers.get(producerId)?.epoch ?? 0
    const producerEpoch = Math.max(0, known + epochStep)
    const offset = this.#offset
    const marker = { ...act, producerId, producerEpoch, isCommit: false }
    const expected = this.#model.end(marker, offset)
    const refusal = this.#state.refusalOfMarker(marker)
    if (refusal) return this.#same(refusal.error, expected)
    const ended = this.#state.stageMarker({ ...marker, offset, timestampMs: 1 })
    this.#same(ended ? JSON.stringify(ended) : 'nothing', expected)
    this.#offset++
  }

  #keep(): void {
    this.#state.keep(1000)
    for (const id of this.#model.producers.keys()) this.#model.awaited.delete(id)
    this.#model.firsts = []
    this.#kept = this.#model.copy()
    this.#keptOffset = this.#offset
  }

  #drop(): void {
    this.#state.drop()
    for (const batch of this.#model.firsts) this.#model.dropped(batch)
    this.#model = this.#kept.copy()
    this.#offset = this.#keptOffset
  }

  #reload(): void {
    const offset = this.#keptOffset
    this.#model.awaited.clear()
    const producers = [...this.#state.entries()]
    const bytes = encodeSnapshot({
      offset,
      place: { segmentBaseOffset: 0, position: 5 },
      producers,
    })
    this.#state = new ProducerState(defaultProducerLimits, decodeSnapshot(bytes, offset)!.producers)
  }
}

function wrapped(sequence: number): number {
  return (sequence + 2 ** 31) % 2 ** 31
}

t.test(
  'what is taken, refused and answered agrees with a model, whatever is dropped',
  async (t) => {
    const verdicts = new Map<string, number>()
    fc.assert(
      fc.property(acts, fc.constantFrom(0, 2 ** 31 - 4), (list, start) => {
        const comparison = new Comparison(start, verdicts)
        for (const act of list) comparison.act(act)
      }),
      { numRuns: budget(400, 5000, 'RUNS') },
    )
    t.equal(verdicts.size, 7)
    for (const [verdict, count] of verdicts) t.ok(count > 100, `${verdict} ${count} times`)
  },
)

const batch = (producerId: number, first: number, isTransactional = false): SequencedBatch => ({
  producerId,
  producerEpoch: 0,
  firstSequence: first,
  lastSequence: first,
  isTransactional,
  baseOffset: producerId,
  lastOffset: producerId,
  timestampMs: 1,
})

const ids = (state: ProducerState) => Array.from(state.entries(), ([id]) => id)

t.test(
  'a producer that has not written for long is forgotten, unless a transaction is open',
  async (t) => {
    const state = new ProducerState({ expirationMs: 1000, producersMax: 100 })
    state.take(batch(1, 0))
    state.take(batch(2, 0, true))
    state.keep(5000)
    state.take(batch(3, 0))
    state.keep(5600)
    state.expire(5999)
    t.same(ids(state), [1, 2, 3])
    state.expire(6000)
    t.same(ids(state), [2, 3])
    t.equal(state.take(batch(1, 40)), undefined, 'any sequence will do then')
    state.drop()
    state.take(batch(4, 0))
    state.keep(6000 + 600_000)
    t.same(ids(state), [2, 4], 'looked at every ten minutes, too')
  },
)

t.test(
  'a producer that is not known begins with sequence 0 in transactions of version 2',
  async (t) => {
    const state = new ProducerState({ expirationMs: 1000, producersMax: 100 })
    t.match(state.take(batch(1, 40, true), true), { error: 'OUT_OF_ORDER_SEQUENCE_NUMBER' })
    t.equal(state.take(batch(1, 0, true), true), undefined)
    state.keep(0)
    t.equal(state.take(batch(1, 1, true), true), undefined, 'and then goes on')
    state.keep(0)
    state.expire(10_000)
    t.equal(state.take(batch(1, 2, true), true), undefined, 'also after a long silence')
    t.equal(state.take(batch(2, 40, true), false), undefined, 'before that version with any')
  },
)

t.test('there are never many more producers than may be: those idle for longest go', async (t) => {
  const state = new ProducerState({ expirationMs: 1e9, producersMax: 100 })
  state.take(batch(0, 0, true))
  state.keep(0)
  for (let id = 1; id <= 1000; id++) {
    state.take(batch(id, 0))
    state.keep(id)
    if (ids(state).length > 100) t.fail(`${ids(state).length} after ${id}`)
  }
  t.ok(ids(state).length >= 90)
  t.ok(state.take(batch(1000, 5)), 'the last ones are known')
  t.equal(ids(state)[0], 0, 'and so is one with a transaction open')
})

t.test('a transaction that has ended counts until its marker is durable', async (t) => {
  const state = new ProducerState(defaultProducerLimits)
  state.take(batch(5, 0, true))
  state.keep(0)
  const marker = { producerId: 5, producerEpoch: 0, coordinatorEpoch: 0, isCommit: true }
  state.stageMarker({ ...marker, offset: 6, timestampMs: 1 })
  t.equal(state.lastStableOffset(6), 5, 'staged')
  state.keep(0)
  t.equal(state.lastStableOffset(6), 5, 'written')
  t.equal(state.lastStableOffset(7), 7, 'durable')
})

t.test('a snapshot with any bit flipped, or cut anywhere, is not believed', async (t) => {
  const state = new ProducerState(defaultProducerLimits)
  for (let i = 0; i < 3; i++) state.take(batch(7, i, i === 2))
  state.take({ ...batch(2 ** 40, 2 ** 31 - 1), timestampMs: -1 })
  state.keep(2 ** 41)
  const producers = [...state.entries()]
  const place = { segmentBaseOffset: 3, position: 2 ** 30 }
  const snapshot = { offset: 2 ** 45, place, producers }
  const bytes = encodeSnapshot(snapshot)
  t.match(snapshot, decodeSnapshot(bytes, snapshot.offset)!)
  t.equal(
    encodeSnapshot({ ...decodeSnapshot(bytes, snapshot.offset)!, place }).toString(),
    bytes.toString(),
  )
  t.equal(decodeSnapshot(bytes, snapshot.offset - 1), undefined, 'under another name')
  let believedCount = 0
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    bytes[bit >> 3]! ^= 1 << (bit & 7)
    if (decodeSnapshot(bytes, snapshot.offset)) believedCount++
    bytes[bit >> 3]! ^= 1 << (bit & 7)
  }
  for (let length = 0; length < bytes.length; length++) {
    if (decodeSnapshot(bytes.subarray(0, length), snapshot.offset)) believedCount++
  }
  t.equal(believedCount, 0)
})

t.test('of a snapshot that Kafka wrote the last batch of each producer is known', async (t) => {
  const state = new ProducerState(defaultProducerLimits)
  for (let i = 0; i < 3; i++) state.take(batch(7, i))
  state.keep(0)
  const place = { segmentBaseOffset: 0, position: 0 }
  const ours = encodeSnapshot({ offset: 5, place, producers: [...state.entries()] })
  const kafkas = Buffer.from(ours.subarray(0, 6 + 4 + 46)) // the head, a count, one entry
  kafkas.writeUInt32BE(crc32c(kafkas, 6), 2)
  const { place: none, producers } = decodeSnapshot(kafkas, 5)!
  t.equal(none, undefined)
  const read = new ProducerState(defaultProducerLimits, producers)
  t.match(read.take(batch(7, 2)), { firstSequence: 2 }, 'a copy of the last')
  t.match(read.take(batch(7, 1)), { error: 'OUT_OF_ORDER_SEQUENCE_NUMBER' })
  t.equal(read.take(batch(7, 3)), undefined, 'the next')
})

t.test(
  'two snapshots are kept: the newest, and that of the last checkpoint or the one before',
  async (t) => {
    const disk = new FaultyFs()
    disk.makeDirectory('/p')
    const snapshots = new ProducerSnapshots(disk, '/p', [])
    const write = (offset: number) =>
      snapshots.write({ offset, place: { segmentBaseOffset: 0, position: 0 }, producers: [] })
    const files = () => disk.readDirectory('/p').map(({ name }) => Number.parseInt(name, 10))
    for (const offset of [10, 20, 30]) write(offset)
    t.same(
      files().sort((a, b) => a - b),
      [20, 30],
    )
    snapshots.pin()
    for (const offset of [40, 50]) write(offset)
    t.same(
      files().sort((a, b) => a - b),
      [30, 50],
    )
    disk.capacityBytes = disk.usedBytes
    write(60)
    t.same(
      files().sort((a, b) => a - b),
      [30, 50],
      'no room, no snapshot',
    )
    t.equal(snapshots.newestOffset, 50)
  },
)

t.test(
  'a control batch that a compaction emptied, or that is not a marker, harms nothing',
  async (t) => {
    const markerOf = (records: number, key: string) => {
      const builder = new BatchBuilder()
      for (let i = 0; i < records; i++) {
        builder.append({ timestamp: 1, key: Buffer.from(key, 'hex'), value: null })
      }
      const ids = { producerId: 7, producerEpoch: 3 }
      return placedMarkerOf(builder.finish({ ...ids, isTransactional: true, isControl: true }))
    }
    t.match(markerOf(0, ''), { producerId: 7, producerEpoch: 3, coordinatorEpoch: -1 })
    t.equal(markerOf(1, '00'), undefined, 'no kind')
    t.equal(markerOf(1, '00000001'), undefined, 'no coordinator epoch')
    t.equal(markerOf(1, '00000002'), undefined, 'a leader change')
  },
)
