// The check of a produced batch before it is stored: one whole batch, and unless the topic says otherwise every
// record of it, compressed ones too, so that consumers can read what the broker acknowledges. Any thread. See
// docs/decisions/0011-records-are-checked.md

import { type CheckedRecords, RecordCheck } from '../protocol/batch/check.ts'
import {
  attributesOf,
  BATCH_OVERHEAD_BYTES,
  baseTimestampOf,
  batchSizeBytes,
  CODEC_MASK,
  crcMatches,
  lastOffsetDeltaOf,
  MAGIC,
  magicOf,
  maxTimestampOf,
  recordCountOf,
  stampMaxTimestamp,
} from '../protocol/batch/header.ts'
import { claimedBytes, codecOf, decompress } from '../protocol/compression/index.ts'
import { type ErrorName, KafkaError } from '../protocol/errors.ts'

/** The part of a topic's configuration that decides about batches. */
export interface RecordRules {
  /** Check each record, or only the header? */
  readonly isEachChecked: boolean
  /** A compacted topic could only drop records without a key. */
  readonly isKeyRequired: boolean
  /** The most bytes that a compressed batch may decompress to. */
  readonly decompressedBytesMax: number
  /** Infinity where the broker sets the time. */
  readonly timestampBeforeMaxMs: number
  readonly timestampAfterMaxMs: number
}

export interface RecordError {
  /** Index of the record in its batch. */
  readonly batchIndex: number
  readonly message: string
}

export interface BatchRefusal {
  readonly error: ErrorName
  readonly message: string
  readonly recordErrors?: readonly RecordError[]
}

/** At most this many errors are listed; the message has their number. */
const RECORD_ERRORS_MAX = 1000

/**
 * Batches up to these sizes are decompressed by the writer, some 0.1 ms each, so that it is never busy for long;
 * others go to the validator. zstd's limit is the smallest bound of headers without the size, such as Java's.
 */
const LIGHT_BYTES_MAX = {
  none: Infinity,
  gzip: 32 * 1024,
  snappy: 64 * 1024,
  lz4: 64 * 1024,
  zstd: 128 * 1024,
} as const

const check = new RecordCheck()

/**
 * @returns the decompressed size, as far as it is known, of a batch that is too large for the writer; 0 for all
 *   others
 */
export function heavyBytesOf(batch: Uint8Array, rules: RecordRules): number {
  const codec = attributesOf(batch) & CODEC_MASK
  if (codec === 0 || !rules.isEachChecked || batch.length < BATCH_OVERHEAD_BYTES) return 0
  if (codec > 4) return 0 // refused by the check itself
  const name = codecOf(codec)
  const bytes = claimedBytes(name, batch.subarray(BATCH_OVERHEAD_BYTES))
  return bytes > LIGHT_BYTES_MAX[name] ? Math.min(bytes, rules.decompressedBytesMax) : 0
}

/**
 * @param batch a wrong largest timestamp is corrected in place, as Apache Kafka does
 * @param partition `<topic>-<partition>`, for messages
 * @param where the writer checks only batches that `heavyBytesOf` leaves to it: a larger one stated a false size
 */
export function batchRefusal(
  batch: Uint8Array,
  rules: RecordRules,
  nowMs: number,
  partition: string,
  where: 'writer' | 'validator',
): BatchRefusal | undefined {
  try {
    const flaw = flawOf(batch)
    if (flaw !== undefined) throw new KafkaError('CORRUPT_MESSAGE', flaw)
    if (!rules.isEachChecked) return refusalOfHeaderTimes(batch, rules, nowMs)
    const checked = checkedRecords(batch, unpacked(batch, rules, where), rules, nowMs)
    return refusalOfRecords(batch, checked, rules, nowMs, partition)
  } catch (error) {
    if (!(error instanceof KafkaError)) throw error
    return { error: error.code, message: `${partition}: ${error.message}` }
  }
}

/** @returns why the bytes are not one whole record batch */
function flawOf(bytes: Uint8Array): string | undefined {
  const isBatch = bytes.length >= BATCH_OVERHEAD_BYTES && magicOf(bytes) === MAGIC
  if (!isBatch || batchSizeBytes(bytes) !== bytes.length) {
    return `${bytes.length} bytes are not one record batch`
  }
  if (!crcMatches(bytes, 0, bytes.length)) return 'the CRC of the batch does not match its bytes'
  if (lastOffsetDeltaOf(bytes) < 0) return 'the batch ends before it begins'
  return undefined
}

/**
 * @returns the batch itself if it is not compressed
 * @throws {KafkaError} INVALID_RECORD, MESSAGE_TOO_LARGE, UNSUPPORTED_COMPRESSION_TYPE
 */
function unpacked(batch: Uint8Array, rules: RecordRules, where: 'writer' | 'validator') {
  const codec = codecOf(attributesOf(batch) & CODEC_MASK)
  if (codec === 'none') return batch
  const isHeavy = where === 'validator'
  const bytesMax = isHeavy ? rules.decompressedBytesMax : LIGHT_BYTES_MAX[codec]
  try {
    return decompress(codec, batch.subarray(BATCH_OVERHEAD_BYTES), bytesMax)
  } catch (error) {
    if (!(error instanceof KafkaError)) throw error
    const isLie = error.code === 'MESSAGE_TOO_LARGE' && !isHeavy
    if (error.code !== 'CORRUPT_MESSAGE' && !isLie) throw error
    throw new KafkaError('INVALID_RECORD', `records that do not decompress: ${error.message}`)
  }
}

/** @param section the batch itself, or its decompressed records */
function checkedRecords(
  batch: Uint8Array,
  section: Uint8Array,
  rules: RecordRules,
  nowMs: number,
): CheckedRecords {
  const baseTimestamp = baseTimestampOf(batch)
  const start = section === batch ? BATCH_OVERHEAD_BYTES : 0
  const bounds = {
    lastOffsetDelta: 'dense' as const,
    isKeyRequired: rules.isKeyRequired,
    timestampDeltaMin: nowMs - rules.timestampBeforeMaxMs - baseTimestamp,
    timestampDeltaMax: nowMs + rules.timestampAfterMaxMs - baseTimestamp,
    noTimestampDelta: -1 - baseTimestamp,
  }
  return check.check(section, start, section.length, recordCountOf(batch), bounds)
}

function refusalOfRecords(
  batch: Uint8Array,
  { flaw, keyless, untimely, timestampDeltaMax }: CheckedRecords,
  rules: RecordRules,
  nowMs: number,
  partition: string,
): BatchRefusal | undefined {
  const recordCount = recordCountOf(batch)
  if (flaw) return malformed(partition, flaw.recordIndex, flaw.what)
  if (lastOffsetDeltaOf(batch) !== recordCount - 1)
    return malformed(
      partition,
      recordCount - 1,
      'the last offset delta of the batch is not its own',
    )
  if (keyless.length + untimely.length > 0) {
    const earliest = nowMs - rules.timestampBeforeMaxMs
    const latest = nowMs + rules.timestampAfterMaxMs
    return unwanted(keyless, untimely, partition, `[${earliest}, ${latest}]`)
  }
  const maxTimestamp = Math.max(-1, baseTimestampOf(batch) + timestampDeltaMax)
  if (maxTimestamp !== maxTimestampOf(batch))
    stampMaxTimestamp(batch, 0, batch.length, maxTimestamp)
  return undefined
}

function malformed(partition: string, batchIndex: number, what: string): BatchRefusal {
  const message = `${partition}: record ${batchIndex} of the batch: ${what}`
  return {
    error: 'INVALID_RECORD',
    message,
    ...(batchIndex >= 0 && { recordErrors: [{ batchIndex, message }] }),
  }
}

/** Readable records that the topic refuses. Texts and precedence are Apache Kafka's. */
function unwanted(
  keyless: readonly number[],
  untimely: readonly number[],
  partition: string,
  range: string,
): BatchRefusal {
  const withoutKey = `Compacted topic cannot accept message without key in topic partition ${partition}.`
  const outOfRange = (index: number) =>
    `The timestamp of record ${index} is out of range. The timestamp should be within ${range}`
  const recordErrors = [
    ...keyless
      .slice(0, RECORD_ERRORS_MAX)
      .map((batchIndex) => ({ batchIndex, message: withoutKey })),
    ...untimely
      .slice(0, RECORD_ERRORS_MAX)
      .map((batchIndex) => ({ batchIndex, message: outOfRange(batchIndex) })),
  ].sort((a, b) => a.batchIndex - b.batchIndex)
  if (untimely.length > 0) {
    const message = `One or more records have been rejected due to invalid timestamp, ${untimely.length} in total: ${outOfRange(untimely[0]!)}`
    return { error: 'INVALID_TIMESTAMP', message, recordErrors }
  }
  const message = `One or more records have been rejected due to ${keyless.length} record errors in total: ${withoutKey}`
  return { error: 'INVALID_RECORD', message, recordErrors }
}

/** Checks the first and the largest timestamp of the header; -1: none. */
function refusalOfHeaderTimes(
  batch: Uint8Array,
  { timestampBeforeMaxMs, timestampAfterMaxMs }: RecordRules,
  nowMs: number,
): BatchRefusal | undefined {
  const latest = nowMs + timestampAfterMaxMs
  const newest = maxTimestampOf(batch)
  if (newest > latest)
    return { error: 'INVALID_TIMESTAMP', message: `timestamp ${newest} is later than ${latest}` }
  const earliest = nowMs - timestampBeforeMaxMs
  const first = baseTimestampOf(batch)
  if (first !== -1 && first < earliest)
    return { error: 'INVALID_TIMESTAMP', message: `timestamp ${first} is earlier than ${earliest}` }
  return undefined
}
