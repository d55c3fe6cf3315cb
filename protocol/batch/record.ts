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
  options: RecordsOptions,
): Iterable<RecordView> {
  const section = sectionOf(bytes, at, header, options)
  return { [Symbol.iterator]: () => new Views(new RecordCursor(section, header)) }
}

/** The same without an object for each record. @throws {KafkaError} as `recordsOf`, at once or from the cursor */
export function openRecords(
  bytes: Uint8Array,
  at: number,
  header: BatchHeader,
  options: RecordsOptions,
): RecordCursor {
  return new RecordCursor(sectionOf(bytes, at, header, options), header)
}

interface RecordsOptions {
  readonly decompressedBytesMax: number
}

/** Where the records of a batch lie, decompressed. */
interface Section {
  readonly bytes: Buffer
  readonly start: number
  readonly end: number
}

function sectionOf(
  bytes: Uint8Array,
  at: number,
  { codec, sizeBytes, recordCount }: BatchHeader,
  { decompressedBytesMax }: RecordsOptions,
): Section {
  const whole = asBuffer(bytes)
  const start = at + BATCH_OVERHEAD_BYTES
  const end = at + sizeBytes
  if (end > whole.length) throw corrupt(`it ends at ${end} of ${whole.length} bytes`)
  let section: Section = { bytes: whole, start, end }
  if (codec !== 'none') {
    const unpacked = decompress(codec, whole.subarray(start, end), decompressedBytesMax)
    section = { bytes: asBuffer(unpacked), start: 0, end: unpacked.length }
  }
  const sectionBytes = section.end - section.start
  if (recordCount < 0 || recordCount * RECORD_BYTES_MIN > sectionBytes)
    throw corrupt(`${recordCount} records in ${sectionBytes} bytes`)
  return section
}

class Views implements Iterator<RecordView> {
  readonly #cursor: RecordCursor

  constructor(cursor: RecordCursor) {
    this.#cursor = cursor
  }

  next(): IteratorResult<RecordView> {
    return this.#cursor.next()
      ? { done: false, value: this.#cursor.view() }
      : { done: true, value: undefined }
  }
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

  /** @param cursor where it stands */
  constructor(cursor: RecordCursor) {
    this.offset = cursor.offset
    this.timestamp = cursor.timestamp
    this.#bytes = cursor.bytes
    this.#keyAt = cursor.keyAt
    this.#keyBytes = cursor.keyBytes
    this.#valueAt = cursor.valueAt
    this.#valueBytes = cursor.valueBytes
    this.#headersAt = cursor.headersAt
  }

  get hasKey(): boolean {
    return this.#keyBytes >= 0
  }

  get key(): Buffer | null {
    return fieldIn(this.#bytes, this.#keyAt, this.#keyBytes)
  }

  /** null is a tombstone, empty bytes are not. */
  get value(): Buffer | null {
    return fieldIn(this.#bytes, this.#valueAt, this.#valueBytes)
  }

  get headers(): Header[] {
    return headersIn(this.#bytes, this.#headersAt)
  }
}

function fieldIn(bytes: Buffer, at: number, sizeBytes: number): Buffer | null {
  return sizeBytes < 0 ? null : bytes.subarray(at, at + sizeBytes)
}

/** @param at of their count; a cursor has passed them, so they are all there */
function headersIn(bytes: Buffer, at: number): Header[] {
  const headers: Header[] = []
  if (bytes[at] === 0) return headers
  const reader = new FieldReader(bytes, at, bytes.length)
  for (let left = reader.varint(); left > 0; left--) {
    const nameBytes = reader.varint()
    const nameAt = reader.take(nameBytes)
    const valueBytes = reader.varint()
    const valueAt = reader.take(Math.max(0, valueBytes))
    const name = bytes.toString('utf8', nameAt, nameAt + nameBytes)
    headers.push([name, fieldIn(bytes, valueAt, valueBytes)])
  }
  return headers
}

/**
 * Reads forward from `position` to at most `end`. Hot.
 * A read past the buffer gives undefined, and no comparison with undefined is true, so the slow path handles it.
 */
class FieldReader {
  readonly bytes: Buffer
  protected position: number
  protected readonly end: number

  constructor(bytes: Buffer, position: number, end: number) {
    this.bytes = bytes
    this.position = position
    this.end = end
  }

  /** Moves past `size` bytes and returns their first position. */
  take(size: number): number {
    const start = this.position
    if (size < 0 || size > this.end - start) throw corrupt('a field that exceeds it')
    this.position = start + size
    return start
  }

  /** An int32, zig-zag. */
  varint(): number {
    const value = this.varlong()
    if (value !== (value | 0)) throw corrupt('a varint of more than 32 bits')
    return value
  }

  /** An int64, zig-zag; exact up to 2^53. */
  varlong(): number {
    const byte = this.bytes[this.position]!
    if (byte < 0x80) {
      this.position++
      return (byte >>> 1) ^ -(byte & 1)
    }
    const next = this.bytes[this.position + 1]!
    if (next < 0x80) {
      this.position += 2
      return (((byte & 0x7f) | (next << 7)) >>> 1) ^ -(byte & 1)
    }
    return this.#longVarlong()
  }

  #longVarlong(): number {
    let low = 0 // 28 bits
    let middle = 0 // 28 bits
    let high = 0 // 8 bits
    for (let i = 0; i < 10; i++) {
      const byte = this.bytes[this.take(1)]!
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

/**
 * Stands at one record of a batch after the other and shows where its fields lie: one step is meant to cost some 25 ns.
 * `key`, `value` and `headers` make a new object at each access.
 */
export class RecordCursor extends FieldReader {
  /** Of the record; before the first step there is none. */
  offset = -1
  /** ms since the epoch. */
  timestamp = -1
  /** Positions in `bytes`; lengths are -1 for null. */
  keyAt = 0
  keyBytes = -1
  valueAt = 0
  valueBytes = -1
  /** Of their count. */
  headersAt = 0
  #recordsLeft: number
  #offsetDeltaMin = 0
  readonly #baseOffset: number
  readonly #lastOffsetDelta: number
  readonly #baseTimestamp: number
  /** With LogAppendTime the time of every record, else undefined. */
  readonly #appendTimestamp: number | undefined

  /** @internal Use `openRecords`. */
  constructor({ bytes, start, end }: Section, header: BatchHeader) {
    super(bytes, start, end)
    this.#recordsLeft = header.recordCount
    this.#baseOffset = header.baseOffset
    this.#lastOffsetDelta = header.lastOffsetDelta
    this.#baseTimestamp = header.baseTimestamp
    if (header.timestampType === 'LogAppendTime') this.#appendTimestamp = header.maxTimestamp
  }

  /** Steps to the next record. @returns false when there is none. @throws {KafkaError} CORRUPT_MESSAGE */
  next(): boolean {
    if (this.#recordsLeft === 0) {
      if (this.position !== this.end) throw corrupt('bytes after the last record')
      return false
    }
    this.#recordsLeft--
    const length = this.varint()
    const end = this.position + length
    this.position++ // attributes, unused
    const timestampDelta = this.varlong()
    const offsetDelta = this.varint()
    const keyBytes = this.varint()
    this.keyBytes = keyBytes
    this.keyAt = keyBytes === -1 ? this.position : this.take(keyBytes)
    const valueBytes = this.varint()
    this.valueBytes = valueBytes
    this.valueAt = valueBytes === -1 ? this.position : this.take(valueBytes)
    this.headersAt = this.position
    const headerCount = this.varint()
    if (headerCount !== 0) this.#skipHeaders(headerCount)
    if (this.position !== end || end > this.end)
      throw corrupt('a record that does not fill its length')
    if (offsetDelta < this.#offsetDeltaMin || offsetDelta > this.#lastOffsetDelta)
      throw corrupt('offsets out of order')
    this.#offsetDeltaMin = offsetDelta + 1
    this.offset = this.#baseOffset + offsetDelta
    this.timestamp = this.#appendTimestamp ?? this.#baseTimestamp + timestampDelta
    return true
  }

  get key(): Buffer | null {
    return fieldIn(this.bytes, this.keyAt, this.keyBytes)
  }

  /** null is a tombstone, empty bytes are not. */
  get value(): Buffer | null {
    return fieldIn(this.bytes, this.valueAt, this.valueBytes)
  }

  get headers(): Header[] {
    return headersIn(this.bytes, this.headersAt)
  }

  get hasHeaders(): boolean {
    return this.bytes[this.headersAt] !== 0
  }

  /** The record, for good. */
  view(): RecordView {
    return new RecordView(this)
  }

  #skipHeaders(count: number): void {
    if (count < 0) throw corrupt(`${count} headers`)
    for (let left = count; left > 0; left--) {
      this.take(this.varint())
      const valueBytes = this.varint()
      if (valueBytes !== -1) this.take(valueBytes)
    }
  }
}

function corrupt(what: string): KafkaError {
  return new KafkaError('CORRUPT_MESSAGE', `record batch: ${what}`)
}
