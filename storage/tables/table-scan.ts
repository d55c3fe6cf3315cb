// What a segment of a table's log holds, however damaged: every batch whose checksum is right, and the ranges between them.
// A batch counts where it lies: its base offset is outside the checksum, and so is believed only where it fits. Any thread.

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
  /** `offset` of its first record, as far as it can be told: it ascends. */
  | { kind: 'batch'; at: number; header: BatchHeader; offset: number }
  | { kind: 'damage'; at: number; end: number; offset: number }

/** Apache Kafka may be told to compress its own. */
export const DECOMPRESSED_BYTES_MAX = 64 * 1024 * 1024

/**
 * @param bytes a segment, or its visible part
 * @param offsets where it begins, and an end that no batch reaches beyond
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

/** @returns undefined when the batch there is damaged but for its base offset and leader epoch */
function soundHeaderAt(bytes: Buffer, at: number): BatchHeader | undefined {
  const sizeBytes = fittingBatchBytes(bytes, at, bytes.length - at)
  if (sizeBytes === undefined || !crcMatches(bytes, at, sizeBytes)) return undefined
  try {
    return readBatchHeader(bytes, at)
  } catch (error) {
    if (error instanceof KafkaError) return undefined // its checksum is right: somebody else's
    throw error
  }
}

/**
 * Where the next sound batch begins: where the damaged one says that it ends, else the first that is found. Records may hold
 * whole batches, so that one which is only found must have an offset that fits.
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

/** A damaged range, cut where its batches say that they end, as far as that fits. */
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

/** The keys of a damaged batch that can still be read: perhaps wrong, and perhaps not all. */
export function* readableKeys(batch: Buffer): Generator<Buffer> {
  for (let at = BATCH_OVERHEAD_BYTES; at < batch.length;) {
    const length = varintAt(batch, at)
    const timestampDelta = varintAt(batch, length.end + 1) // behind the attributes
    const offsetDelta = varintAt(batch, timestampDelta.end)
    const keyBytes = varintAt(batch, offsetDelta.end)
    const keyEnd = keyBytes.end + keyBytes.value
    const recordEnd = length.end + length.value
    if (keyBytes.value < 0 || keyEnd > Math.min(recordEnd, batch.length)) return
    yield batch.subarray(keyBytes.end, keyEnd)
    at = recordEnd
  }
}

/** Zig-zag; as large as it comes, past the end NaN, which no comparison holds for. */
function varintAt(bytes: Buffer, at: number): { readonly value: number; readonly end: number } {
  let zigzag = 0
  for (let scale = 1; ; scale *= 128) {
    const byte = bytes[at++] ?? NaN
    zigzag += (byte % 128) * scale
    if (!(byte >= 128)) break
  }
  return { value: zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2, end: at }
}
