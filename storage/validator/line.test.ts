// The line to the writer: large compressed batches go through the validator, in the order of their connection, and
// others pass.

import { gzipSync } from 'node:zlib'
import t from '../../protocol/testing/tap.ts'
import { batchAround, batchOfPacked, rightRecords } from '../../protocol/testing/malformed.ts'
import { BatchBuilder } from '../../protocol/batch/build.ts'
import { producerIdOf, position, stampCrc } from '../../protocol/batch/header.ts'
import { systemClock } from '../clock.ts'
import { logConfig, parseTopicConfig } from '../config.ts'
import { openStore } from '../open-store.ts'
import type { AppendOutcome } from '../store.ts'
import { readRecords, tempDirectory } from '../testing/store-kit.ts'
import type { WriterClient } from '../writer/writer-client.ts'
import { ValidationLine } from './line.ts'
import type { ValidatorAnswer, ValidatorTask } from './port.ts'

const MIB = 1024 * 1024
const { records: rules } = logConfig(parseTopicConfig({}))
const topic = { name: 'orders', id: '', partitionCount: 1, config: {}, isInternal: false }
const log = { slot: 3, partition: 0, topic }

/** A batch that says who it is in its sequence, and comes to `sizeBytes`. */
function heavy(serial: number, sizeBytes = MIB, producerId = -1): Buffer {
  const packed = zeros.get(sizeBytes) ?? gzipSync(Buffer.alloc(sizeBytes))
  zeros.set(sizeBytes, packed)
  return named(batchOfPacked(packed, 'gzip'), serial, producerId)
}

const zeros = new Map<number, Buffer>()

function light(serial: number, producerId = -1): Buffer {
  return named(batchAround(rightRecords, 'gzip'), serial, producerId)
}

function named(batch: Buffer, serial: number, producerId: number): Buffer {
  batch.writeInt32BE(serial, position.baseSequence)
  batch.writeBigInt64BE(BigInt(producerId), position.producerId)
  stampCrc(batch, 0, batch.length)
  return batch
}

const serialOf = (batch: Uint8Array) => Buffer.from(batch).readInt32BE(position.baseSequence)

/** A line whose validator answers when the test says so, and what came out of it. */
class ValidatorWorld {
  /** Serials in the order in which the writer got them; a marker is its producer id, below zero. */
  readonly written: number[] = []
  readonly checked: number[] = []
  readonly asked: number[] = []
  readonly line: ValidationLine
  readonly #write: WriterClient['write']
  #task: ValidatorTask | undefined
  #answer: (answer: ValidatorAnswer) => void = () => {}

  constructor(heavyBytesMax = 4000 * MIB) {
    const writer = {
      write: async (_slot: number, batch: Uint8Array, _v2 = false, isChecked = false) => {
        const serial = serialOf(batch)
        this.written.push(serial)
        if (isChecked) this.checked.push(serial)
        return { baseOffset: serial, logAppendTimeMs: -1 }
      },
    }
    this.#write = writer.write
    const port = {
      ask: (task: ValidatorTask) => {
        this.asked.push(serialOf(task.batch))
        this.#task = task
        return new Promise<ValidatorAnswer>((resolve) => (this.#answer = resolve))
      },
      stop: async () => {},
    }
    const deps = { writer, port, clock: systemClock, rulesOf: () => rules, heavyBytesMax }
    this.line = new ValidationLine(deps)
  }

  append(source: object, batch: Buffer): Promise<AppendOutcome> {
    const given = Buffer.from(batch)
    const held = this.line.hold(log, given, { source, isTransactionV2: false })
    const outcome = held ?? this.#write(log.slot, given)
    given.fill(0) // borrowed until append returns, and ours again
    return outcome
  }

  /** The writer gets the marker when what the producer sent has passed. */
  async end(producerId: number): Promise<void> {
    const passed = this.line.whenPassed(log, producerId)
    if (passed) await passed
    this.written.push(-producerId)
  }

  /** The validator has looked at what it has. */
  async validated(refusal?: ValidatorAnswer['refusal']): Promise<void> {
    this.#answer({ batch: this.#task!.batch, refusal })
    await new Promise(setImmediate)
  }
}

t.test(
  'a connection keeps its order behind a batch that is decompressed, and others do not wait',
  async (t) => {
    const world = new ValidatorWorld()
    const [a, b] = [{}, {}]
    const outcomes = [world.append(a, heavy(1)), world.append(a, light(2))]
    outcomes.push(world.append(a, heavy(3)), world.append(a, light(4)), world.append(b, light(5)))
    t.strictSame(world.written, [5])
    t.ok(world.line.bytesWaiting > 0)
    await world.validated()
    t.strictSame(world.written, [5, 1, 2])
    await world.validated()
    t.strictSame(world.written, [5, 1, 2, 3, 4])
    t.strictSame(world.checked, [1, 3], 'the writer looks at the others')
    t.strictSame(
      (await Promise.all(outcomes)).map(({ baseOffset }) => baseOffset),
      [1, 2, 3, 4, 5],
    )
    t.equal(world.line.bytesWaiting, 0)
    void world.append(a, light(6))
    t.equal(world.written.at(-1), 6, 'nothing is left of the line')
  },
)

t.test('a batch that the validator refuses is answered, and those behind it go on', async (t) => {
  const world = new ValidatorWorld()
  const source = {}
  const first = world.append(source, heavy(1))
  const second = world.append(source, light(2))
  const recordErrors = [{ batchIndex: 4, message: 'no' }]
  await world.validated({ error: 'INVALID_RECORD', message: 'no', recordErrors })
  t.match(await first, { error: 'INVALID_RECORD', recordErrors, baseOffset: -1 })
  t.match(await second, { baseOffset: 2 })
  t.strictSame(world.written, [2])
})

t.test(
  'a connection that wants little decompressed waits for one bomb, not for all of them',
  async (t) => {
    const world = new ValidatorWorld()
    const bombers = Array.from({ length: 10 }, () => ({}))
    for (const [i, bomber] of bombers.entries()) {
      void world.append(bomber, heavy(10 + i, 60 * MIB))
      void world.append(bomber, heavy(20 + i, 60 * MIB))
    }
    const honest = {}
    for (const serial of [1, 2, 3]) void world.append(honest, heavy(serial))
    for (let i = 0; i < 5; i++) await world.validated()
    t.strictSame(world.asked.slice(0, 5), [10, 1, 2, 3, 11])
    for (let i = 0; i < 18; i++) await world.validated()
    t.equal(world.asked.length, 23, 'and all have their turn')
  },
)

t.test(
  'above the limit of what waits, only connections that wait already are refused more',
  async (t) => {
    const world = new ValidatorWorld(100 * MIB)
    const [bomber, honest] = [{}, {}]
    void world.append(bomber, heavy(1, 60 * MIB))
    t.match(await world.append(bomber, heavy(2, 60 * MIB)), { error: 'REQUEST_TIMED_OUT' })
    void world.append(bomber, light(3))
    void world.append(honest, heavy(4, 60 * MIB))
    await world.validated()
    await world.validated()
    t.strictSame(world.written, [1, 3, 4])
    t.strictSame(world.asked, [1, 4])
  },
)

t.test('a transaction ends behind what its producer sent, not behind others', async (t) => {
  const world = new ValidatorWorld()
  void world.append({}, heavy(1, MIB, 7))
  void world.end(8)
  const ended = world.end(7)
  t.strictSame(world.written, [-8])
  await world.validated()
  await ended
  t.strictSame(world.written, [-8, 1, -7])
})

t.test('what waits when the store closes is refused', async (t) => {
  const world = new ValidatorWorld()
  const source = {}
  const waiting = [world.append(source, heavy(1)), world.append(source, light(2))]
  await world.line.stop()
  for (const outcome of await Promise.all(waiting))
    t.match(outcome, { error: 'KAFKA_STORAGE_ERROR' })
  t.match(await world.append(source, heavy(3)), { error: 'KAFKA_STORAGE_ERROR' })
  await world.validated()
  t.strictSame(world.written, [])
})

t.test(
  'with threads: large batches arrive whole and in order, garbage and bombs do not, and a stop waits for neither',
  async (t) => {
    const dataDir = tempDirectory(t)
    const store = await openStore({ dataDir, writer: 'thread', clock: systemClock })
    const config = { 'record.check.max.bytes': `${8 * MIB}`, 'flush.policy': 'os' }
    await store.topics.create({ name: 'large', partitionCount: 1, config })
    const large = store.logs.get('large', 0)!
    const source = {}
    const append = (batch: Uint8Array) => store.writer.append(large, batch, { source })
    const builder = new BatchBuilder()
    for (let i = 0; i < 3000; i++)
      builder.append({ timestamp: 1, key: null, value: Buffer.alloc(100, 'v') })
    const good = builder.finish({ codec: 'gzip' })
    const outcomes = await Promise.all([
      append(good),
      append(heavy(1)),
      append(light(2)),
      append(heavy(3, 60 * MIB)),
      append(good),
    ])
    t.match(outcomes, [
      { baseOffset: 0 },
      { error: 'INVALID_RECORD', recordErrors: [{ batchIndex: 0 }] },
      { baseOffset: 3000 },
      { error: 'MESSAGE_TOO_LARGE' },
      { baseOffset: 3003 },
    ])
    t.equal(producerIdOf(good), -1)
    t.equal((await readRecords(store.reader, large, 0, MIB)).length, 6003)
    const late = append(heavy(9, 8 * MIB))
    await store[Symbol.asyncDispose]()
    t.ok((await late).error)
  },
)
