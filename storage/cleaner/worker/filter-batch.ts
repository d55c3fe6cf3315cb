// Removes records from a batch: the offsets, producer, epoch, codec and bytes of the others stay as they were. Any
// thread. Format: docs/formats/record-batch.md

import {
  BATCH_OVERHEAD_BYTES,
  CODEC_MASK,
  DELETE_HORIZON_BIT,
  LOG_OVERHEAD_BYTES,
  position,
  putInt16,
  putInt32,
  putInt64,
  stampCrc,
  type BatchHeader,
} from '../../../protocol/batch/header.ts'
import { compress, decompress } from '../../../protocol/compression/index.ts'
import { pushVarint, RecordWalk } from '../../../protocol/batch/record-walk.ts'

/** A batch that decompresses to more is not read. */
const DECOMPRESSED_BYTES_MAX = 64 * 1024 * 1024

/** The records of a batch, decompressed. */
export interface Section {
  readonly bytes: Uint8Array
  readonly start: number
  readonly end: number
}

/** @param bytes the whole batch. @throws {KafkaError} when it is damaged, or decompresses to too much */
export function sectionOf(bytes: Uint8Array, header: BatchHeader): Section {
  if (header.codec === 'none')
    return { bytes, start: BATCH_OVERHEAD_BYTES, end: BATCH_OVERHEAD_BYTES + recordBytes(header) }
  const packed = bytes.subarray(BATCH_OVERHEAD_BYTES, header.sizeBytes)
  const section =
    header.recordCount === 0 ? packed : decompress(header.codec, packed, DECOMPRESSED_BYTES_MAX)
  return { bytes: section, start: 0, end: section.length }
}

function recordBytes({ sizeBytes }: BatchHeader): number {
  return sizeBytes - BATCH_OVERHEAD_BYTES
}

export interface Filter {
  readonly walk: RecordWalk
  /** Does the record at `walk` stay? */
  readonly keeps: (header: BatchHeader, section: Section) => boolean
  /** When tombstones and markers of this batch may go: ms since the epoch. */
  readonly newHorizonMs: number
}

/**
 * @param bytes the whole batch, borrowed
 * @returns 'all' when it stays as it is, 'none' when no record stays; else the new batch, given
 * @throws {KafkaError} when the records cannot be read
 */
export function filterBatch(
  bytes: Uint8Array,
  header: BatchHeader,
  filter: Filter,
): 'all' | 'none' | Uint8Array {
  const { walk } = filter
  const section = sectionOf(bytes, header)
  walk.reset(section.bytes, section.start, section.end, header.recordCount)
  /** Start and end of each run of records that stay. */
  const runs: number[] = []
  let keptCount = 0
  let maxTimestamp = -1
  let hasTombstone = false
  while (walk.next()) {
    if (!filter.keeps(header, section)) continue
    keptCount++
    hasTombstone ||= !walk.hasValue
    maxTimestamp = Math.max(maxTimestamp, header.baseTimestamp + walk.timestampDelta)
    if (runs.at(-1) === walk.start) runs[runs.length - 1] = walk.end
    else runs.push(walk.start, walk.end)
  }
  if (keptCount === 0) return 'none'
  const setsHorizon = hasTombstone && !hasHorizon(header)
  if (keptCount === header.recordCount && !setsHorizon) return 'all'
  const isAppendTime = header.timestampType === 'LogAppendTime'
  const kept = { ...header, recordCount: keptCount }
  if (!isAppendTime) kept.maxTimestamp = maxTimestamp
  const records = piecesOf(section.bytes, runs)
  if (!setsHorizon) return batchFrom(bytes, kept, records)
  kept.attributes |= DELETE_HORIZON_BIT
  kept.baseTimestamp = filter.newHorizonMs
  const shiftMs = header.baseTimestamp - filter.newHorizonMs
  return batchFrom(bytes, kept, isAppendTime ? records : shifted(walk, records, keptCount, shiftMs))
}

export function hasHorizon({ attributes }: BatchHeader): boolean {
  return (attributes & DELETE_HORIZON_BIT) !== 0
}

/** The header alone: it keeps a producer's sequence, or the end of the log, when no record stays. @returns given */
export function emptied(bytes: Uint8Array, header: BatchHeader): Uint8Array {
  const attributes = header.attributes & ~(CODEC_MASK | DELETE_HORIZON_BIT)
  const empty = { ...header, codec: 'none' as const, attributes, recordCount: 0, baseTimestamp: -1 }
  return batchFrom(bytes, empty, new Uint8Array(0))
}

/** The batch with its delete horizon, for a marker: readers use no record timestamp of it. @returns given */
export function withHorizon(bytes: Uint8Array, header: BatchHeader, horizonMs: number): Uint8Array {
  const shiftMs = header.baseTimestamp - horizonMs
  const attributes = header.attributes | DELETE_HORIZON_BIT
  const section = bytes.subarray(BATCH_OVERHEAD_BYTES, header.sizeBytes)
  const records = shifted(new RecordWalk(), section, header.recordCount, shiftMs)
  return batchFrom(bytes, { ...header, attributes, baseTimestamp: horizonMs }, records)
}

function piecesOf(bytes: Uint8Array, runs: readonly number[]): Uint8Array {
  if (runs.length === 2) return bytes.subarray(runs[0], runs[1])
  const pieces: Uint8Array[] = []
  for (let i = 0; i < runs.length; i += 2) pieces.push(bytes.subarray(runs[i], runs[i + 1]))
  return Buffer.concat(pieces)
}

/** The records with timestamp deltas from another base. */
function shifted(
  walk: RecordWalk,
  records: Uint8Array,
  recordCount: number,
  shiftMs: number,
): Uint8Array {
  const pieces: Uint8Array[] = []
  walk.reset(records, 0, records.length, recordCount)
  while (walk.next()) {
    const delta: number[] = []
    pushVarint(delta, walk.timestampDelta + shiftMs)
    const rest = records.subarray(walk.timestampEnd, walk.end)
    const head: number[] = []
    pushVarint(head, 1 + delta.length + rest.length)
    head.push(records[walk.timestampAt - 1]!)
    pieces.push(Uint8Array.of(...head, ...delta), rest)
  }
  return Buffer.concat(pieces)
}

/** @param original provides the fields that `header` does not have */
function batchFrom(original: Uint8Array, header: BatchHeader, records: Uint8Array): Uint8Array {
  const section = compress(header.codec, records)
  const bytes = Buffer.allocUnsafe(BATCH_OVERHEAD_BYTES + section.length)
  bytes.set(original.subarray(0, BATCH_OVERHEAD_BYTES))
  bytes.set(section, BATCH_OVERHEAD_BYTES)
  putInt32(bytes, position.batchLength, bytes.length - LOG_OVERHEAD_BYTES)
  putInt16(bytes, position.attributes, header.attributes)
  putInt64(bytes, position.baseTimestamp, header.baseTimestamp)
  putInt64(bytes, position.maxTimestamp, header.maxTimestamp)
  putInt32(bytes, position.recordCount, header.recordCount)
  stampCrc(bytes, 0, bytes.length)
  return bytes
}
