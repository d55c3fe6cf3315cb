// BatchBuilder: writes records straight into the bytes of a batch. Any thread; one builder per batch.
// Format: docs/formats/record-batch.md

import { codecIds, compress, type Codec } from '../compression/index.ts'
import {
  BATCH_OVERHEAD_BYTES,
  CONTROL_BIT,
  LOG_OVERHEAD_BYTES,
  MAGIC,
  position,
  putInt16,
  putInt32,
  putInt64,
  stampCrc,
  TRANSACTIONAL_BIT,
} from './header.ts'

export interface NewRecord {
  /** ms since the epoch. */
  readonly timestamp: number
  /** The builder copies keys, values and headers. */
  readonly key: Uint8Array | null
  /** Text becomes UTF-8. */
  readonly value: Uint8Array | string | null
  readonly headers?: Headers | undefined
}

/** Records with nothing but a value: consecutive lines of a text. */
export interface Lines {
  readonly bytes: Buffer
  /** Where the first line begins. */
  readonly start: number
  /** Where each line ends; the next one begins after one more byte, its newline. */
  readonly ends: readonly number[]
}

/** Where the line begins. */
function lineStart({ start, ends }: Lines, index: number): number {
  return index === 0 ? start : ends[index - 1]! + 1
}

export function lineAt(lines: Lines, index: number): Buffer {
  return lines.bytes.subarray(lineStart(lines, index), lines.ends[index])
}

type Headers = readonly (readonly [name: string, value: Uint8Array | null])[]

export interface FinishOptions {
  readonly codec?: Codec
  readonly producerId?: number
  readonly producerEpoch?: number
  readonly baseSequence?: number
  readonly isTransactional?: boolean
  readonly isControl?: boolean
}

const BYTES_EXPECTED = 1024
/** Up to this length a loop is faster than the call that copies. */
const LOOP_BYTES_MAX = 24
const VARINT_BYTES_MAX = 5
/** -1 as a varint. */
const NULL_LENGTH = 1
const UTF8_BYTES_MAX = 3
/** The most bytes that a line's record takes beside the line. */
const LINE_OVERHEAD_BYTES = 32
/** Memory beyond the size of a batch that `appendLines` works in. */
export const LINES_WINDOW_BYTES = 32 * 1024

export class BatchBuilder {
  #bytes: Buffer
  #position = BATCH_OVERHEAD_BYTES
  #recordCount = 0
  #baseTimestamp = -1
  #maxTimestamp = -1

  /** @param memory given, to build in: at least the 61 bytes of a header; the builder takes larger memory when it is full */
  constructor(options: { readonly bytesExpected?: number; readonly memory?: Buffer } = {}) {
    const { bytesExpected = BYTES_EXPECTED, memory } = options
    this.#bytes = memory ?? Buffer.allocUnsafe(Math.max(BATCH_OVERHEAD_BYTES, bytesExpected))
  }

  /** The builder's memory: without compression the finished batch is a view of it. */
  get memory(): Buffer {
    return this.#bytes
  }

  get recordCount(): number {
    return this.#recordCount
  }

  /** Bytes of the uncompressed batch, header included. */
  get sizeBytes(): number {
    return this.#position
  }

  /** @throws {TypeError} when a length of the record changes meanwhile; the batch is then unchanged */
  append(record: NewRecord): void {
    const { value } = record
    if (this.#tryAppend(record, value)) return
    // Text that is not ASCII, or for which the memory may be too small
    if (typeof value === 'string' && this.#tryAppend(record, Buffer.from(value))) return
    throw new TypeError('the record changed while it was written')
  }

  /**
   * Appends lines while they surely fit into a batch of `sizeMax` bytes; the caller appends a line of more than
   * `LINES_WINDOW_BYTES` by itself. Lines are copied from a window of the text at the end of the memory, because a copy
   * within one buffer takes a third of the time of one between two.
   *
   * @param timestamp of all of them
   * @returns how many it has appended
   */
  appendLines(lines: Lines, first: number, timestamp: number, sizeMax: number): number {
    const { ends } = lines
    const bytes = this.#reserve(sizeMax + LINES_WINDOW_BYTES - this.#position)
    let windowEnd = 0
    let toWindow = 0 // from a position in the text to the same byte in the window
    let start = lineStart(lines, first)
    let index = first
    for (; index < ends.length; index++) {
      const end = ends[index]!
      const sizeBytes = end - start + LINE_OVERHEAD_BYTES
      if (this.#position + sizeBytes > sizeMax || sizeBytes > LINES_WINDOW_BYTES) break
      if (end > windowEnd) {
        windowEnd = Math.min(start + LINES_WINDOW_BYTES, lines.bytes.length)
        toWindow = bytes.length - windowEnd
        bytes.set(lines.bytes.subarray(start, windowEnd), toWindow + start)
      }
      this.#putLine(bytes, toWindow + start, end - start, timestamp)
      start = end + 1
    }
    return index - first
  }

  /** @param lineAt where the line lies in `bytes`, behind the room of its record */
  #putLine(bytes: Buffer, lineAt: number, lineBytes: number, timestamp: number): void {
    const index = this.#recordCount
    const timestampDelta = index === 0 ? 0 : timestamp - this.#baseTimestamp
    const length =
      1 + // attributes
      varlongBytes(timestampDelta) +
      varintBytes(index) +
      1 + // no key
      varintBytes(lineBytes) +
      lineBytes +
      1 // no headers
    let at = putVarint(bytes, this.#position, length)
    bytes[at++] = 0 // attributes, unused
    at = putVarlong(bytes, at, timestampDelta)
    at = putVarint(bytes, at, index)
    bytes[at++] = NULL_LENGTH
    at = putVarint(bytes, at, lineBytes)
    bytes.copyWithin(at, lineAt, lineAt + lineBytes)
    at += lineBytes
    bytes[at++] = 0 // headers
    this.#passRecord(at, timestamp)
  }

  /** The record with this timestamp ends at `end`. */
  #passRecord(end: number, timestamp: number): void {
    const isFirst = this.#recordCount === 0
    if (isFirst) this.#baseTimestamp = timestamp
    if (isFirst || timestamp > this.#maxTimestamp) this.#maxTimestamp = timestamp
    this.#position = end
    this.#recordCount++
  }

  /** Text is written where it belongs as if it were ASCII. @returns false when lengths are not as expected */
  #tryAppend(record: NewRecord, value: NewRecord['value']): boolean {
    const { timestamp, key, headers } = record
    const index = this.#recordCount
    const timestampDelta = index === 0 ? 0 : timestamp - this.#baseTimestamp
    const length =
      1 + // attributes
      varlongBytes(timestampDelta) +
      varintBytes(index) +
      fieldBytes(key) +
      fieldBytes(value) +
      (headers === undefined ? 1 : headersBytes(headers))
    const bytes = this.#reserve(VARINT_BYTES_MAX + length)
    const start = putVarint(bytes, this.#position, length)
    let at = start
    bytes[at++] = 0 // attributes, unused
    at = putVarlong(bytes, at, timestampDelta)
    at = putVarint(bytes, at, index)
    at = putField(bytes, at, key)
    if (typeof value === 'string' && at + UTF8_BYTES_MAX * value.length > bytes.length) return false
    at = putField(bytes, at, value)
    if (headers === undefined) bytes[at++] = 0
    else at = putHeaders(bytes, at, headers)
    if (at !== start + length) return false
    this.#passRecord(at, timestamp)
    return true
  }

  /**
   * The batch, with base offset 0 and no leader epoch: the broker sets both. The builder cannot be used again.
   *
   * @returns given
   */
  finish(options: FinishOptions = {}): Uint8Array {
    const { codec = 'none' } = options
    const bytes =
      codec === 'none' ? this.#bytes.subarray(0, this.#position) : this.#compressed(codec)
    const transactionalBit = options.isTransactional ? TRANSACTIONAL_BIT : 0
    const controlBit = options.isControl ? CONTROL_BIT : 0
    putInt64(bytes, position.baseOffset, 0)
    putInt32(bytes, position.batchLength, bytes.length - LOG_OVERHEAD_BYTES)
    putInt32(bytes, position.leaderEpoch, -1)
    bytes[position.magic] = MAGIC
    putInt16(bytes, position.attributes, codecIds[codec] | transactionalBit | controlBit)
    putInt32(bytes, position.lastOffsetDelta, this.#recordCount - 1)
    putInt64(bytes, position.baseTimestamp, this.#baseTimestamp)
    putInt64(bytes, position.maxTimestamp, this.#maxTimestamp)
    putInt64(bytes, position.producerId, options.producerId ?? -1)
    putInt16(bytes, position.producerEpoch, options.producerEpoch ?? -1)
    putInt32(bytes, position.baseSequence, options.baseSequence ?? -1)
    putInt32(bytes, position.recordCount, this.#recordCount)
    stampCrc(bytes, 0, bytes.length)
    return bytes
  }

  #compressed(codec: Codec): Uint8Array {
    const records = compress(codec, this.#bytes.subarray(BATCH_OVERHEAD_BYTES, this.#position))
    const bytes = Buffer.allocUnsafe(BATCH_OVERHEAD_BYTES + records.length)
    bytes.set(records, BATCH_OVERHEAD_BYTES)
    return bytes
  }

  #reserve(size: number): Buffer {
    if (this.#position + size > this.#bytes.length) {
      const grown = Buffer.allocUnsafe(Math.max(2 * this.#bytes.length, this.#position + size))
      grown.set(this.#bytes.subarray(0, this.#position))
      this.#bytes = grown
    }
    return this.#bytes
  }
}

// Each `put` returns the position after the bytes that it wrote; each `...Bytes` returns their number.

function putHeaders(bytes: Buffer, start: number, headers: Headers): number {
  let at = putVarint(bytes, start, headers.length)
  for (const [name, value] of headers) {
    at = putVarint(bytes, at, Buffer.byteLength(name))
    at += bytes.write(name, at, 'utf8')
    at = putField(bytes, at, value)
  }
  return at
}

function headersBytes(headers: Headers): number {
  let size = varintBytes(headers.length)
  for (const [name, value] of headers) {
    const nameBytes = Buffer.byteLength(name)
    size += varintBytes(nameBytes) + nameBytes + fieldBytes(value)
  }
  return size
}

function putField(bytes: Buffer, start: number, value: NewRecord['value']): number {
  if (value === null) return putVarint(bytes, start, -1)
  const { length } = value
  const at = putVarint(bytes, start, length)
  if (typeof value === 'string') return at + bytes.write(value, at)
  if (length > LOOP_BYTES_MAX) bytes.set(value, at)
  else for (let i = 0; i < length; i++) bytes[at + i] = value[i]!
  return at + length
}

/** Of text as if it were ASCII. */
function fieldBytes(value: NewRecord['value']): number {
  return value === null ? 1 : varintBytes(value.length) + value.length
}

/** @param value an int32 */
function putVarint(bytes: Buffer, start: number, value: number): number {
  let at = start
  let zigzag = (value << 1) ^ (value >> 31)
  while (zigzag & ~0x7f) {
    bytes[at++] = zigzag | 0x80
    zigzag >>>= 7
  }
  bytes[at++] = zigzag
  return at
}

/** @param value an int32 */
function varintBytes(value: number): number {
  const zigzag = ((value << 1) ^ (value >> 31)) >>> 0
  if (zigzag < 0x80) return 1
  if (zigzag < 0x4000) return 2
  if (zigzag < 0x20_0000) return 3
  return zigzag < 0x1000_0000 ? 4 : VARINT_BYTES_MAX
}

/** @param value a safe integer */
function putVarlong(bytes: Buffer, start: number, value: number): number {
  if (value === (value | 0)) return putVarint(bytes, start, value)
  const half = value < 0 ? -value - 1 : value // zig-zag without its lowest bit
  let at = start
  bytes[at++] = ((half % 64) << 1) | (value < 0 ? 1 : 0) | 0x80
  let rest = Math.floor(half / 64)
  while (rest >= 0x80) {
    bytes[at++] = (rest % 128) | 0x80
    rest = Math.floor(rest / 128)
  }
  bytes[at++] = rest
  return at
}

/** @param value a safe integer */
function varlongBytes(value: number): number {
  if (value === (value | 0)) return varintBytes(value)
  let size = 1
  for (
    let rest = Math.floor((value < 0 ? -value - 1 : value) / 64);
    rest > 0;
    rest = Math.floor(rest / 128)
  )
    size++
  return size
}
