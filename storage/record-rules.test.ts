// Every batch that a reader could stumble over is refused, and no other: compared with a slow and plain reading of
// the format.

import { gzipSync } from 'node:zlib'
import t from '../protocol/testing/tap.ts'
import { BatchBuilder } from '../protocol/batch/build.ts'
import {
  crcMatches,
  maxTimestampOf,
  position,
  readBatchHeader,
  stampCrc,
} from '../protocol/batch/header.ts'
import { recordsOf } from '../protocol/batch/record.ts'
import { codecIds, type Codec } from '../protocol/compression/index.ts'
import {
  batchAround,
  batchOfPacked,
  rightRecords,
  varint,
  wrongContents,
  wrongRecords,
} from '../protocol/testing/malformed.ts'
import { heavyBytesOf, batchRefusal, type RecordRules } from './record-rules.ts'

const NOW = 1_700_000_000_500
const MIB = 1024 * 1024
const rules: RecordRules = {
  isEachChecked: true,
  isKeyRequired: false,
  decompressedBytesMax: 4 * MIB,
  timestampBeforeMaxMs: Infinity,
  timestampAfterMaxMs: Infinity,
}
const codecs = Object.keys(codecIds) as Codec[]
const readable = { decompressedBytesMax: MIB }

function judge(
  batch: Uint8Array,
  more: Partial<RecordRules> = {},
  where: 'writer' | 'validator' = 'writer',
) {
  return batchRefusal(batch, { ...rules, ...more }, NOW, 'orders-0', where)
}

/** The index of the first record that breaks the format, -1 for the batch as a whole; undefined: sound. */
function naiveFlawOf(
  section: Buffer,
  recordCount: number,
  lastOffsetDelta: number,
): number | undefined {
  let at = 0
  let index = -1
  const next = (bits: number): bigint => {
    let raw = 0n
    for (let i = 0; i < Math.ceil(bits / 7); i++) {
      if (at >= section.length) throw new Error('end')
      const byte = section.readUInt8(at++)
      raw |= BigInt(byte & 0x7f) << BigInt(7 * i)
      if (byte >= 0x80) continue
      if (raw >= 1n << BigInt(bits)) break
      return raw & 1n ? -(raw >> 1n) - 1n : raw >> 1n
    }
    throw new Error('wide')
  }
  const skip = (bytes: bigint, min: bigint) => {
    if (bytes < min) throw new Error('negative')
    if (bytes > 0n) at += Number(bytes)
  }
  try {
    for (index = 0; index < recordCount; index++) {
      const length = next(32)
      const end = at + Number(length)
      if (length < 0n || end > section.length) throw new Error('length')
      at++
      next(64)
      if (next(32) !== BigInt(index)) throw new Error('offset')
      skip(next(32), -1n)
      skip(next(32), -1n)
      const headers = next(32)
      if (headers < 0n) throw new Error('headers')
      for (let i = 0n; i < headers; i++) {
        skip(next(32), 0n)
        skip(next(32), -1n)
      }
      if (at !== end) throw new Error('filled')
    }
    if (at !== section.length || recordCount - 1 !== lastOffsetDelta) return recordCount - 1
    return recordCount < 1 ? -1 : undefined
  } catch {
    return Math.min(index, recordCount - 1)
  }
}

t.test(
  'every field of every record, wrong in every way, is refused with the index of the record',
  async (t) => {
    for (const codec of codecs) {
      let refusedCount = 0
      for (const wrong of wrongRecords()) {
        const batch = batchAround(wrong, codec)
        const index = naiveFlawOf(wrong.section, wrong.recordCount, wrong.lastOffsetDelta)
        const refusal = judge(batch)
        if (index === undefined) {
          if (refusal) t.fail(`${codec}, ${wrong.what} is sound`, { refusal })
          const offsets = Array.from(
            recordsOf(batch, 0, readBatchHeader(batch), readable),
            (r) => r.offset,
          )
          t.same(offsets, [0, 1, 2], `${codec}, ${wrong.what}`)
          continue
        }
        refusedCount++
        const isRight =
          wrong.lastOffsetDelta < 0
            ? refusal?.error === 'CORRUPT_MESSAGE'
            : refusal?.error === 'INVALID_RECORD' &&
              refusal.recordErrors?.[0]?.batchIndex === (index < 0 ? undefined : index)
        if (!isRight) t.fail(`${codec}, ${wrong.what}`, { refusal, index })
      }
      t.ok(refusedCount > 900, `${codec}: ${refusedCount}`)
      t.equal(judge(batchAround(rightRecords, codec)), undefined)
    }
  },
)

t.test(
  'compressed contents that are none are refused, and what a size says that is not true',
  async (t) => {
    for (const codec of codecs) {
      for (const { what, packed } of wrongContents(codec)) {
        for (const where of ['writer', 'validator'] as const)
          t.match(
            judge(batchOfPacked(packed, codec), {}, where),
            { error: 'INVALID_RECORD' },
            `${codec}: ${what}`,
          )
      }
    }
    const lying = gzipSync(Buffer.alloc(MIB))
    lying.writeUInt32LE(20, lying.length - 4)
    const batch = batchOfPacked(lying, 'gzip')
    t.equal(heavyBytesOf(batch, rules), 0, 'it passes for a small one')
    t.match(judge(batch), { error: 'INVALID_RECORD', message: /do not decompress/ })
  },
)

t.test(
  'what comes to more than the topic takes is refused as too large, before it is made',
  async (t) => {
    const batch = batchOfPacked(gzipSync(Buffer.alloc(5 * MIB)), 'gzip')
    t.equal(heavyBytesOf(batch, rules), 4 * MIB)
    t.match(judge(batch, {}, 'validator'), { error: 'MESSAGE_TOO_LARGE' })
    t.equal(heavyBytesOf(batch, { ...rules, isEachChecked: false }), 0)
    t.equal(judge(batch, { isEachChecked: false }), undefined)
  },
)

t.test('only what the headers of a codec bound to little is left to the writer', async (t) => {
  for (const codec of codecs) {
    const small = batchAround(rightRecords, codec)
    t.equal(heavyBytesOf(small, rules), 0, codec)
    const large = batchAround({ ...rightRecords, section: Buffer.alloc(300_000, 'x') }, codec)
    const bytes = heavyBytesOf(large, rules)
    if (codec === 'none') t.equal(bytes, 0)
    else t.ok(bytes >= 300_000 && bytes <= rules.decompressedBytesMax, `${codec}: ${bytes}`)
    if (codec === 'none') continue
    const garbage = batchOfPacked(Buffer.from('ffffffffffff', 'hex'), codec)
    t.ok([0, rules.decompressedBytesMax].includes(heavyBytesOf(garbage, rules)), codec)
  }
})

function timed(timestamps: readonly number[], codec: Codec = 'none'): Buffer {
  const builder = new BatchBuilder()
  for (const timestamp of timestamps) builder.append({ timestamp, key: null, value: null })
  return Buffer.from(builder.finish({ codec }))
}

t.test(
  'each record is held against the times that the topic takes; one without a time passes',
  async (t) => {
    const times = { timestampBeforeMaxMs: 1000, timestampAfterMaxMs: 100 }
    const at = [NOW, NOW - 1001, -1, NOW - 1000, NOW + 100, NOW + 101]
    for (const codec of codecs) {
      const refusal = judge(timed(at, codec), times)
      t.match(refusal, {
        error: 'INVALID_TIMESTAMP',
        recordErrors: [{ batchIndex: 1 }, { batchIndex: 5 }],
      })
      t.equal(refusal!.recordErrors!.length, 2)
      t.equal(judge(timed([at[0]!, at[2]!, at[3]!, at[4]!], codec), times), undefined)
      t.equal(judge(timed([-1, NOW], codec), times), undefined, 'the first has none')
    }
    const byHeader = { ...times, isEachChecked: false }
    t.match(judge(timed([NOW, NOW + 101]), byHeader), { error: 'INVALID_TIMESTAMP' })
    t.match(judge(timed([NOW - 1001]), byHeader), { error: 'INVALID_TIMESTAMP' })
    t.equal(judge(timed([-1, NOW]), byHeader), undefined)
  },
)

t.test('a largest timestamp that is not that of the records is set right', async (t) => {
  for (const said of [0n, BigInt(NOW) * 2n, -7n]) {
    const batch = timed([NOW, NOW + 5, NOW - 5])
    batch.writeBigInt64BE(said, position.maxTimestamp)
    stampCrc(batch, 0, batch.length)
    t.equal(judge(batch), undefined)
    t.equal(maxTimestampOf(batch), NOW + 5)
    t.ok(crcMatches(batch, 0, batch.length))
  }
  const timeless = timed([-1])
  t.equal(judge(timeless), undefined)
  t.equal(maxTimestampOf(timeless), -1)
})

t.test('a batch with many flaws costs no more than its bytes', async (t) => {
  const count = 200_000
  const record = Buffer.concat([
    varint(6),
    Buffer.from([0, 0]),
    varint(0),
    varint(-1),
    varint(-1),
    varint(0),
  ])
  const one = { section: record, recordCount: 2 ** 31 - 1, lastOffsetDelta: 2 ** 31 - 2 }
  t.match(judge(batchAround(one, 'none')), {
    error: 'INVALID_RECORD',
    recordErrors: [{ batchIndex: 1 }],
  })
  const builder = new BatchBuilder()
  for (let i = 0; i < count; i++) builder.append({ timestamp: NOW, key: null, value: null })
  const refusal = judge(builder.finish(), { isKeyRequired: true })
  t.match(refusal, { error: 'INVALID_RECORD', message: new RegExp(`${count} record errors`) })
  t.equal(refusal!.recordErrors!.length, 1000)
})
