// Generates batches that are wrong in one place: every field of every record, in many ways. Tests only.

import { strict as assert } from 'node:assert'
import { BATCH_OVERHEAD_BYTES, CODEC_MASK, position, stampCrc } from '../batch/header.ts'
import { BatchBuilder } from '../batch/build.ts'
import { codecIds, compress, type Codec } from '../compression/index.ts'

/** A batch in terms of its records' fields, so that a test can change each. */
interface Fields {
  length: Buffer
  attributes: Buffer
  timestampDelta: Buffer
  offsetDelta: Buffer
  keyLength: Buffer
  key: Buffer
  valueLength: Buffer
  value: Buffer
  headerCount: Buffer
  nameLength: Buffer
  name: Buffer
  headerValueLength: Buffer
  headerValue: Buffer
}

export interface WrongRecords {
  readonly what: string
  /** Not compressed. */
  readonly section: Buffer
  readonly recordCount: number
  readonly lastOffsetDelta: number
}

const RECORD_COUNT = 3
const TIMESTAMP = 1_700_000_000_000

const varints = [
  'length',
  'timestampDelta',
  'offsetDelta',
  'keyLength',
  'valueLength',
  'headerCount',
  'nameLength',
  'headerValueLength',
] as const

/** Zig-zag, in at least `bytesMin` bytes. */
export function varint(value: number | bigint, bytesMin = 1): Buffer {
  const wide = BigInt(value)
  let rest = wide < 0n ? -2n * wide - 1n : 2n * wide
  const bytes: number[] = []
  do {
    const low = Number(rest & 0x7fn)
    rest >>= 7n
    bytes.push(rest > 0n || bytes.length + 1 < bytesMin ? low | 0x80 : low)
  } while (rest > 0n || bytes.length < bytesMin)
  return Buffer.from(bytes)
}

function rightRecord(index: number): Fields {
  const key = Buffer.from(`key ${index}`)
  const value = Buffer.from(`value ${index}`.repeat(10)) // so that lengths take two bytes
  const body = {
    attributes: Buffer.from([0]),
    timestampDelta: varint(index * 100),
    offsetDelta: varint(index),
    keyLength: varint(key.length),
    key,
    valueLength: varint(value.length),
    value,
    headerCount: varint(1),
    nameLength: varint(4),
    name: Buffer.from('name'),
    headerValueLength: varint(2),
    headerValue: Buffer.from('hv'),
  }
  return { length: varint(Buffer.concat(Object.values(body)).length), ...body }
}

function bytesOf({ length, ...body }: Fields): Buffer {
  return Buffer.concat([length, ...Object.values(body)])
}

function section(records: readonly Fields[]): Buffer {
  return Buffer.concat(records.map(bytesOf))
}

const rights = Array.from({ length: RECORD_COUNT }, (_, index) => rightRecord(index))
const whole = { section: section(rights), recordCount: RECORD_COUNT, lastOffsetDelta: 2 }

/** Wrong values for a varint, each with a description. */
function* wrongVarints(right: Buffer): Generator<[what: string, bytes: Buffer]> {
  const value = valueOf(right)
  const others = [value + 1, value - 1, 0, 1, -1, -2, 63, 64, -64, -65, 8191, 8192, 1_000_000]
  for (const other of [...others, 2 ** 31 - 1, -(2 ** 31), 2 ** 31, 2 ** 32 + value])
    yield [`${other}`, varint(other)]
  for (const bytesMin of [2, 5, 6, 10, 11]) yield [`in ${bytesMin} bytes`, varint(value, bytesMin)]
  yield ['that never ends', Buffer.alloc(12, 0x80)]
  yield ['of 70 bits', Buffer.from([...Array<number>(9).fill(0xff), 0x7f])]
  yield ['missing', Buffer.alloc(0)]
}

function valueOf(bytes: Buffer): number {
  const raw = bytes.reduce((sum, byte, i) => sum + (byte & 0x7f) * 128 ** i, 0)
  return raw % 2 === 0 ? raw / 2 : -(raw + 1) / 2
}

/** Most are wrong; a few are right by chance, and the caller tells them apart. */
export function* wrongRecords(): Generator<WrongRecords> {
  for (const [index, right] of rights.entries()) {
    for (const field of varints) {
      for (const [what, bytes] of wrongVarints(right[field])) {
        if (bytes.equals(right[field])) continue
        const fields = { ...right, [field]: bytes }
        const name = `${field} of record ${index} ${what}`
        yield { ...whole, what: name, section: section(rights.with(index, fields)) }
        if (field === 'length') continue
        const length = varint(bytesOf(fields).length - fields.length.length)
        const fitting = section(rights.with(index, { ...fields, length }))
        yield { ...whole, what: `${name}, within a fitting length`, section: fitting }
      }
    }
  }
  for (const count of [0, 1, 2, 4, 5, 1000, 2 ** 31 - 1, -1]) {
    yield { ...whole, what: `${count} records are said to be there`, recordCount: count }
    const lastOffsetDelta = count - 1
    yield { ...whole, what: `${count}, and offsets for them`, recordCount: count, lastOffsetDelta }
  }
  for (const delta of [0, 1, 3, 2 ** 31 - 1, -1])
    yield { ...whole, what: `${delta} as last offset delta`, lastOffsetDelta: delta }
  for (let size = 0; size < whole.section.length; size++)
    yield { ...whole, what: `cut to ${size} bytes`, section: whole.section.subarray(0, size) }
  for (const more of [[0], [0x80], [12, 0, 0, 6, 1, 1, 0]])
    yield {
      ...whole,
      what: `with ${more.length} bytes behind`,
      section: Buffer.concat([whole.section, Buffer.from(more)]),
    }
}

/** Invalid compressed contents; empty without a codec. */
export function* wrongContents(codec: Codec): Generator<{ what: string; packed: Buffer }> {
  if (codec === 'none') return
  const packed = Buffer.from(compress(codec, whole.section))
  yield { what: 'nothing', packed: Buffer.alloc(0) }
  yield { what: 'garbage', packed: Buffer.from('this was never compressed by anybody') }
  yield { what: 'zeros', packed: Buffer.alloc(40) }
  yield { what: 'records that are not compressed', packed: whole.section }
  for (const size of [1, 4, packed.length >> 1, packed.length - 1])
    yield { what: `cut to ${size}`, packed: packed.subarray(0, size) }
}

export const rightRecords: WrongRecords = { ...whole, what: 'nothing wrong' }

/** A batch of these records that is right in all other respects. */
export function batchAround(
  { section: records, recordCount, lastOffsetDelta }: Omit<WrongRecords, 'what'>,
  codec: Codec,
): Buffer {
  return batchOfPacked(Buffer.from(compress(codec, records)), codec, recordCount, lastOffsetDelta)
}

export function batchOfPacked(
  packed: Buffer,
  codec: Codec,
  recordCount = RECORD_COUNT,
  lastOffsetDelta = recordCount - 1,
): Buffer {
  const builder = new BatchBuilder()
  builder.append({ timestamp: TIMESTAMP, key: null, value: null })
  const header = Buffer.from(builder.finish()).subarray(0, BATCH_OVERHEAD_BYTES)
  const batch = Buffer.concat([header, packed])
  assert((batch.readInt16BE(position.attributes) & CODEC_MASK) === 0)
  batch.writeInt16BE(codecIds[codec], position.attributes)
  batch.writeInt32BE(batch.length - 12, position.batchLength)
  batch.writeInt32BE(lastOffsetDelta, position.lastOffsetDelta)
  batch.writeBigInt64BE(BigInt(TIMESTAMP + 100 * (RECORD_COUNT - 1)), position.maxTimestamp)
  batch.writeInt32BE(recordCount, position.recordCount)
  stampCrc(batch, 0, batch.length)
  return batch
}
