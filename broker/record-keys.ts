// What a topic that compacts holds against a produced batch: records without a key, which compaction could only drop.
// Network thread. The one check that looks at records, so it is made for such topics only. Texts: Apache Kafka's.

import { readBatchHeader } from '../protocol/batch/header.ts'
import { recordsOf } from '../protocol/batch/record.ts'
import { errorCode, errorCodeOf, KafkaError } from '../protocol/errors.ts'

/** A batch that inflates to more is refused. */
const DECOMPRESSED_BYTES_MAX = 64 * 1024 * 1024
/** Told one by one; the message counts them all. */
const RECORD_ERRORS_MAX = 1000

export interface KeyRefusal {
  readonly errorCode: number
  readonly errorMessage: string
  readonly recordErrors: { batchIndex: number; message: string }[]
}

/** @param batch whose header has been checked. @param partition '<topic>-<partition>', for the message */
export function refusalOfKeys(batch: Uint8Array, partition: string): KeyRefusal | undefined {
  let keylessCount = 0
  const recordErrors: KeyRefusal['recordErrors'] = []
  const message = `Compacted topic cannot accept message without key in topic partition ${partition}.`
  try {
    const header = readBatchHeader(batch)
    const records = recordsOf(batch, 0, header, { decompressedBytesMax: DECOMPRESSED_BYTES_MAX })
    let batchIndex = 0
    for (const record of records) {
      if (!record.hasKey && keylessCount++ < RECORD_ERRORS_MAX)
        recordErrors.push({ batchIndex, message })
      batchIndex++
    }
  } catch (error) {
    if (!(error instanceof KafkaError)) throw error
    return { errorCode: errorCodeOf(error), errorMessage: error.reason, recordErrors }
  }
  if (keylessCount === 0) return undefined
  const errorMessage = `One or more records have been rejected due to ${keylessCount} record errors in total: ${message}`
  return { errorCode: errorCode('INVALID_RECORD'), errorMessage, recordErrors }
}
