// Record batches and the records inside them, read lazily: a view does some arithmetic, and reads bytes only on
// access. Any thread; everything is borrowed. Format: docs/formats/record-batch.md

import { asBuffer } from '../bytes.ts'
import { decompress } from '../compression/index.ts'
import { KafkaError } from '../errors.ts'
import {
  BATCH_OVERHEAD_BYTES,
  readBatchHeader,
  wholeBatchBytes,
  type BatchHeader,
} from './header.ts'

/** The value is null, or bytes; a name may occur more than once. */
export type Header = [name: string, value: Buffer | null]

/** The smallest record: its length, attributes, two deltas, two null lengths, no headers. */
const RECORD_BYTES_MIN = 7

/**
 * The consecutive batches in `bytes`, up to the first that is incomplete (a fetch may cut one).
 *
 * @throws {KafkaError} as `readBatchHeader`
 */
export function* batchesOf(
  bytes: Uint8Array,
): Generator<{ readonly at: number; readonly header: BatchHeader }> {
  for (let at = 0; ;) {
    if (wholeBatchBytes(bytes, at) === undefined) return
    const header = readBatchHeader(bytes, at)
    yield { at, header }
    at += header.sizeBytes
  }
}

/**
 * The records of the batch at `at`, in order; can be iterated more than once. The caller checks the CRC.
 *
 * @param bytes borrowed by every view, unless the batch is compressed
 * @throws {KafkaError} CORRUPT_MESSAGE, at once or while iterating; MESSAGE_TOO_LARGE past `decompressedBytesMax`
 */
export function recordsOf(
  bytes: Uint8Array,
  at: number,
  header: BatchHeader,
  options: { readonly decompressedBytesMax: number },
): Iterable<RecordView> {
  const start = at + BATCH_OVERHEAD_BYTES
  const end = at + header.sizeBytes
  if (end > bytes.length) throw corrupt(`it ends at ${end} of ${bytes.length} bytes`)
  const whole = asBuffer(bytes)
  if (header.codec === 'none') return new Records(whole, start, end, header)
  const section = decompress(header.codec, whole.subarray(start, end), options.decompressedBytesMax)
  return new Records(asBuffer(section), 0, section.length, header)
}

/** One record. `key`, `value` and `headers` make a new object at each access. */
export class RecordView {
  readonly offset: number
  /** ms since the epoch. */
  readonly timestamp: number
  readonly #bytes: Buffer
  readonly #keyAt: number
  readonly #valueAt: number
  /** -1 null. */
  readonly #valueBytes: number
  readonly #headersAt: number
  readonly #keyBytes: number

  constructor(
    offset: number,
    timestamp: number,
    bytes: Buffer,
    keyAt: number,
    keyBytes: number,
    valueAt: number,
    valueBytes: number,
    headersAt: number,
  ) {
    this.offset = offset
    this.timestamp = timestamp
    this.#bytes = bytes
    this.#keyAt = keyAt
    this.#keyBytes = keyBytes
    this.#valueAt = valueAt
    this.#valueBytes = valueBytes
    this.#headersAt = headersAt
  }

  get hasKey(): boolean {
    return this.#keyBytes >= 0
  }

  get key(): Buffer | null {
    return this.#keyBytes < 0
      ? null
      : this.#bytes.subarray(this.#keyAt, this.#keyAt + this.#keyBytes)
  }

  /** null is a tombstone, empty bytes are not. */
  get value(): Buffer | null {
    return this.#valueBytes < 0
      ? null
      : this.#bytes.subarray(this.#valueAt, this.#valueAt + this.#valueBytes)
  }

  get headers(): Header[] {
    const headers: Header[] = []
    const bytes = this.#bytes
    const reader = new RecordReader(bytes, this.#headersAt, bytes.length)
    for (let left = reader.varint(); left > 0; left--) {
      const nameBytes = reader.varint()
      const nameAt = reader.take(nameBytes)
      const valueBytes = reader.varint()
      const valueAt = reader.take(Math.max(0, valueBytes))
      const name = bytes.toString('utf8', nameAt, nameAt + nameBytes)
      headers.push([name, valueBytes < 0 ? null : bytes.subarray(valueAt, valueAt + valueBytes)])
    }
    return headers
  }
}

class Records implements Iterable<RecordView> {
  readonly #bytes: Buffer
  readonly #start: number
  readonly #end: number
  readonly #header: BatchHeader

  constructor(bytes: Buffer, start: number, end: number, header: BatchHeader) {
    const { recordCount } = header
    if (recordCount < 0 || recordCount * RECORD_BYTES_MIN > end - start) {
      throw corrupt(`${recordCount} records in ${end - start} bytes`)
    }
    this.#bytes = bytes
    this.#start = start
    this.#end = end
    this.#header = header
  }

  [Symbol.iterator](): Iterator<RecordView> {
    return new RecordReader(this.#bytes, this.#start, this.#end, this.#header)
  }
}

/**
 * Reads forward from `position` to at most `end`. Hot: one loop over records takes about 50 ns each.
 * A read past the buffer gives undefined, and no comparison with undefined is true, so the slow path handles it.
 */
class RecordReader implements Iterator<RecordView> {
  #position: number
  #recordsLeft = 0
  #offsetDeltaMin = 0
  readonly #bytes: Buffer
  readonly #end: number
  readonly #baseOffset: number = 0
  readonly #lastOffsetDelta: number = 0
  readonly #baseTimestamp: number = 0
  /** With LogAppendTime the time of every record, else undefined. */
  readonly #appendTimestamp: number | undefined

  /** @param header undefined to read only record headers */
  constructor(bytes: Buffer, position: number, end: number, header?: BatchHeader) {
    this.#bytes = bytes
    this.#position = position
    this.#end = end
    if (header === undefined) return
    this.#recordsLeft = header.recordCount
    this.#baseOffset = header.baseOffset
    this.#lastOffsetDelta = header.lastOffsetDelta
    this.#baseTimestamp = header.baseTimestamp
    if (header.timestampType === 'LogAppendTime') this.#appendTimestamp = header.maxTimestamp
  }

  next(): IteratorResult<RecordView> {
    if (this.#recordsLeft === 0) {
      if (this.#position !== this.#end) throw corrupt('bytes after the last record')
      return { done: true, value: undefined }
    }
    this.#recordsLeft--
    return { done: false, value: this.#record() }
  }

  #record(): RecordView {
    const length = this.varint()
    const end = this.#position + length
    this.#position++ // attributes, unused
    const timestampDelta = this.#varlong()
    const offsetDelta = this.varint()
    const keyBytes = this.varint()
    const keyAt = keyBytes === -1 ? this.#position : this.take(keyBytes)
    const valueBytes = this.varint()
    const valueAt = valueBytes === -1 ? this.#position : this.take(valueBytes)
    const headersAt = this.#position
    const headerCount = this.varint()
    if (headerCount !== 0) this.#skipHeaders(headerCount)
    if (this.#position !== end || end > this.#end)
      throw corrupt('a record that does not fill its length')
    if (offsetDelta < this.#offsetDeltaMin || offsetDelta > this.#lastOffsetDelta)
      throw corrupt('offsets out of order')
    this.#offsetDeltaMin = offsetDelta + 1
    return new RecordView(
      this.#baseOffset + offsetDelta,
      this.#appendTimestamp ?? this.#baseTimestamp + timestampDelta,
      this.#bytes,
      keyAt,
      keyBytes,
      valueAt,
      valueBytes,
      headersAt,
    )
  }

  #skipHeaders(count: number): void {
    if (count < 0) throw corrupt(`${count} headers`)
    for (let left = count; left > 0; left--) {
      this.take(this.varint())
      const valueBytes = this.varint()
      if (valueBytes !== -1) this.take(valueBytes)
    }
  }

  /** Moves past `size` bytes and returns their first position. */
  take(size: number): number {
    const start = this.#position
    if (size < 0 || size > this.#end - start) throw corrupt('a field that exceeds it')
    this.#position = start + size
    return start
  }

  /** An int32, zig-zag. */
  varint(): number {
    const byte = this.#bytes[this.#position]!
    if (byte < 0x80) {
      this.#position++
      return (byte >>> 1) ^ -(byte & 1)
    }
    const next = this.#bytes[this.#position + 1]!
    if (next < 0x80) {
      this.#position += 2
      return (((byte & 0x7f) | (next << 7)) >>> 1) ^ -(byte & 1)
    }
    const value = this.#longVarlong()
    if (value !== (value | 0)) throw corrupt('a varint of more than 32 bits')
    return value
  }

  /** An int64, zig-zag; exact up to 2^53. */
  #varlong(): number {
    const byte = this.#bytes[this.#position]!
    if (byte < 0x80) {
      this.#position++
      return (byte >>> 1) ^ -(byte & 1)
    }
    return this.#longVarlong()
  }

  #longVarlong(): number {
    let low = 0 // 28 bits
    let middle = 0 // 28 bits
    let high = 0 // 8 bits
    for (let i = 0; i < 10; i++) {
      const byte = this.#bytes[this.take(1)]!
      const bits = byte & 0x7f
      if (i < 4) low |= bits << (7 * i)
      else if (i < 8) middle |= bits << (7 * (i - 4))
      else high |= bits << (7 * (i - 8))
      if (byte < 0x80) {
        if (high > 0xff) break
        const half = (low >>> 1) + middle * 2 ** 27 + high * 2 ** 55
        return low & 1 ? -half - 1 : half
      }
    }
    throw corrupt('a varint of more than 64 bits')
  }
}

function corrupt(what: string): KafkaError {
  return new KafkaError('CORRUPT_MESSAGE', `record batch: ${what}`)
}
