// Finds records by their time: time index, then batch headers, then the records themselves. Network thread.
// Records may lie in any order of time; offsets before the log start and past the high watermark do not count.

import { readBatchHeader } from '../protocol/batch/header.ts'
import { recordsOf, type RecordView } from '../protocol/batch/record.ts'
import { KafkaError } from '../protocol/errors.ts'
import { Offset } from '../protocol/ids.ts'
import {
  BatchWalk,
  extentsFrom,
  readFully,
  type Extent,
  type Reading,
  type ReadableLog,
} from './batch-walk.ts'
import type { LogReader } from './reader.ts'
import { readTimeEntry, TIME_ENTRY_BYTES } from './segment/time-index.ts'
import type { OffsetAndTimestamp } from './store.ts'

/** Read at a time to look at many headers. */
const WALK_BYTES = 64 * 1024
/** A batch that inflates to more is answered for as a whole: by its base offset. */
const DECOMPRESSED_BYTES_MAX = 64 * 1024 * 1024

/** The first record, in order of offset, with a timestamp of at least `timestamp` (ms). */
export function* firstRecordSince(
  reader: LogReader,
  log: ReadableLog,
  timestamp: number,
): Reading<OffsetAndTimestamp | undefined> {
  for (const extent of extentsFrom(log, log.logStartOffset)) {
    if (extent.segment.maxTimestamp < timestamp) continue
    const entry = yield* timeEntryBefore(reader, log, extent, timestamp)
    const found = yield* firstRecordIn(reader, log, extent, entry?.position, timestamp)
    if (found) return found
  }
  return undefined
}

/** The first record that has the largest timestamp; undefined when no record has one. */
export function* recordWithMaxTimestamp(
  reader: LogReader,
  log: ReadableLog,
): Reading<OffsetAndTimestamp | undefined> {
  let max = -1
  for (const extent of extentsFrom(log, log.logStartOffset)) {
    max = Math.max(max, yield* maxTimestampIn(reader, log, extent))
  }
  return max < 0 ? undefined : yield* firstRecordSince(reader, log, max)
}

/** The largest timestamp of the batch that holds `offset`, or of the next one there is; undefined at the end. */
export function* timestampOfBatch(
  reader: LogReader,
  log: ReadableLog,
  offset: number,
): Reading<number | undefined> {
  for (const extent of extentsFrom(log, offset)) {
    const position = yield* reader.locate(log, extent, offset)
    const batch = yield* reader.batchAt(extent, position, offset < log.hotOffset)
    if (batch) return batch.maxTimestamp
  }
  return undefined
}

function* firstRecordIn(
  reader: LogReader,
  log: ReadableLog,
  extent: Extent,
  startPosition: number | undefined,
  timestamp: number,
): Reading<OffsetAndTimestamp | undefined> {
  const isCold = log.logStartOffset < log.hotOffset
  const logStart = yield* reader.locate(log, extent, log.logStartOffset)
  const start = Math.max(logStart, startPosition ?? extent.startPosition)
  const walk = new BatchWalk(reader.pool, extent, start, WALK_BYTES, isCold)
  try {
    while (yield* walk.next()) {
      if (walk.maxTimestamp < timestamp) continue
      const isWanted = (record: RecordView) =>
        record.timestamp >= timestamp && record.offset >= log.logStartOffset
      const found = yield* findRecord(reader, extent, walk, isCold, isWanted)
      if (found) return found
    }
    return undefined
  } finally {
    walk.release()
  }
}

function* maxTimestampIn(reader: LogReader, log: ReadableLog, extent: Extent): Reading<number> {
  const { segment } = extent
  const isTrimmed = log.logStartOffset > extent.startOffset
  if (!isTrimmed && segment.maxTimestamp < Infinity) return segment.maxTimestamp
  const isCold = log.logStartOffset < log.hotOffset
  const entry = isTrimmed ? undefined : yield* timeEntryBefore(reader, log, extent, Infinity)
  const start = entry?.position ?? (yield* reader.locate(log, extent, log.logStartOffset))
  let max = -1
  const walk = new BatchWalk(reader.pool, extent, start, WALK_BYTES, isCold)
  try {
    while (yield* walk.next()) {
      if (walk.maxTimestamp <= max) continue
      if (walk.baseOffset >= log.logStartOffset) {
        max = walk.maxTimestamp
        continue
      }
      const isWanted = (record: RecordView) => {
        if (record.offset >= log.logStartOffset) max = Math.max(max, record.timestamp)
        return false
      }
      yield* findRecord(reader, extent, walk, isCold, isWanted)
    }
    return max
  } finally {
    walk.release()
  }
}

/** Looks inside the batch at which `walk` stands. */
function* findRecord(
  reader: LogReader,
  extent: Extent,
  walk: BatchWalk,
  isCold: boolean,
  isWanted: (record: RecordView) => boolean,
): Reading<OffsetAndTimestamp | undefined> {
  const { position, sizeBytes, baseOffset, maxTimestamp } = walk
  const buffer = reader.pool.take(sizeBytes)
  try {
    const into = buffer.subarray(0, sizeBytes)
    yield* readFully({ segment: extent.segment, suffix: '.log', into, position, isCold })
    const records = recordsOf(into, 0, readBatchHeader(into), {
      decompressedBytesMax: DECOMPRESSED_BYTES_MAX,
    })
    for (const record of records) {
      if (isWanted(record)) return { offset: Offset(record.offset), timestamp: record.timestamp }
    }
    return undefined
  } catch (error) {
    if (!(error instanceof KafkaError && error.code === 'MESSAGE_TOO_LARGE')) throw error
    return { offset: Offset(baseOffset), timestamp: maxTimestamp }
  } finally {
    reader.pool.give(buffer)
  }
}

/**
 * The last entry of the time index before `timestamp`: no record up to its offset is that late. An entry is a hint,
 * checked against the batch that it points at.
 *
 * @returns position of that batch; undefined when there is no entry that can be believed
 */
function* timeEntryBefore(
  reader: LogReader,
  log: ReadableLog,
  extent: Extent,
  timestamp: number,
): Reading<{ readonly position: number } | undefined> {
  const isCold = log.logStartOffset < log.hotOffset
  const { segment } = extent
  const index = { segment, suffix: '.timeindex', entryBytes: TIME_ENTRY_BYTES, isCold } as const
  const parse = (bytes: Buffer) => readTimeEntry(bytes, extent.segment.baseOffset)
  const bytes = yield* reader.lastEntry(index, (entry) => parse(entry).timestamp < timestamp)
  if (!bytes) return undefined
  const entry = parse(bytes)
  if (entry.offset < extent.startOffset || entry.offset >= extent.endOffset) return undefined
  const position = yield* reader.locate(log, extent, entry.offset)
  const batch = yield* reader.batchAt(extent, position, isCold)
  return batch?.maxTimestamp === entry.timestamp ? { position } : undefined
}
