// Checks a produced batch by its header alone; the store checks the CRC, the records and the sequence. Network thread. Order
// and codes are Apache Kafka's.

import {
  attributesOf,
  BATCH_OVERHEAD_BYTES,
  baseSequenceOf,
  batchSizeBytes,
  CODEC_MASK,
  CONTROL_BIT,
  lastOffsetDeltaOf,
  LOG_APPEND_TIME_BIT,
  MAGIC,
  magicOf,
  position,
  producerIdOf,
  recordCountOf,
  TRANSACTIONAL_BIT,
} from '../../protocol/batch/header.ts'
import { codecIds } from '../../protocol/compression/index.ts'
import type { ErrorName } from '../../protocol/errors.ts'

export interface Refusal {
  readonly error: ErrorName
  readonly message?: string
}

/**
 * @param records what one partition of a Produce request holds; must be one v2 batch
 * @param takesZstd whether the client's protocol knows zstd
 * @param sizeBytesMax the topic's `max.message.bytes`
 */
export function refusalOfBatch(
  records: Uint8Array | null,
  takesZstd: boolean,
  sizeBytesMax: number,
): Refusal | undefined {
  if (records === null || records.length === 0) return refusal('INVALID_RECORD', 'no record batch')
  return (
    refusalOfSize(records, sizeBytesMax) ??
    refusalOfAttributes(records, takesZstd) ??
    refusalOfCounts(records)
  )
}

function refusal(error: ErrorName, message: string): Refusal {
  return { error, message }
}

function refusalOfSize(records: Uint8Array, sizeBytesMax: number): Refusal | undefined {
  if (records.length > position.magic && magicOf(records) !== MAGIC) {
    return refusal('INVALID_RECORD', `record format ${magicOf(records)}, only 2 is taken`)
  }
  const sizeBytes = batchSizeBytes(records) ?? 0
  if (sizeBytes < BATCH_OVERHEAD_BYTES || sizeBytes > records.length) {
    return refusal('CORRUPT_MESSAGE', `a batch of ${sizeBytes} bytes in ${records.length}`)
  }
  if (sizeBytes < records.length)
    return refusal('INVALID_RECORD', 'more than one batch for a partition')
  if (sizeBytes > sizeBytesMax) {
    return refusal(
      'MESSAGE_TOO_LARGE',
      `a batch of ${sizeBytes} bytes, max.message.bytes is ${sizeBytesMax}`,
    )
  }
  return undefined
}

function refusalOfAttributes(batch: Uint8Array, takesZstd: boolean): Refusal | undefined {
  const attributes = attributesOf(batch)
  const codecId = attributes & CODEC_MASK
  if (codecId > codecIds.zstd) return refusal('UNSUPPORTED_COMPRESSION_TYPE', `codec ${codecId}`)
  if (codecId === codecIds.zstd && !takesZstd)
    return refusal('UNSUPPORTED_COMPRESSION_TYPE', 'zstd, which needs version 7 of Produce')
  if (attributes & CONTROL_BIT)
    return refusal('INVALID_RECORD', 'clients do not write control batches')
  if (attributes & TRANSACTIONAL_BIT && producerIdOf(batch) < 0)
    return refusal('INVALID_RECORD', 'a transactional batch without a producer id')
  if (attributes & LOG_APPEND_TIME_BIT)
    return refusal('INVALID_TIMESTAMP', 'only the broker sets LogAppendTime')
  return undefined
}

function refusalOfCounts(batch: Uint8Array): Refusal | undefined {
  const recordCount = recordCountOf(batch)
  const lastOffsetDelta = lastOffsetDeltaOf(batch)
  if (recordCount <= 0 || lastOffsetDelta !== recordCount - 1) {
    return refusal(
      'INVALID_RECORD',
      `${recordCount} records, the last one at offset delta ${lastOffsetDelta}`,
    )
  }
  if (producerIdOf(batch) >= 0 && baseSequenceOf(batch) < 0) {
    return refusal('INVALID_RECORD', 'a producer id without a sequence')
  }
  return undefined
}
