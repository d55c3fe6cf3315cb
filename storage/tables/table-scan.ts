// The batches of a table's segment, however damaged: every batch whose checksum is right, and the ranges between
// them.
// The checksum does not cover a batch's base offset, so that counts only where it fits. Any thread.

import {
  BATCH_OVERHEAD_BYTES,
  baseOffsetOf,
  batchSizeBytes,
  crcMatches,
  fittingBatchBytes,
  MAGIC,
  position,
  readBatchHeader,
  type BatchHeader,
} from '../../protocol/batch/header.ts'
import { KafkaError } from '../../protocol/errors.ts'

export type TableRange =
  /** `offset` of its first record, as far as it can be known: it ascends. */
  | { kind: 'batch'; at: number; header: BatchHeader; offset: number }
  | { kind: 'damage'; at: number; end: number; offset: number }

/** Apache Kafka can be configured to compress its internal topics. */
export const DECOMPRESSED_BYTES_MAX = 64 * 1024 * 1024

/**
 * @param bytes a segment, or its visible part
 * @param offsets where it starts, and an end that no batch reaches beyond
 */
export function* rangesOf(
  bytes: Buffer,
  offsets: { readonly start: number; readonly end: number },
): Generator<TableRange> {
  let { start: offset } = offsets
  for (let at = 0; at < bytes.length;) {
    const header = soundHeaderAt(bytes, at)
    if (header) {
      const nextMin = offset + header.lastOffsetDelta + 1
      const next = header.baseOffset + header.lastOffsetDelta + 1
      const isPlausible = header.baseOffset >= offset && next <= offsets.end
      yield { kind: 'batch', at, header, offset: isPlausible ? header.baseOffset : offset }
      at += header.sizeBytes
      offset = isPlausible ? next : nextMin
    } else {
      const end = soundPositionAfter(bytes, at, offset, offsets.end)
      yield { kind: 'damage', at, end, offset }
      at = end
    }
  }
}

/** @returns undefined when the batch is damaged, base offset and leader epoch aside */
function soundHeaderAt(bytes: Buffer, at: number): BatchHeader | undefined {
  const sizeBytes = fittingBatchBytes(bytes, at, bytes.length - at)
  if (sizeBytes === undefined || !crcMatches(bytes, at, sizeBytes)) return undefined
  try {
    return readBatchHeader(bytes, at)
  } catch (error) {
    if (error instanceof KafkaError) return undefined // the checksum is right: another program's record
    throw error
  }
}

/**
 * The next sound batch: at the end that the damaged one states, else the first one found. Records may contain whole
 * batches, so that the offset of a found one must fit.
 */
function soundPositionAfter(bytes: Buffer, at: number, offset: number, offsetEnd: number): number {
  const claimed = at + (batchSizeBytes(bytes, at) ?? 0)
  if (claimed > at && claimed <= bytes.length) {
    if (claimed === bytes.length || soundHeaderAt(bytes, claimed)) return claimed
  }
  for (let next = at + 1; next + BATCH_OVERHEAD_BYTES <= bytes.length; next++) {
    if (bytes[next + position.magic] !== MAGIC) continue
    const baseOffset = baseOffsetOf(bytes, next)
    if (baseOffset > offset && baseOffset < offsetEnd && soundHeaderAt(bytes, next)) return next
  }
  return bytes.length
}

/** A damaged range, divided at the ends that its batches state, as far as those fit. */
export function* damagedBatches(
  bytes: Buffer,
  { at, end }: { readonly at: number; readonly end: number },
): Generator<{ readonly at: number; readonly end: number }> {
  while (at + BATCH_OVERHEAD_BYTES <= end) {
    const sizeBytes = batchSizeBytes(bytes, at)!
    const claimed = at + sizeBytes
    const next = sizeBytes >= BATCH_OVERHEAD_BYTES && claimed <= end ? claimed : end
    yield { at, end: next }
    at = next
  }
}

/** The readable keys of a damaged batch: some may be wrong, and some missing. */
export function* readableKeys(batch: Buffer): Generator<Buffer> {
  for (let at = BATCH_OVERHEAD_BYTES; at < batch.length;) {
    const length = varintAt(batch, at)
    const timestampDelta = varintAt(batch, length.end + 1) // after the attributes
    const offsetDelta = varintAt(batch, timestampDelta.end)
    const keyBytes = varintAt(batch, offsetDelta.end)
    const keyEnd = keyBytes.end + keyBytes.value
    const recordEnd = length.end + length.value
    if (keyBytes.value < 0 || keyEnd > Math.min(recordEnd, batch.length)) return
    yield batch.subarray(keyBytes.end, keyEnd)
    at = recordEnd
  }
}

/** Zig-zag, of any size; past the end it is NaN, for which every comparison is false. */
function varintAt(bytes: Buffer, at: number): { readonly value: number; readonly end: number } {
  let zigzag = 0
  for (let scale = 1; ; scale *= 128) {
    const byte = bytes[at++] ?? NaN
    zigzag += (byte % 128) * scale
    if (!(byte >= 128)) break
  }
  return { value: zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2, end: at }
}
