// Record batches against other encoders and decoders, by property, and damaged in every way.

import { createRequire } from 'node:module'
import fc from 'fast-check'
import t from '../testing/tap.ts'
import { codecIds, type Codec } from '../compression/index.ts'
import { KafkaError } from '../errors.ts'
import { budget } from '../testing/budget.ts'
import {
  BatchBuilder,
  lineAt,
  LINES_WINDOW_BYTES,
  type FinishOptions,
  type Lines,
  type NewRecord,
} from './build.ts'
import { buildEndMarker, readEndMarker } from './control.ts'
import { foreignBatches, foreignRecords, type ExpectedRecord } from './foreign.test.data.ts'
import {
  BATCH_OVERHEAD_BYTES,
  batchSizeBytes,
  crcMatches,
  position,
  putInt32,
  readBatchHeader,
  stampBatch,
  stampCrc,
  stampLogAppendTime,
} from './header.ts'
import { batchesOf, recordsOf, type Header, type RecordView } from './record.ts'

const MIB = 1024 * 1024
const codecs = Object.keys(codecIds) as Codec[]
const limits = { decompressedBytesMax: MIB }

interface PlainRecord extends ExpectedRecord {
  readonly offset: number
}

const plain = ({ offset, timestamp, key, value, headers }: RecordView): PlainRecord => ({
  offset,
  timestamp,
  key,
  value,
  headers,
})

function build(records: readonly NewRecord[], options?: FinishOptions): Buffer {
  const builder = new BatchBuilder()
  for (const record of records) builder.append(record)
  return builder.finish(options) as Buffer
}

function read(bytes: Uint8Array, at = 0): PlainRecord[] {
  return [...recordsOf(bytes, at, readBatchHeader(bytes, at), limits)].map(plain)
}

/** The records up to the end or to a KafkaError, which ends them; any other error is thrown. */
function readUntilRefused(bytes: Uint8Array): { records: PlainRecord[]; refusal?: KafkaError } {
  const records: PlainRecord[] = []
  try {
    for (const record of recordsOf(bytes, 0, readBatchHeader(bytes), limits))
      records.push(plain(record))
    return { records }
  } catch (error) {
    if (!(error instanceof KafkaError)) throw error
    return { records, refusal: error }
  }
}

const field = fc.oneof(
  fc.constant(null),
  fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
  fc.integer({ min: 0, max: 20_000 }).map((length) => Buffer.alloc(length, 'abc')),
)
const timestamp = fc.oneof(
  fc.integer({ min: 1_700_000_000_000, max: 1_700_000_100_000 }),
  fc.constantFrom(-1, 0, 1, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 40),
  fc.integer({ min: -(2 ** 51), max: 2 ** 51 }),
)
const headers = fc.array(fc.tuple(fc.string({ unit: 'grapheme', maxLength: 8 }), field), {
  maxLength: 3,
})
const record = fc.record({ timestamp, key: field, value: field, headers })
const recordList = fc.array(record, { minLength: 1, maxLength: 20 })

t.test('what others encoded is read, for every codec', async (t) => {
  const expected = foreignRecords.map((record, offset) => ({ offset, ...record }))
  t.equal(foreignBatches.length, 2 * codecs.length)
  for (const { encoder, codec, hex } of foreignBatches) {
    const bytes = Buffer.from(hex, 'hex')
    const header = readBatchHeader(bytes)
    t.match(header, {
      sizeBytes: bytes.length,
      magic: 2,
      codec,
      timestampType: 'CreateTime',
      isTransactional: false,
      isControl: false,
      lastOffsetDelta: 3,
      recordCount: 4,
      baseTimestamp: 1_700_000_000_000,
      maxTimestamp: 1_700_000_000_000 + 2 ** 33,
      producerId: -1,
      producerEpoch: -1,
      baseSequence: -1,
    })
    t.ok(crcMatches(bytes, 0, bytes.length), `${encoder} ${codec}: CRC`)
    t.strictSame(read(bytes), expected, `${encoder} ${codec}: records`)
  }
})

t.test(
  'an uncompressed batch is byte for byte what kafka-python makes of the same records',
  async (t) => {
    const { hex } = foreignBatches.find(
      ({ encoder, codec }) => encoder === 'kafka-python' && codec === 'none',
    )!
    const bytes = build(foreignRecords)
    stampBatch(bytes, 0, 0, 0) // kafka-python sends epoch 0, Java and millrace -1
    t.equal(bytes.toString('hex'), hex)
  },
)

t.test('any records come back as they were, with every codec', async (t) => {
  for (const codec of codecs) {
    fc.assert(
      fc.property(recordList, (records) => {
        const bytes = build(records, { codec })
        const read = [
          ...recordsOf(bytes, 0, readBatchHeader(bytes), { decompressedBytesMax: 8 * MIB }),
        ].map(plain)
        t.strictSame(
          read,
          records.map((record, offset) => ({ offset, ...record })),
        )
      }),
      { numRuns: 40 },
    )
  }
})

t.test('the builder knows its size and count, and grows from any start', async (t) => {
  const builder = new BatchBuilder({ bytesExpected: 0 })
  t.equal(builder.sizeBytes, BATCH_OVERHEAD_BYTES)
  for (let i = 1; i <= 300; i++) {
    builder.append({ timestamp: i, key: Buffer.alloc(i), value: null })
    t.equal(builder.recordCount, i)
  }
  const { sizeBytes } = builder
  t.equal(builder.finish().length, sizeBytes)
})

t.test(
  'lines become the batch that their records would, and stop before it is too large',
  async (t) => {
    const lengths = [0, 1, 63, 64, 100, 5000, LINES_WINDOW_BYTES - 40, LINES_WINDOW_BYTES]
    const property = fc.property(
      fc.array(fc.constantFrom(...lengths), { maxLength: 60 }),
      fc.array(fc.integer({ min: 0, max: 2 ** 40 }), { minLength: 1, maxLength: 3 }),
      fc.integer({ min: BATCH_OVERHEAD_BYTES, max: 100_000 }),
      fc.integer({ min: 0, max: 9 }),
      (sizes, timestamps, sizeMax, start) => {
        const lines = linesOf(sizes, start)
        const byLines = new BatchBuilder({ memory: Buffer.alloc(BATCH_OVERHEAD_BYTES, 0xaa) })
        const byRecord = new BatchBuilder()
        let next = 0
        for (const timestamp of timestamps) {
          const end = next + byLines.appendLines(lines, next, timestamp, sizeMax)
          for (; next < end; next++)
            byRecord.append({ timestamp, key: null, value: lineAt(lines, next) })
        }
        t.ok(byLines.sizeBytes <= Math.max(sizeMax, BATCH_OVERHEAD_BYTES))
        if (next < sizes.length && sizes[next]! + 32 <= LINES_WINDOW_BYTES)
          t.ok(byLines.sizeBytes + sizes[next]! + 32 > sizeMax, 'it stops only when it is full')
        t.strictSame(byLines.finish(), byRecord.finish())
      },
    )
    fc.assert(property, { numRuns: budget(60, 2_000, 'RUNS') })
  },
)

/** Lines of random bytes of these lengths. */
function linesOf(sizes: readonly number[], start: number): Lines {
  let end = start - 1
  const ends = sizes.map((size) => (end += 1 + size))
  const bytes = Buffer.from(Array.from({ length: end + 1 }, (_, i) => (i * 7 + (i >> 8)) & 0xff))
  return { bytes, start, ends }
}

t.test('text is written as its UTF-8, in any memory', async (t) => {
  const text = fc.oneof(
    fc.string(),
    fc.string({ unit: 'binary' }),
    fc.string({ minLength: 60, maxLength: 70 }),
  )
  const property = fc.property(
    fc.array(fc.record({ text, key: fc.option(fc.uint8Array(), { nil: null }) }), { maxLength: 9 }),
    fc.integer({ min: BATCH_OVERHEAD_BYTES, max: 600 }),
    (records, memoryBytes) => {
      const inText = new BatchBuilder({ memory: Buffer.alloc(memoryBytes, 0xaa) })
      const inBytes = new BatchBuilder()
      for (const { text: value, key } of records) {
        inText.append({ timestamp: 7, key, value })
        inBytes.append({ timestamp: 7, key, value: Buffer.from(value) })
      }
      return Buffer.from(inText.finish()).equals(inBytes.finish())
    },
  )
  fc.assert(property, { numRuns: budget(300, 2000) })
  t.pass()
})

t.test('the header says what the producer said', async (t) => {
  const records = [5000, 9000, 7000].map((timestamp) => ({
    timestamp,
    key: null,
    value: Buffer.from('v'),
  }))
  const bytes = build(records, {
    codec: 'gzip',
    producerId: 2 ** 40,
    producerEpoch: 7,
    baseSequence: 0x7fffffff,
    isTransactional: true,
  })
  stampBatch(bytes, 0, 2 ** 52 + 1, 3)
  t.match(readBatchHeader(bytes), {
    baseOffset: 2 ** 52 + 1,
    leaderEpoch: 3,
    codec: 'gzip',
    isTransactional: true,
    isControl: false,
    baseTimestamp: 5000,
    maxTimestamp: 9000,
    lastOffsetDelta: 2,
    recordCount: 3,
    producerId: 2 ** 40,
    producerEpoch: 7,
    baseSequence: 0x7fffffff,
  })
  t.ok(crcMatches(bytes, 0, bytes.length), 'base offset and epoch lie outside the CRC')
  t.strictSame(
    read(bytes).map(({ offset }) => offset),
    [2 ** 52 + 1, 2 ** 52 + 2, 2 ** 52 + 3],
  )
})

t.test('with LogAppendTime every record has the time of the append', async (t) => {
  for (const codec of codecs) {
    const bytes = Buffer.concat([Buffer.alloc(5), build(foreignRecords, { codec })])
    stampLogAppendTime(bytes, 5, bytes.length - 5, 1_800_000_000_000)
    t.ok(crcMatches(bytes, 5, bytes.length - 5), `${codec}: new CRC`)
    const header = readBatchHeader(bytes, 5)
    t.match(header, { timestampType: 'LogAppendTime', codec, baseTimestamp: 1_700_000_000_000 })
    t.ok(
      read(bytes, 5).every(({ timestamp }) => timestamp === 1_800_000_000_000),
      codec,
    )
  }
})

t.test('batches lie one after the other; one that is cut off is not seen', async (t) => {
  const batches = codecs.map((codec) => build(foreignRecords, { codec }))
  const bytes = Buffer.concat(batches)
  const starts = batches.map((_, i) => Buffer.concat(batches.slice(0, i)).length)
  t.strictSame(
    [...batchesOf(bytes)].map(({ at, header }) => [at, header.codec]),
    codecs.map((codec, i) => [starts[i], codec]),
  )
  for (let length = 0; length < bytes.length; length++) {
    const whole = starts.filter((start, i) => start + batches[i]!.length <= length)
    const seen = [...batchesOf(bytes.subarray(0, length))].map(({ at }) => at)
    if (seen.join() !== whole.join()) t.fail(`cut to ${length} bytes`, { seen, whole })
  }
})

t.test('the size is unknown before byte 12; less than a header is damage', async (t) => {
  const bytes = build(foreignRecords)
  t.equal(batchSizeBytes(bytes.subarray(0, 11)), undefined)
  t.equal(batchSizeBytes(bytes.subarray(0, 12)), bytes.length)
  t.throws(() => readBatchHeader(bytes.subarray(0, 60)), { code: 'CORRUPT_MESSAGE' })
  putInt32(bytes, position.batchLength, BATCH_OVERHEAD_BYTES - 12 - 1)
  t.throws(() => readBatchHeader(bytes), { code: 'CORRUPT_MESSAGE' })
  t.throws(() => [...batchesOf(bytes)], { code: 'CORRUPT_MESSAGE' })
  putInt32(bytes, position.batchLength, -1)
  t.throws(() => [...batchesOf(bytes)], { code: 'CORRUPT_MESSAGE' })
})

t.test('the CRC catches every flipped bit behind it', async (t) => {
  const short = build([{ timestamp: 1, key: null, value: Buffer.from('v') }])
  const long = build(foreignRecords)
  t.ok(short.length < 200 && long.length > 300, 'one for the tables, one for native code')
  for (const bytes of [short, long]) {
    for (let bit = position.attributes * 8; bit < bytes.length * 8; bit++) {
      bytes[bit >> 3]! ^= 1 << (bit & 7)
      if (crcMatches(bytes, 0, bytes.length)) t.fail(`bit ${bit}`)
      bytes[bit >> 3]! ^= 1 << (bit & 7)
    }
    t.ok(crcMatches(bytes, 0, bytes.length))
  }
})

t.test('a batch cut off at any byte is refused, and gives no wrong record before', async (t) => {
  for (const codec of codecs) {
    const whole = build(foreignRecords, { codec })
    const records = read(whole)
    const header = readBatchHeader(whole)
    for (let length = 0; length < whole.length; length++) {
      const cut = Buffer.from(whole.subarray(0, length))
      t.throws(() => recordsOf(cut, 0, header, limits), { code: 'CORRUPT_MESSAGE' })
      if (length >= BATCH_OVERHEAD_BYTES) {
        putInt32(cut, position.batchLength, length - 12) // a false size, which size field and CRC confirm
        stampCrc(cut, 0, length)
      }
      const { records: before, refusal } = readUntilRefused(cut)
      const isPrefix = JSON.stringify(before) === JSON.stringify(records.slice(0, before.length))
      if (refusal?.code !== 'CORRUPT_MESSAGE' || !isPrefix)
        t.fail(`${codec} cut to ${length}`, { before, refusal })
    }
  }
})

t.test('a size that ends inside a record is refused though more bytes follow', async (t) => {
  const whole = build(foreignRecords)
  const records = read(whole)
  for (let length = BATCH_OVERHEAD_BYTES; length < whole.length; length++) {
    const liar = Buffer.from(whole)
    putInt32(liar, position.batchLength, length - 12)
    const { records: before, refusal } = readUntilRefused(liar)
    t.equal(refusal?.code, 'CORRUPT_MESSAGE', `size ${length}`)
    t.strictSame(before, records.slice(0, before.length))
  }
})

t.test('a record count or offsets that are not true are refused', async (t) => {
  const whole = build(foreignRecords)
  for (const count of [-1, 0, 3, 5, 1_000_000, 0x7fffffff]) {
    const liar = Buffer.from(whole)
    putInt32(liar, position.recordCount, count)
    t.equal(readUntilRefused(liar).refusal?.code, 'CORRUPT_MESSAGE', `${count} records`)
  }
  const short = Buffer.from(whole)
  putInt32(short, position.lastOffsetDelta, 2)
  t.equal(
    readUntilRefused(short).refusal?.code,
    'CORRUPT_MESSAGE',
    'a record behind the last offset',
  )
  const twice = Buffer.from(whole)
  const offsetDeltaAt = BATCH_OVERHEAD_BYTES + 11 + 4 // the second record's
  t.equal(twice[offsetDeltaAt], 2, 'zig-zag of 1')
  twice[offsetDeltaAt] = 0
  t.equal(readUntilRefused(twice).refusal?.code, 'CORRUPT_MESSAGE', 'an offset that comes twice')
})

t.test('any bytes where records should be give records or a KafkaError', async (t) => {
  const runs = budget(4_000, 50_000, 'RUNS')
  const [template] = codecs.map(() => build(foreignRecords))
  const garbage = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    // Small bytes look like lengths.
    fc
      .array(fc.integer({ min: 0, max: 24 }), { maxLength: 200 })
      .map((list) => Uint8Array.from(list)),
    fc
      .array(fc.constantFrom(0, 1, 2, 0x7f, 0x80, 0xff), { maxLength: 60 })
      .map((list) => Uint8Array.from(list)),
  )
  let refused = 0
  fc.assert(
    fc.property(
      garbage,
      fc.integer({ min: -1, max: 12 }),
      fc.nat(4),
      (section, recordCount, codecId) => {
        const bytes = Buffer.concat([template!.subarray(0, BATCH_OVERHEAD_BYTES), section])
        putInt32(bytes, position.batchLength, bytes.length - 12)
        putInt32(bytes, position.recordCount, recordCount)
        putInt32(bytes, position.lastOffsetDelta, 100)
        bytes[position.attributes + 1] = codecId
        const { refusal } = readUntilRefused(bytes)
        if (refusal) refused++
        return (
          refusal === undefined || ['CORRUPT_MESSAGE', 'MESSAGE_TOO_LARGE'].includes(refusal.code)
        )
      },
    ),
    { numRuns: runs },
  )
  t.ok(refused > runs / 2, `${refused} refused`)
})

t.test('a flipped bit in the records gives records or a KafkaError', async (t) => {
  for (const codec of codecs) {
    const bytes = build(foreignRecords, { codec })
    for (let bit = BATCH_OVERHEAD_BYTES * 8; bit < bytes.length * 8; bit++) {
      bytes[bit >> 3]! ^= 1 << (bit & 7)
      const { refusal } = readUntilRefused(bytes)
      if (refusal && !['CORRUPT_MESSAGE', 'MESSAGE_TOO_LARGE'].includes(refusal.code))
        t.fail(`bit ${bit}`, refusal)
      bytes[bit >> 3]! ^= 1 << (bit & 7)
    }
    t.strictSame(read(bytes).length, foreignRecords.length)
  }
})

t.test('varints of every length are exact up to 2^53 and refused past 64 bits', async (t) => {
  const edges = Array.from({ length: 53 }, (_, bits) => 2 ** bits).flatMap((n) => [
    n - 1,
    n,
    -n,
    -n - 1,
  ])
  for (const delta of edges) {
    const bytes = build([0, delta].map((timestamp) => ({ timestamp, key: null, value: null })))
    t.equal(read(bytes)[1]!.timestamp, delta)
  }
  const section = (hex: string) => {
    const bytes = Buffer.concat([
      build([{ timestamp: 0, key: null, value: null }]).subarray(0, 61),
      Buffer.from(hex, 'hex'),
    ])
    putInt32(bytes, position.batchLength, bytes.length - 12)
    return bytes
  }
  const [largest] = read(section('1e' + '00' + 'feffffffffffffffff01' + '00' + '01' + '01' + '00'))
  t.equal(largest?.timestamp, 2 ** 63, 'an int64 that no double holds becomes the nearest')
  for (const hex of ['ffffffffffffffffff02', 'ffffffffffffffffff7f', 'ffffffffffffffffffff01']) {
    const refused = section(`1e00${hex}00010100`)
    t.equal(readUntilRefused(refused).refusal?.code, 'CORRUPT_MESSAGE', hex)
  }
  t.equal(
    readUntilRefused(section('0e0000' + '8080808010' + '010100')).refusal?.code,
    'CORRUPT_MESSAGE',
    'an offset of 2^31',
  )
})

t.test('an end marker is one record in a control batch', async (t) => {
  for (const kind of ['commit', 'abort'] as const) {
    const bytes = buildEndMarker({
      kind,
      coordinatorEpoch: 9,
      producerId: 42,
      producerEpoch: 3,
      timestamp: 1000,
    })
    const header = readBatchHeader(bytes)
    t.equal(header.attributes, 0x30)
    t.match(header, {
      isControl: true,
      isTransactional: true,
      recordCount: 1,
      producerId: 42,
      producerEpoch: 3,
    })
    t.match(header, { baseSequence: -1, maxTimestamp: 1000 })
    const [record] = read(bytes)
    t.equal(record?.key?.toString('hex'), kind === 'commit' ? '00000001' : '00000000')
    t.equal(record?.value?.toString('hex'), '000000000009')
    t.strictSame(readEndMarker(bytes, 0, header), { kind, coordinatorEpoch: 9 })
  }
  const control = (key: Buffer | null, value: Buffer | null) => {
    const bytes = build([{ timestamp: 0, key, value }], { isControl: true })
    return () => readEndMarker(bytes, 0, readBatchHeader(bytes))
  }
  t.equal(
    control(Buffer.from('00000002', 'hex'), null)(),
    undefined,
    'a leader change ends nothing',
  )
  t.throws(control(null, null), { code: 'CORRUPT_MESSAGE' })
  t.throws(control(Buffer.from('0000', 'hex'), null), { code: 'CORRUPT_MESSAGE' })
  t.throws(control(Buffer.from('00000001', 'hex'), null), { code: 'CORRUPT_MESSAGE' })
})

t.test('kafkajs reads what we write and writes what we read', async (t) => {
  const require = createRequire(import.meta.url)
  const { RecordBatch } = require('kafkajs/src/protocol/recordBatch/v0') as {
    RecordBatch: (options: object) => Promise<{ buffer: Buffer }>
  }
  const Record = require('kafkajs/src/protocol/recordBatch/record/v0') as (
    record: object,
  ) => unknown
  const decodeBatch = require('kafkajs/src/protocol/recordBatch/v0/decoder') as (
    decoder: unknown,
  ) => Promise<{
    records: { offset: string; timestamp: string; key: Buffer; value: Buffer; headers: object }[]
  }>
  const Decoder = require('kafkajs/src/protocol/decoder') as new (bytes: Buffer) => unknown
  // kafkajs keeps headers in an object and cannot write a null value.
  const named = fc.dictionary(
    fc.stringMatching(/^[a-z]{1,5}$/),
    fc.uint8Array({ maxLength: 9 }).map((bytes) => Buffer.from(bytes)),
    {
      maxKeys: 3,
      noNullPrototype: true,
    },
  )
  const list = fc.array(
    fc.record({ timestamp: fc.nat(), key: field, value: field, headers: named }),
    {
      minLength: 1,
      maxLength: 12,
    },
  )
  const Long = require('kafkajs/src/utils/long') as {
    fromValue(n: number): { subtract(other: unknown): unknown }
  }
  await fc.assert(
    fc.asyncProperty(list, fc.constantFrom('none', 'gzip'), async (records, codec) => {
      const { buffer } = await RecordBatch({
        compression: codecIds[codec as Codec],
        firstTimestamp: records[0]!.timestamp,
        maxTimestamp: Math.max(...records.map(({ timestamp }) => timestamp)),
        lastOffsetDelta: records.length - 1,
        producerEpoch: -1,
        firstSequence: -1,
        partitionLeaderEpoch: -1,
        records: records.map((record, offsetDelta) =>
          Record({
            ...record,
            offsetDelta,
            timestampDelta: Long.fromValue(record.timestamp - records[0]!.timestamp),
          }),
        ),
      })
      const expected = records.map((record, offset) => ({
        ...record,
        offset,
        headers: Object.entries(record.headers) as Header[],
      }))
      t.ok(crcMatches(buffer, 0, buffer.length))
      t.same(read(buffer), expected)
      const ours = build(expected, { codec: codec as Codec })
      if (codec === 'none') t.ok(ours.equals(buffer), 'the same bytes')
      const theirs = await decodeBatch(new Decoder(ours))
      t.same(
        theirs.records.map(({ offset, timestamp, key, value, headers }) => ({
          offset,
          timestamp,
          key,
          value,
          headers,
        })),
        records.map((record, offset) => ({
          ...record,
          offset: `${offset}`,
          timestamp: `${record.timestamp}`,
        })),
      )
    }),
    { numRuns: 100 },
  )
})
