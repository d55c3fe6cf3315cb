// Our files, read by a reader that knows only Apache Kafka's format: it shares no code with protocol/ and storage/.
// Source: Kafka's documentation of record batches, indexes and control records.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import t, { type Test } from '../../protocol/testing/tap.ts'
import { Client } from '../../clients/index.ts'
import { Broker } from '../broker.ts'

const INDEX_INTERVAL_BYTES = 1000
const SEGMENT_BYTES = 20_000
const START_MS = Date.UTC(2026, 0, 31)

interface Rec {
  readonly offset: number
  readonly timestamp: number
  readonly key: string | null
  readonly value: string | null
  readonly headers: readonly (readonly [string, string])[]
}

interface Batch {
  readonly position: number
  readonly baseOffset: number
  readonly lastOffset: number
  readonly maxTimestamp: number
  readonly producerId: number
  readonly isControl: boolean
  readonly isTransactional: boolean
  readonly records: readonly Rec[]
}

/** CRC-32C, bit by bit: reflected polynomial 0x82f63b78. */
function crc32c(bytes: Buffer): number {
  let crc = 0xffff_ffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f6_3b78 : 0)
  }
  return ~crc >>> 0
}

function int64(bytes: Buffer, at: number): number {
  return Number(bytes.readBigInt64BE(at))
}

/** Zigzag varints and what is made of them. */
class RecordReader {
  readonly #bytes: Buffer
  at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  varint(): number {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = BigInt(this.#bytes[this.at++]!)
      value |= (byte & 0x7fn) << shift
      if (byte < 0x80n) return Number((value >> 1n) ^ -(value & 1n))
    }
  }

  text(): string | null {
    const length = this.varint()
    if (length < 0) return null
    this.at += length
    return this.#bytes.toString('latin1', this.at - length, this.at)
  }

  record(baseOffset: number, baseTimestamp: number): Rec {
    const end = this.varint() + this.at
    this.at++ // attributes, unused
    const timestamp = baseTimestamp + this.varint()
    const offset = baseOffset + this.varint()
    const [key, value] = [this.text(), this.text()]
    const headers = Array.from(
      { length: this.varint() },
      () => [this.text()!, this.text() ?? ''] as const,
    )
    if (this.at !== end)
      throw new Error(`record at offset ${offset} ends at ${this.at}, not ${end}`)
    return { offset, timestamp, key, value, headers }
  }
}

function batchAt(file: Buffer, position: number): { readonly batch: Batch; readonly end: number } {
  const end = position + 12 + file.readInt32BE(position + 8)
  const bytes = file.subarray(position, end)
  if (bytes[16] !== 2) throw new Error(`magic ${bytes[16]} at ${position}`)
  if (bytes.readUInt32BE(17) !== crc32c(bytes.subarray(21))) throw new Error(`CRC at ${position}`)
  const attributes = bytes.readInt16BE(21)
  const codec = attributes & 7
  if (codec > 1) throw new Error(`codec ${codec} is not for this reader`)
  const baseOffset = int64(bytes, 0)
  const packed = bytes.subarray(61)
  const reader = new RecordReader(codec === 1 ? gunzipSync(packed) : packed)
  const baseTimestamp = int64(bytes, 27)
  const records = Array.from({ length: bytes.readInt32BE(57) }, () =>
    reader.record(baseOffset, baseTimestamp),
  )
  const batch = {
    position,
    baseOffset,
    lastOffset: baseOffset + bytes.readInt32BE(23),
    maxTimestamp: int64(bytes, 35),
    producerId: int64(bytes, 43),
    isControl: (attributes & 32) !== 0,
    isTransactional: (attributes & 16) !== 0,
    records,
  }
  return { batch, end }
}

function batchesIn(file: Buffer): Batch[] {
  const batches: Batch[] = []
  for (let position = 0; position < file.length;) {
    const { batch, end } = batchAt(file, position)
    batches.push(batch)
    position = end
  }
  return batches
}

/** Entries of one size. */
function entriesOf(file: Buffer, entryBytes: number): Buffer[] {
  return Array.from({ length: file.length / entryBytes }, (_, i) =>
    file.subarray(i * entryBytes, (i + 1) * entryBytes),
  )
}

function checkBatches(t: Test, batches: readonly Batch[], firstOffset: number): void {
  let next = firstOffset
  for (const { baseOffset, lastOffset, maxTimestamp, records } of batches) {
    if (baseOffset !== next) t.fail(`offset ${baseOffset} comes after ${next - 1}`)
    records.forEach(({ offset }, i) => offset === baseOffset + i || t.fail(`offset ${offset}`))
    if (records.at(-1)!.offset !== lastOffset) t.fail(`the batch at ${baseOffset} ends elsewhere`)
    const largest = Math.max(...records.map(({ timestamp }) => timestamp))
    if (maxTimestamp !== largest) t.fail(`largest timestamp of the batch at ${baseOffset}`)
    next = lastOffset + 1
  }
}

function checkOffsetIndex(t: Test, file: Buffer, base: number, batches: readonly Batch[]): void {
  t.equal(file.length % 8, 0)
  let last = 0
  for (const entry of entriesOf(file, 8)) {
    const [offset, position] = [base + entry.readInt32BE(0), entry.readInt32BE(4)]
    const batch = batches.find((each) => each.position === position)
    t.equal(batch?.lastOffset, offset, `index: ${offset} at ${position}`)
    t.ok(position - last > INDEX_INTERVAL_BYTES, 'sparse')
    last = position
  }
}

function checkTimeIndex(t: Test, file: Buffer, base: number, batches: readonly Batch[]): void {
  t.equal(file.length % 12, 0)
  let last = -1
  for (const entry of entriesOf(file, 12)) {
    const [timestamp, offset] = [int64(entry, 0), base + entry.readInt32BE(8)]
    const upTo = batches.filter(({ lastOffset }) => lastOffset <= offset)
    t.equal(Math.max(...upTo.map(({ maxTimestamp }) => maxTimestamp)), timestamp, `at ${offset}`)
    t.ok(timestamp > last, 'ascending')
    last = timestamp
  }
  const largest = Math.max(...batches.map(({ maxTimestamp }) => maxTimestamp))
  if (file.length > 0) t.equal(last, largest, 'the last entry has the largest timestamp')
}

/** Version, type (0 abort, 1 commit) of a marker. */
function markerOf({ records }: Batch): [version: number, type: number] {
  const key = Buffer.from(records[0]!.key!, 'latin1')
  return [key.readInt16BE(0), key.readInt16BE(2)]
}

function checkTxnIndex(t: Test, file: Buffer, batches: readonly Batch[]): number {
  t.equal(file.length % 34, 0)
  const aborts = batches.filter((batch) => batch.isControl && markerOf(batch)[1] === 0)
  const entries = entriesOf(file, 34)
  t.equal(entries.length, aborts.length, 'an entry for each abort')
  for (const [i, entry] of entries.entries()) {
    const { producerId, baseOffset } = aborts[i]!
    t.equal(entry.readInt16BE(0), 0, 'version')
    t.equal(int64(entry, 2), producerId)
    const first = batches.find((batch) => batch.baseOffset === int64(entry, 10))
    t.match(first, { producerId, isTransactional: true, isControl: false })
    t.equal(int64(entry, 18), baseOffset, 'the last offset is that of the marker')
    t.ok(int64(entry, 26) <= baseOffset + 1, 'last stable offset')
  }
  return aborts.length
}

const dataDir = t.testdir()

await t.test('a broker writes plain, compressed and transactional records', async () => {
  const config = {
    'log.segment.bytes': SEGMENT_BYTES,
    'log.index.interval.bytes': INDEX_INTERVAL_BYTES,
  }
  await using broker = await Broker.start({ dataDir, config })
  await using client = new Client({ brokers: broker.bootstrap })
  const admin = client.admin()
  await admin.createTopics([{ topic: 'bytes', partitions: 1 }])
  for (const compression of ['none', 'gzip'] as const) {
    await using producer = client.producer({ compression, batchBytes: 700 })
    for (let i = 0; i < 500; i++) {
      void producer.send('bytes', {
        key: `key ${i}`,
        value: `${compression} ${i} `.repeat(i % 9),
        headers: { n: `${i}` },
        timestamp: START_MS + (i % 50) * 1000 + i,
      })
    }
    await producer.flush()
  }
  await using producer = client.producer({ transactionalId: 'bytes', lingerMs: 0 })
  const end = async () => (await admin.listOffsets(['bytes'], 'latest'))[0]!.offset
  for (const isKept of [true, false, false, true]) {
    const done = producer.transaction(async (transaction) => {
      const before = await end()
      await transaction.send('bytes', { value: `kept: ${isKept}`, timestamp: START_MS })
      while ((await end()) === before) await new Promise((resolve) => setImmediate(resolve))
      if (!isKept) throw new Error('changed my mind')
    })
    await done.catch(() => {})
  }
})

t.test('segments are named by offset, dense, and whole to the bit', async (t) => {
  const directory = join(dataDir, 'bytes-0')
  const names = readdirSync(directory)
  const segments = names.filter((name) => name.endsWith('.log')).sort()
  t.ok(segments.length > 2)
  const read = (name: string) =>
    names.includes(name) ? readFileSync(join(directory, name)) : Buffer.of()
  const all: Batch[] = []
  let abortCount = 0
  for (const name of segments) {
    t.match(name, /^\d{20}\.log$/)
    const base = Number(name.slice(0, 20))
    const file = read(name)
    t.ok(file.length <= SEGMENT_BYTES)
    const batches = batchesIn(file)
    t.equal(batches[0]?.baseOffset, base, 'the name is the first offset')
    t.equal(base, (all.at(-1)?.lastOffset ?? -1) + 1, 'where the segment before has ended')
    checkBatches(t, batches, base)
    checkOffsetIndex(t, read(name.replace('.log', '.index')), base, batches)
    checkTimeIndex(t, read(name.replace('.log', '.timeindex')), base, batches)
    abortCount += checkTxnIndex(t, read(name.replace('.log', '.txnindex')), batches)
    all.push(...batches)
  }
  const records = all.filter(({ isControl }) => !isControl).flatMap((batch) => batch.records)
  t.equal(records.length, 1004)
  for (const [i, { key, value, headers, timestamp }] of records.slice(0, 1000).entries()) {
    const n = i % 500
    const codec = i < 500 ? 'none' : 'gzip'
    const wanted = [`key ${n}`, `${codec} ${n} `.repeat(n % 9), [['n', `${n}`]]]
    t.same([key, value, headers], wanted)
    t.equal(timestamp, START_MS + (n % 50) * 1000 + n)
  }
  const markers = all.filter(({ isControl }) => isControl).map(markerOf)
  t.same(
    markers,
    [
      [0, 1],
      [0, 0],
      [0, 0],
      [0, 1],
    ],
    'commit, abort, abort, commit',
  )
  t.equal(abortCount, 2)
  t.match(readFileSync(join(directory, 'leader-epoch-checkpoint'), 'utf8'), /^0\n1\n0 0\n$/)
})
