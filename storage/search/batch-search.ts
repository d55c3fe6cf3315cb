// BatchSearch: finds the record of a batch that a timestamp asks for. Any thread.

import { readBatchHeader } from '../../protocol/batch/header.ts'
import { recordsOf } from '../../protocol/batch/record.ts'
import { KafkaError } from '../../protocol/errors.ts'
import { Offset } from '../../protocol/ids.ts'
import type { OffsetAndTimestamp } from '../store.ts'

/** A batch that decompresses to more is answered with its base offset. */
const DECOMPRESSED_BYTES_MAX = 64 * 1024 * 1024

export interface TimeQuestion {
  /** The first record with at least this timestamp (ms); undefined: the first one with the largest. */
  readonly since: number | undefined
  /** Records before it do not count. */
  readonly logStartOffset: number
}

/**
 * @param batch borrowed
 * @throws {KafkaError} CORRUPT_MESSAGE
 */
export function searchBatch(
  batch: Uint8Array,
  question: TimeQuestion,
): OffsetAndTimestamp | undefined {
  const header = readBatchHeader(batch)
  try {
    return searchRecords(
      recordsOf(batch, 0, header, { decompressedBytesMax: DECOMPRESSED_BYTES_MAX }),
      question,
    )
  } catch (error) {
    if (!(error instanceof KafkaError && error.code === 'MESSAGE_TOO_LARGE')) throw error
    return { offset: Offset(header.baseOffset), timestamp: header.maxTimestamp }
  }
}

function searchRecords(
  records: ReturnType<typeof recordsOf>,
  { since, logStartOffset }: TimeQuestion,
): OffsetAndTimestamp | undefined {
  let latest: OffsetAndTimestamp | undefined
  for (const { offset, timestamp } of records) {
    if (offset < logStartOffset || timestamp < (since ?? (latest?.timestamp ?? -1) + 1)) continue
    latest = { offset: Offset(offset), timestamp }
    if (since !== undefined) break
  }
  return latest
}
