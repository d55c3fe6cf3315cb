// BatchBuilder: records straight into the bytes of a batch. Any thread; one batch each.
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
  /** Copied, like everything else. */
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers?: Iterable<readonly [name: string, value: Uint8Array | null]>
}

export interface FinishOptions {
  readonly codec?: Codec
  readonly producerId?: number
  readonly producerEpoch?: number
  readonly baseSequence?: number
  readonly isTransactional?: boolean
  readonly isControl?: boolean
}

const BYTES_EXPECTED = 1024
/** Up to here a loop beats the call that copies. */
const LOOP_BYTES_MAX = 24
const NO_HEADERS: NonNullable<NewRecord['headers']> = []

export class BatchBuilder {
  #bytes: Buffer
  #position = BATCH_OVERHEAD_BYTES
  #recordCount = 0
  #baseTimestamp = -1
  #maxTimestamp = -1

  constructor(options: { readonly bytesExpected?: number } = {}) {
    this.#bytes = Buffer.allocUnsafe(Math.max(BATCH_OVERHEAD_BYTES, options.bytesExpected ?? BYTES_EXPECTED))
  }

  get recordCount(): number {
    return this.#recordCount
  }

  /** Uncompressed, header included. */
  get sizeBytes(): number {
    return this.#position
  }

  append(record: NewRecord): void {
    const { timestamp, key, value, headers = NO_HEADERS } = record
    if (this.#recordCount === 0) {
      this.#baseTimestamp = timestamp
      this.#maxTimestamp = timestamp
    } else if (timestamp > this.#maxTimestamp) {
      this.#maxTimestamp = timestamp
    }
    const timestampDelta = timestamp - this.#baseTimestamp
    let headerCount = 0
    let headersBytes = 0
    if (headers !== NO_HEADERS) {
      for (const [name, headerValue] of headers) {
        const nameBytes = Buffer.byteLength(name)
        headersBytes += varintBytes(nameBytes) + nameBytes + fieldBytes(headerValue)
        headerCount++
      }
    }
    const length =
      1 +
      varlongBytes(timestampDelta) +
      varintBytes(this.#recordCount) +
      fieldBytes(key) +
      fieldBytes(value) +
      varintBytes(headerCount) +
      headersBytes
    this.#reserve(varintBytes(length) + length)
    this.#varint(length)
    this.#bytes[this.#position++] = 0 // attributes, unused
    this.#varlong(timestampDelta)
    this.#varint(this.#recordCount)
    this.#field(key)
    this.#field(value)
    this.#varint(headerCount)
    if (headerCount > 0) {
      for (const [name, headerValue] of headers) {
        this.#varint(Buffer.byteLength(name))
        this.#position += this.#bytes.write(name, this.#position, 'utf8')
        this.#field(headerValue)
      }
    }
    this.#recordCount++
  }

  /**
   * The batch, with base offset 0 and no leader epoch: a broker stamps both. The builder is spent.
   *
   * @returns given
   */
  finish(options: FinishOptions = {}): Uint8Array {
    const { codec = 'none' } = options
    const bytes = codec === 'none' ? this.#bytes.subarray(0, this.#position) : this.#compressed(codec)
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

  #reserve(size: number): void {
    if (this.#position + size <= this.#bytes.length) return
    const grown = Buffer.allocUnsafe(Math.max(2 * this.#bytes.length, this.#position + size))
    grown.set(this.#bytes.subarray(0, this.#position))
    this.#bytes = grown
  }

  #field(value: Uint8Array | null): void {
    if (value === null) {
      this.#bytes[this.#position++] = 1 // -1
      return
    }
    const { length } = value
    this.#varint(length)
    const bytes = this.#bytes
    const at = this.#position
    if (length > LOOP_BYTES_MAX) bytes.set(value, at)
    else for (let i = 0; i < length; i++) bytes[at + i] = value[i]!
    this.#position = at + length
  }

  /** @param value an int32 */
  #varint(value: number): void {
    const bytes = this.#bytes
    let at = this.#position
    let zigzag = (value << 1) ^ (value >> 31)
    while (zigzag & ~0x7f) {
      bytes[at++] = zigzag | 0x80
      zigzag >>>= 7
    }
    bytes[at++] = zigzag
    this.#position = at
  }

  /** @param value a safe integer */
  #varlong(value: number): void {
    if (value === (value | 0)) return this.#varint(value)
    const isNegative = value < 0
    const half = isNegative ? -value - 1 : value
    this.#bytes[this.#position++] = ((half % 64) << 1) | (isNegative ? 1 : 0) | 0x80
    let rest = Math.floor(half / 64)
    while (rest >= 0x80) {
      this.#bytes[this.#position++] = (rest % 128) | 0x80
      rest = Math.floor(rest / 128)
    }
    this.#bytes[this.#position++] = rest
  }
}

function fieldBytes(value: Uint8Array | null): number {
  return value === null ? 1 : varintBytes(value.length) + value.length
}

/** @param value an int32 */
function varintBytes(value: number): number {
  const zigzag = ((value << 1) ^ (value >> 31)) >>> 0
  if (zigzag < 0x80) return 1
  if (zigzag < 0x4000) return 2
  if (zigzag < 0x20_0000) return 3
  return zigzag < 0x1000_0000 ? 4 : 5
}

/** @param value a safe integer */
function varlongBytes(value: number): number {
  if (value === (value | 0)) return varintBytes(value)
  let size = 1
  for (let rest = Math.floor((value < 0 ? -value - 1 : value) / 64); rest > 0; rest = Math.floor(rest / 128)) size++
  return size
}
