// Reader and Writer: Kafka's primitive types to and from bytes. Any thread; one frame each, never shared.
// The frame bounds every read; the rest of the frame bounds every array count.
// Source: Kafka's protocol guide, "Protocol primitive types". Big-endian throughout.

import { KafkaError } from './errors.ts'
import type { Uuid } from './ids.ts'

/** The most array elements of one frame in all: it keeps a hostile frame from becoming gigabytes of objects. */
export const FRAME_ELEMENTS_MAX = 2_000_000

/** Tagged fields of one struct. Apache Kafka 4.4 has the same limit. */
export const TAGS_MAX = 10_000

/** A frame references records of at least this many bytes, and copies smaller ones. */
const REFERENCE_BYTES_MIN = 4096

/** A frame's buffer grows up to this size, then the next one begins: so a large frame is not copied as it grows. */
const CHUNK_BYTES_MAX = 1024 * 1024

/** Classic strings have an int16 length, and Kafka limits compact ones to the same. */
const STRING_BYTES_MAX = 0x7fff

const UUID_CHARS = 22

const TWO_32 = 0x1_0000_0000

function malformed(what: string): KafkaError {
  return new KafkaError('INVALID_REQUEST', `malformed frame: ${what}`)
}

export class Reader {
  /** Borrowed by the byte fields, which are views into it. */
  readonly buffer: Buffer
  position: number
  readonly #view: DataView
  readonly #elementsMax: number
  #elementCount = 0

  constructor(bytes: Uint8Array, position = 0, elementsMax = FRAME_ELEMENTS_MAX) {
    this.#elementsMax = elementsMax
    this.buffer = Buffer.isBuffer(bytes)
      ? bytes
      : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.position = position
  }

  /** Array elements declared so far. */
  get elementCount(): number {
    return this.#elementCount
  }

  get remaining(): number {
    return this.buffer.length - this.position
  }

  /** Moves past `size` bytes and returns their first position. */
  take(size: number): number {
    const start = this.position
    if (size < 0 || size > this.buffer.length - start) {
      throw malformed(`${size} bytes wanted at ${start}, ${this.buffer.length - start} are left`)
    }
    this.position = start + size
    return start
  }

  bool(): boolean {
    return this.#view.getInt8(this.take(1)) !== 0
  }

  int8(): number {
    return this.#view.getInt8(this.take(1))
  }

  int16(): number {
    return this.#view.getInt16(this.take(2))
  }

  uint16(): number {
    return this.#view.getUint16(this.take(2))
  }

  int32(): number {
    return this.#view.getInt32(this.take(4))
  }

  /** Exact up to 2^53; beyond, the nearest double (users of offsets check them). */
  int64(): number {
    const at = this.take(8)
    return this.#view.getInt32(at) * TWO_32 + this.#view.getUint32(at + 4)
  }

  float64(): number {
    return this.#view.getFloat64(this.take(8))
  }

  uuid(): Uuid {
    const at = this.take(16)
    return this.buffer.toString('base64url', at, at + 16)
  }

  uvarint(): number {
    const first = this.#view.getUint8(this.take(1))
    return first < 0x80 ? first : this.#longUvarint(first & 0x7f)
  }

  #longUvarint(first: number): number {
    let value = first
    for (let shift = 7; shift < 35; shift += 7) {
      const byte = this.#view.getUint8(this.take(1))
      value += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) {
        if (value >= TWO_32) throw malformed('a varint of more than 32 bits')
        return value
      }
    }
    throw malformed('a varint of more than 5 bytes')
  }

  nullableString(): string | null {
    return this.#string(this.int16())
  }

  string(): string {
    return this.nullableString() ?? absent('a string')
  }

  compactNullableString(): string | null {
    return this.#string(this.uvarint() - 1)
  }

  compactString(): string {
    return this.compactNullableString() ?? absent('a string')
  }

  nullableBytes(): Buffer | null {
    return this.#slice(this.int32())
  }

  bytes(): Buffer {
    return this.nullableBytes() ?? absent('a byte string')
  }

  compactNullableBytes(): Buffer | null {
    return this.#slice(this.uvarint() - 1)
  }

  compactBytes(): Buffer {
    return this.compactNullableBytes() ?? absent('a byte string')
  }

  /** @param elementBytesMin size of the smallest element, which bounds the count; @returns -1 for null */
  nullableCount(elementBytesMin: number): number {
    return this.#count(this.int32(), elementBytesMin)
  }

  count(elementBytesMin: number): number {
    const count = this.nullableCount(elementBytesMin)
    return count < 0 ? absent('an array') : count
  }

  compactNullableCount(elementBytesMin: number): number {
    return this.#count(this.uvarint() - 1, elementBytesMin)
  }

  compactCount(elementBytesMin: number): number {
    const count = this.compactNullableCount(elementBytesMin)
    return count < 0 ? absent('an array') : count
  }

  tagCount(): number {
    const count = this.uvarint()
    if (count > TAGS_MAX) throw malformed(`${count} tagged fields, ${TAGS_MAX} are allowed`)
    return count
  }

  /** Skips a section of tagged fields. */
  skipTags(): void {
    for (let left = this.tagCount(); left > 0; left--) {
      this.uvarint()
      this.take(this.uvarint())
    }
  }

  /** The end of a tagged field: its value must be exactly as long as stated. */
  endTag(end: number): void {
    if (this.position !== end)
      throw malformed(`a tagged field ends at ${this.position} and not at ${end}`)
  }

  #string(length: number): string | null {
    if (length === -1) return null
    if (length > STRING_BYTES_MAX) throw malformed(`a string of ${length} bytes`)
    const at = this.take(length)
    return this.buffer.toString('utf8', at, at + length)
  }

  #slice(length: number): Buffer | null {
    if (length === -1) return null
    const at = this.take(length)
    return this.buffer.subarray(at, at + length)
  }

  #count(count: number, elementBytesMin: number): number {
    if (count === -1) return -1
    if (count < 0 || count * elementBytesMin > this.remaining) {
      throw malformed(
        `an array of ${count} elements at ${this.position}, ${this.remaining} bytes are left`,
      )
    }
    this.#elementCount += count
    if (this.#elementCount > this.#elementsMax)
      throw malformed(`more than ${this.#elementsMax} array elements`)
    return count
  }
}

function absent(what: string): never {
  throw malformed(`null where ${what} is required`)
}

function outOfRange(type: string, value: number): KafkaError {
  return new KafkaError('INVALID_REQUEST', `${value} is not an ${type}`)
}

export class Writer {
  #bytes: Buffer
  #view: DataView
  #position = 0
  /** The first byte that is not yet in `#chunks`. */
  #chunkStart = 0
  #chunks: Uint8Array[] = []
  #chunkBytes = 0

  constructor(bytesExpected = 256) {
    this.#bytes = Buffer.allocUnsafe(bytesExpected)
    this.#view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.length)
  }

  /** Bytes written so far, referenced records included. */
  get size(): number {
    return this.#chunkBytes + this.#position - this.#chunkStart
  }

  bool(value: boolean): void {
    const at = this.#claim(1)
    this.#view.setInt8(at, value ? 1 : 0)
  }

  int8(value: number): void {
    if ((value << 24) >> 24 !== value) throw outOfRange('int8', value)
    const at = this.#claim(1)
    this.#view.setInt8(at, value)
  }

  int16(value: number): void {
    if ((value << 16) >> 16 !== value) throw outOfRange('int16', value)
    const at = this.#claim(2)
    this.#view.setInt16(at, value)
  }

  uint16(value: number): void {
    if ((value & 0xffff) !== value) throw outOfRange('uint16', value)
    const at = this.#claim(2)
    this.#view.setUint16(at, value)
  }

  int32(value: number): void {
    if ((value | 0) !== value) throw outOfRange('int32', value)
    const at = this.#claim(4)
    this.#view.setInt32(at, value)
  }

  /** The largest int64 is read as 2^63, so 2^63 is written as the largest int64. */
  int64(value: number): void {
    const high = Math.floor(value / TWO_32)
    if ((high | 0) !== high) return this.#int64Max(value)
    const at = this.#claim(8)
    this.#view.setInt32(at, high)
    this.#view.setUint32(at + 4, value - high * TWO_32)
  }

  float64(value: number): void {
    const at = this.#claim(8)
    this.#view.setFloat64(at, value)
  }

  uuid(value: Uuid): void {
    const at = this.#claim(16)
    const written = value.length === UUID_CHARS ? this.#bytes.write(value, at, 16, 'base64url') : 0
    if (written !== 16) throw malformed(`uuid "${value}"`)
  }

  uvarint(value: number): void {
    let rest = value
    while (rest >= 0x80) {
      this.#uint8((rest & 0x7f) | 0x80)
      rest = Math.floor(rest / 0x80)
    }
    this.#uint8(rest)
  }

  string(value: string): void {
    const length = Buffer.byteLength(value)
    this.int16(length)
    this.#utf8(value, length)
  }

  nullableString(value: string | null): void {
    if (value === null) this.int16(-1)
    else this.string(value)
  }

  compactString(value: string): void {
    const length = Buffer.byteLength(value)
    this.uvarint(length + 1)
    this.#utf8(value, length)
  }

  compactNullableString(value: string | null): void {
    if (value === null) this.uvarint(0)
    else this.compactString(value)
  }

  /** Copies `value`, or references it if it has at least 4 KiB, until the frame has been sent. */
  bytes(value: Uint8Array): void {
    this.int32(value.length)
    this.#append(value)
  }

  nullableBytes(value: Uint8Array | null): void {
    if (value === null) this.int32(-1)
    else this.bytes(value)
  }

  compactBytes(value: Uint8Array): void {
    this.uvarint(value.length + 1)
    this.#append(value)
  }

  compactNullableBytes(value: Uint8Array | null): void {
    if (value === null) this.uvarint(0)
    else this.compactBytes(value)
  }

  /** @param count -1 for null */
  count(count: number): void {
    this.int32(count)
  }

  compactCount(count: number): void {
    this.uvarint(count + 1)
  }

  /** A tagged field: `write` writes the value; its size precedes it. */
  tagged(tag: number, write: (value: Writer) => void): void {
    const value = new Writer(64)
    write(value)
    this.uvarint(tag)
    this.uvarint(value.size)
    for (const chunk of value.chunks()) this.#append(chunk)
  }

  /** All bytes, in order, in their copied and referenced chunks. The writer cannot be used again. */
  chunks(): Uint8Array[] {
    this.#closeChunk()
    return this.#chunks
  }

  /** The same, with the int32 frame size in the place that a leading `int32(0)` has reserved. */
  frame(): Uint8Array[] {
    const size = this.size
    const chunks = this.chunks()
    const first = chunks[0] as Buffer
    first.writeInt32BE(size - 4, 0)
    return chunks
  }

  #uint8(value: number): void {
    const at = this.#claim(1)
    this.#view.setUint8(at, value)
  }

  #int64Max(value: number): void {
    if (value !== TWO_32 * 0x8000_0000) throw outOfRange('int64', value)
    this.int32(0x7fff_ffff)
    this.int32(-1)
  }

  #utf8(value: string, length: number): void {
    if (length > STRING_BYTES_MAX) throw malformed(`a string of ${length} bytes`)
    const at = this.#claim(length)
    this.#bytes.write(value, at, length, 'utf8')
  }

  #append(value: Uint8Array): void {
    if (value.length < REFERENCE_BYTES_MIN) {
      const at = this.#claim(value.length)
      this.#bytes.set(value, at)
      return
    }
    this.#closeChunk()
    this.#chunks.push(value)
    this.#chunkBytes += value.length
  }

  #closeChunk(): void {
    if (this.#position === this.#chunkStart) return
    this.#chunks.push(this.#bytes.subarray(this.#chunkStart, this.#position))
    this.#chunkBytes += this.#position - this.#chunkStart
    this.#chunkStart = this.#position
  }

  /** Makes room and moves past it. Call it before reading `#bytes` or `#view`, because it may replace both. */
  #claim(size: number): number {
    const at = this.#position
    if (at + size > this.#bytes.length) return this.#grow(size)
    this.#position = at + size
    return at
  }

  /** Moves only the open chunk: closed ones keep their buffers. */
  #grow(size: number): number {
    if (this.#position - this.#chunkStart >= CHUNK_BYTES_MAX / 2) this.#closeChunk()
    const open = this.#bytes.subarray(this.#chunkStart, this.#position)
    const doubled = Math.min(2 * this.#bytes.length, CHUNK_BYTES_MAX)
    const grown = Buffer.allocUnsafe(Math.max(doubled, open.length + size))
    grown.set(open)
    this.#bytes = grown
    this.#view = new DataView(grown.buffer, grown.byteOffset, grown.length)
    this.#chunkStart = 0
    this.#position = open.length + size
    return open.length
  }
}
