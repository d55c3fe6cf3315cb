// The 61-byte header of a record batch (magic 2): read as a whole, or field by field on hot paths, and patched
// by the broker. Any thread. Format: docs/formats/record-batch.md

import { codecOf, type Codec } from '../compression/index.ts'
import { crc32c } from '../crc32c.ts'
import { KafkaError } from '../errors.ts'

/** Base offset and batch length: the bytes that the batch length does not include. */
export const LOG_OVERHEAD_BYTES = 12
/** The whole header. */
export const BATCH_OVERHEAD_BYTES = 61
export const MAGIC = 2

/** Byte positions of the fields, from the start of the batch. */
export const position = {
  baseOffset: 0,
  batchLength: 8,
  leaderEpoch: 12,
  magic: 16,
  crc: 17,
  attributes: 21,
  lastOffsetDelta: 23,
  baseTimestamp: 27,
  maxTimestamp: 35,
  producerId: 43,
  producerEpoch: 51,
  baseSequence: 53,
  recordCount: 57,
} as const

/** Bits of the attributes. */
export const CODEC_MASK = 0x07
export const LOG_APPEND_TIME_BIT = 0x08
export const TRANSACTIONAL_BIT = 0x10
export const CONTROL_BIT = 0x20
/** The base timestamp is the time after which compaction may drop the batch's tombstones or marker (KIP-534). */
export const DELETE_HORIZON_BIT = 0x40

export type TimestampType = 'CreateTime' | 'LogAppendTime'

export interface BatchHeader {
  /** Not checked: a produced batch may have any value. */
  readonly baseOffset: number
  /** Bytes of the whole batch, this header included. */
  readonly sizeBytes: number
  readonly leaderEpoch: number
  readonly magic: number
  readonly crc: number
  /** All bits. */
  readonly attributes: number
  readonly codec: Codec
  readonly timestampType: TimestampType
  readonly isTransactional: boolean
  readonly isControl: boolean
  /** Last offset - base offset; in a compacted log more than `recordCount` - 1. */
  readonly lastOffsetDelta: number
  /** ms since the epoch. */
  readonly baseTimestamp: number
  /** ms since the epoch; with LogAppendTime the time of every record. */
  readonly maxTimestamp: number
  /** -1 without one; so also the epoch and the sequence. */
  readonly producerId: number
  readonly producerEpoch: number
  readonly baseSequence: number
  readonly recordCount: number
}

/** @returns bytes of the batch at `at` by its length field, the header included; undefined if fewer than 12 bytes are left */
export function batchSizeBytes(bytes: Uint8Array, at = 0): number | undefined {
  if (bytes.length - at < LOG_OVERHEAD_BYTES) return undefined
  return LOG_OVERHEAD_BYTES + int32At(bytes, at + position.batchLength)
}

/** The same, but undefined as well if `bytes` ends before the batch does. */
export function wholeBatchBytes(bytes: Uint8Array, at = 0): number | undefined {
  const sizeBytes = batchSizeBytes(bytes, at)
  return sizeBytes !== undefined && sizeBytes <= bytes.length - at ? sizeBytes : undefined
}

/**
 * Bytes of the batch whose header is at `at`, if the header's fields are those expected there. The caller checks the CRC
 * (`bytes` may end before the batch does) and the leader epoch.
 *
 * @param bytesMax from the first byte of the batch to the limit that its last byte must not pass
 * @param baseMin its base offset must be between these, both included
 * @param endOffset its last offset must be below
 */
export function fittingBatchBytes(
  bytes: Uint8Array,
  at: number,
  bytesMax: number,
  baseMin = -Infinity,
  baseMax = Infinity,
  endOffset = Infinity,
): number | undefined {
  if (bytes.length - at < BATCH_OVERHEAD_BYTES || magicOf(bytes, at) !== MAGIC) return undefined
  const sizeBytes = LOG_OVERHEAD_BYTES + int32At(bytes, at + position.batchLength)
  if (sizeBytes < BATCH_OVERHEAD_BYTES || sizeBytes > bytesMax) return undefined
  const baseOffset = baseOffsetOf(bytes, at)
  if (baseOffset < baseMin || baseOffset > baseMax) return undefined
  const lastOffsetDelta = lastOffsetDeltaOf(bytes, at)
  return lastOffsetDelta >= 0 && baseOffset + lastOffsetDelta < endOffset ? sizeBytes : undefined
}

/**
 * Does not check the CRC, nor that `bytes` has the whole batch; the caller checks `magic`.
 *
 * @throws {KafkaError} CORRUPT_MESSAGE when there is no room for a header, UNSUPPORTED_COMPRESSION_TYPE
 */
export function readBatchHeader(bytes: Uint8Array, at = 0): BatchHeader {
  if (bytes.length - at < BATCH_OVERHEAD_BYTES) {
    throw new KafkaError(
      'CORRUPT_MESSAGE',
      `${bytes.length - at} bytes are too few for a batch header`,
    )
  }
  const sizeBytes = LOG_OVERHEAD_BYTES + int32At(bytes, at + position.batchLength)
  if (sizeBytes < BATCH_OVERHEAD_BYTES)
    throw new KafkaError('CORRUPT_MESSAGE', `a batch of ${sizeBytes} bytes`)
  const attributes = attributesOf(bytes, at)
  return {
    baseOffset: baseOffsetOf(bytes, at),
    sizeBytes,
    leaderEpoch: leaderEpochOf(bytes, at),
    magic: magicOf(bytes, at),
    crc: checksumOf(bytes, at),
    attributes,
    codec: codecOf(attributes & CODEC_MASK),
    timestampType: attributes & LOG_APPEND_TIME_BIT ? 'LogAppendTime' : 'CreateTime',
    isTransactional: (attributes & TRANSACTIONAL_BIT) !== 0,
    isControl: (attributes & CONTROL_BIT) !== 0,
    lastOffsetDelta: lastOffsetDeltaOf(bytes, at),
    baseTimestamp: baseTimestampOf(bytes, at),
    maxTimestamp: maxTimestampOf(bytes, at),
    producerId: producerIdOf(bytes, at),
    producerEpoch: producerEpochOf(bytes, at),
    baseSequence: baseSequenceOf(bytes, at),
    recordCount: recordCountOf(bytes, at),
  }
}

// One field each, for hot paths; the caller has checked that `bytes` has a whole header.

export function baseOffsetOf(bytes: Uint8Array, at = 0): number {
  return int64At(bytes, at + position.baseOffset)
}

export function leaderEpochOf(bytes: Uint8Array, at = 0): number {
  return int32At(bytes, at + position.leaderEpoch)
}

/** The CRC in the header, which may be wrong. */
export function checksumOf(bytes: Uint8Array, at = 0): number {
  return int32At(bytes, at + position.crc) >>> 0
}

export function magicOf(bytes: Uint8Array, at = 0): number {
  return (bytes[at + position.magic]! << 24) >> 24
}

export function attributesOf(bytes: Uint8Array, at = 0): number {
  return int16At(bytes, at + position.attributes)
}

export function lastOffsetDeltaOf(bytes: Uint8Array, at = 0): number {
  return int32At(bytes, at + position.lastOffsetDelta)
}

export function baseTimestampOf(bytes: Uint8Array, at = 0): number {
  return int64At(bytes, at + position.baseTimestamp)
}

export function maxTimestampOf(bytes: Uint8Array, at = 0): number {
  return int64At(bytes, at + position.maxTimestamp)
}

export function producerIdOf(bytes: Uint8Array, at = 0): number {
  return int64At(bytes, at + position.producerId)
}

export function producerEpochOf(bytes: Uint8Array, at = 0): number {
  return int16At(bytes, at + position.producerEpoch)
}

export function baseSequenceOf(bytes: Uint8Array, at = 0): number {
  return int32At(bytes, at + position.baseSequence)
}

export function recordCountOf(bytes: Uint8Array, at = 0): number {
  return int32At(bytes, at + position.recordCount)
}

/** Does the CRC match the batch at `at`? The caller has checked that all `sizeBytes` are there. */
export function crcMatches(bytes: Uint8Array, at: number, sizeBytes: number): boolean {
  return crc32c(bytes, at + position.attributes, at + sizeBytes) === checksumOf(bytes, at)
}

/** Sets base offset and leader epoch, in place. Both fields are outside the CRC. */
export function stampBatch(
  bytes: Uint8Array,
  at: number,
  baseOffset: number,
  leaderEpoch: number,
): void {
  putInt64(bytes, at + position.baseOffset, baseOffset)
  putInt32(bytes, at + position.leaderEpoch, leaderEpoch)
}

/** Makes `timestampMs` the time of every record, in place, without decompressing; computes a new CRC. */
export function stampLogAppendTime(
  bytes: Uint8Array,
  at: number,
  sizeBytes: number,
  timestampMs: number,
): void {
  putInt16(bytes, at + position.attributes, attributesOf(bytes, at) | LOG_APPEND_TIME_BIT)
  putInt64(bytes, at + position.maxTimestamp, timestampMs)
  stampCrc(bytes, at, sizeBytes)
}

/** Sets the largest timestamp of the records, in place; computes a new CRC. */
export function stampMaxTimestamp(
  bytes: Uint8Array,
  at: number,
  sizeBytes: number,
  timestampMs: number,
): void {
  putInt64(bytes, at + position.maxTimestamp, timestampMs)
  stampCrc(bytes, at, sizeBytes)
}

export function stampCrc(bytes: Uint8Array, at: number, sizeBytes: number): void {
  putInt32(bytes, at + position.crc, crc32c(bytes, at + position.attributes, at + sizeBytes))
}

const TWO_32 = 0x1_0000_0000

export function int16At(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) >> 16) | bytes[at + 1]!
}

export function int32At(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!
}

/** Exact up to 2^53. */
export function int64At(bytes: Uint8Array, at: number): number {
  return int32At(bytes, at) * TWO_32 + (int32At(bytes, at + 4) >>> 0)
}

export function putInt16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >> 8
  bytes[at + 1] = value
}

export function putInt32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >> 24
  bytes[at + 1] = value >> 16
  bytes[at + 2] = value >> 8
  bytes[at + 3] = value
}

export function putInt64(bytes: Uint8Array, at: number, value: number): void {
  putInt32(bytes, at, Math.floor(value / TWO_32))
  putInt32(bytes, at + 4, value >>> 0)
}
