// Verifies the records of a segment: each batch with a right checksum must also hold the records that its header
// promises, compressed ones too. Read only. A start does not look this deep, and could not mend such a batch.

import { RecordCheck } from '../../protocol/batch/check.ts'
import {
  attributesOf,
  baseOffsetOf,
  BATCH_OVERHEAD_BYTES,
  CODEC_MASK,
  lastOffsetDeltaOf,
  recordCountOf,
} from '../../protocol/batch/header.ts'
import { codecOf, decompress } from '../../protocol/compression/index.ts'
import { KafkaError } from '../../protocol/errors.ts'
import type { Fs } from '../fs.ts'
import { batchPlaces } from './batch-file.ts'
import type { SegmentToVerify } from './verify-indexes.ts'

/** Topics may allow more, but no known producer needs it. */
const DECOMPRESSED_BYTES_MAX = 1024 * 1024 * 1024

/** In a compacted log some offsets of a batch are missing. */
const bounds = {
  isKeyRequired: false,
  timestampDeltaMin: -Infinity,
  timestampDeltaMax: Infinity,
  noTimestampDelta: 0,
}

export interface BatchFlaw {
  readonly baseOffset: number
  readonly what: string
}

export function* recordFlaws(fs: Fs, segment: SegmentToVerify): Generator<BatchFlaw> {
  const check = new RecordCheck()
  const fd = fs.open(`${segment.path}.log`, 'read')
  try {
    for (const { position, sizeBytes } of batchPlaces(fs, fd, segment.sizeBytes, segment.bad)) {
      const batch = Buffer.alloc(sizeBytes)
      fs.read(fd, batch, position)
      const what = flawOf(batch, check)
      if (what !== undefined) yield { baseOffset: baseOffsetOf(batch), what }
    }
  } finally {
    fs.close(fd)
  }
}

function flawOf(batch: Uint8Array, check: RecordCheck): string | undefined {
  const recordCount = recordCountOf(batch)
  const packed = batch.subarray(BATCH_OVERHEAD_BYTES)
  try {
    if (recordCount === 0 && packed.length === 0) return undefined
    const codec = codecOf(attributesOf(batch) & CODEC_MASK)
    const section = decompress(codec, packed, Math.max(packed.length, DECOMPRESSED_BYTES_MAX))
    const lastOffsetDelta = lastOffsetDeltaOf(batch)
    const all = { ...bounds, lastOffsetDelta }
    const { flaw } = check.check(section, 0, section.length, recordCount, all)
    return flaw && `record ${flaw.recordIndex}: ${flaw.what}`
  } catch (error) {
    if (error instanceof KafkaError) return error.message
    throw error
  }
}
