// The remaining records of a batch, byte for byte; and the map of keys against a plain one.

import fc from 'fast-check'
import t from '../../../protocol/testing/tap.ts'
import { BatchBuilder } from '../../../protocol/batch/build.ts'
import {
  crcMatches,
  readBatchHeader,
  stampBatch,
  stampLogAppendTime,
} from '../../../protocol/batch/header.ts'
import { recordsOf } from '../../../protocol/batch/record.ts'
import { codecIds, type Codec } from '../../../protocol/compression/index.ts'
import { KafkaError } from '../../../protocol/errors.ts'
import { emptied, filterBatch, withHorizon } from './filter-batch.ts'
import { KEY_ENTRY_BYTES, KeyMap } from './key-map.ts'
import { RecordWalk } from '../../../protocol/batch/record-walk.ts'

const codecs = Object.keys(codecIds) as Codec[]
const seed = Uint32Array.of(1, 2, 3, 4)
const HORIZON_MS = 1_700_000_086_400_000

interface Plain {
  readonly key: string | null
  readonly value: string | null
  readonly timestamp: number
}

function batchOf(records: readonly Plain[], codec: Codec = 'none'): Buffer {
  const builder = new BatchBuilder()
  const bytesOf = (text: string | null) => (text === null ? null : Buffer.from(text))
  for (const { key, value, timestamp } of records) {
    const headers = [['h', Buffer.from('x')]] as const
    builder.append({ timestamp, key: bytesOf(key), value: bytesOf(value), headers })
  }
  const options = { codec, producerId: 7, producerEpoch: 1, baseSequence: 40 }
  const batch = builder.finish(options) as Buffer
  stampBatch(batch, 0, 100, 3)
  return batch
}

function read(bytes: Uint8Array) {
  const records = recordsOf(bytes, 0, readBatchHeader(bytes), { decompressedBytesMax: 1 << 20 })
  return Array.from(records, ({ offset, timestamp, key, value, headers }) => ({
    offset,
    timestamp,
    key: key?.toString() ?? null,
    value: value?.toString() ?? null,
    headers: headers.length,
  }))
}

/** Keeps the records whose place in the batch is in `places`. */
function keep(batch: Uint8Array, places: readonly number[]): ReturnType<typeof filterBatch> {
  const walk = new RecordWalk()
  let place = 0
  const keeps = () => places.includes(place++)
  return filterBatch(batch, readBatchHeader(batch), { walk, keeps, newHorizonMs: HORIZON_MS })
}

t.test('a batch of which one record stays, byte for byte', async (t) => {
  const batch = batchOf([
    { key: 'a', value: '1', timestamp: 1000 },
    { key: 'b', value: '2', timestamp: 3000 },
    { key: 'c', value: '3', timestamp: 2000 },
  ])
  const left = keep(batch, [2]) as Buffer
  const record = '1a' + '00' + 'd00f' + '04' + '0263' + '0233' + '02' + '0268' + '0278'
  t.equal(left.subarray(61).toString('hex'), record, 'as it lay there: deltas 1000 ms and 2')
  t.equal(
    left.subarray(0, 17).toString('hex'),
    '0000000000000064' + '0000003f' + '00000003' + '02',
    'base offset 100, 63 bytes behind the length, epoch 3, magic 2',
  )
  t.equal(
    left.subarray(21, 61).toString('hex'),
    '0000' + // no codec
      '00000002' + // the last offset stays
      '00000000000003e8' + // base timestamp 1000
      '00000000000007d0' + // the largest timestamp is that of what is left
      '0000000000000007' + // producer
      '0001' +
      '00000028' + // sequence 40
      '00000001', // one record
  )
  t.ok(crcMatches(left, 0, left.length))
  t.equal(keep(batch, [0, 1, 2]), 'all')
  t.equal(keep(batch, []), 'none')
})

t.test('a tombstone that stays gets its delete horizon (KIP-534)', async (t) => {
  const batch = batchOf([
    { key: 'a', value: '1', timestamp: 1000 },
    { key: 'b', value: null, timestamp: 3000 },
  ])
  const left = keep(batch, [0, 1]) as Buffer
  const header = readBatchHeader(left)
  t.equal(header.attributes, 0x40, 'bit 6')
  t.equal(header.baseTimestamp, HORIZON_MS)
  t.equal(header.maxTimestamp, 3000)
  t.match(read(left), [
    { offset: 100, timestamp: 1000 },
    { offset: 101, timestamp: 3000, value: null },
  ])
  t.equal(keep(left, [0, 1]), 'all', 'it is set once')
  t.match(readBatchHeader(keep(left, [1]) as Buffer), { baseTimestamp: HORIZON_MS, recordCount: 1 })
  const marker = withHorizon(batch, readBatchHeader(batch), HORIZON_MS)
  t.same(read(marker), read(batch), 'of a marker, too')
  stampLogAppendTime(batch, 0, batch.length, 9000)
  const appendTime = keep(batch, [1]) as Buffer
  t.match(readBatchHeader(appendTime), { attributes: 0x48, maxTimestamp: 9000 })
  t.match(read(appendTime), [{ offset: 101, timestamp: 9000 }])
})

t.test(
  'a batch without records keeps offsets, producer and sequence, whatever its codec was',
  async (t) => {
    for (const codec of codecs) {
      const batch = batchOf([{ key: 'a', value: null, timestamp: 1000 }], codec)
      const empty = emptied(batch, readBatchHeader(batch))
      t.equal(empty.length, 61)
      t.match(readBatchHeader(empty), {
        baseOffset: 100,
        leaderEpoch: 3,
        codec: 'none',
        producerId: 7,
        baseSequence: 40,
        recordCount: 0,
        maxTimestamp: 1000,
      })
      t.ok(crcMatches(empty, 0, empty.length))
      t.same(read(empty), [])
    }
  },
)

const plain = fc.record({
  key: fc.option(fc.string({ maxLength: 300 })),
  value: fc.option(fc.string({ maxLength: 300 })),
  timestamp: fc.oneof(fc.nat(), fc.constantFrom(0, 2 ** 31, 2 ** 40)),
})

t.test('what stays of any batch is what it was', async () => {
  fc.assert(
    fc.property(
      fc.array(plain, { minLength: 1, maxLength: 30 }),
      fc.constantFrom(...codecs),
      fc.infiniteStream(fc.boolean()),
      (records, codec, coins) => {
        const batch = batchOf(records, codec)
        const places = records.flatMap((_, i) => (coins.next().value ? [i] : []))
        const left = keep(batch, places)
        const expected = read(batch).filter((_, i) => places.includes(i))
        if (left === 'none') return expected.length === 0
        const found = read(left === 'all' ? batch : left)
        return JSON.stringify(found) === JSON.stringify(expected)
      },
    ),
    { numRuns: 300 },
  )
})

t.test(
  'records cut anywhere, or with any byte changed, are refused or read, and never run over',
  async (t) => {
    const batch = batchOf([
      { key: 'key', value: 'value', timestamp: 1000 },
      { key: null, value: null, timestamp: 2 ** 40 },
    ])
    const codes = new Set<string>()
    for (let at = 61; at < batch.length; at++) {
      for (const byte of [0, 1, 0x7f, 0x80, 0xff]) {
        const bent = Buffer.from(batch)
        bent[at] = byte
        try {
          keep(bent, [0])
        } catch (error) {
          if (!(error instanceof KafkaError)) throw error
          codes.add(error.code)
        }
      }
    }
    t.strictSame([...codes], ['CORRUPT_MESSAGE'])
  },
)

t.test('the map of keys says what a plain map says, until it is full', async (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.string({ maxLength: 12 }), fc.maxSafeNat()), { maxLength: 400 }),
      fc.integer({ min: 1, max: 300 }),
      (puts, slots) => {
        const map = new KeyMap(1000, slots * KEY_ENTRY_BYTES, seed)
        const model = new Map<string, number>()
        for (const [key, offset] of puts) {
          const bytes = Buffer.from(`..${key}.`)
          const isTaken = map.put(bytes, 2, bytes.length - 1, offset)
          if (!isTaken && model.has(key)) return false
          if (isTaken) model.set(key, offset)
        }
        if (map.entryCount !== model.size) return false
        return puts.every(([key]) => {
          const bytes = Buffer.from(key)
          return map.get(bytes, 0, bytes.length) === (model.get(key) ?? -1)
        })
      },
    ),
  )
  const map = new KeyMap(10, 1 << 20, seed)
  for (let i = 0; i < 10; i++) t.ok(map.put(Buffer.from(`${i}`), 0, 1, 2 ** 52 + i))
  t.equal(map.get(Buffer.from('7'), 0, 1), 2 ** 52 + 7)
})
