// Finds records by time: by the time index, then batch headers, then the records themselves. Network thread.
// Records may lie in any order of time; offsets before the log start and past the high watermark do not count.

import { crcMatches } from '../../protocol/batch/header.ts'
import {
  BatchWalk,
  extentsFrom,
  readFully,
  type Extent,
  type DiskSteps,
  type ReadableLog,
} from './batch-walk.ts'
import { RotFound } from './continuity.ts'
import type { LogReader } from './reader.ts'
import { searchBatch, type TimeQuestion } from '../search/batch-search.ts'
import { readTimeEntry, TIME_ENTRY_BYTES } from '../segment/time-index.ts'
import type { OffsetAndTimestamp } from '../store.ts'

/** Bytes per read over many headers. */
const WALK_BYTES = 64 * 1024
/** The walk over an uncompressed batch of this size takes well under a millisecond. */
const SEARCHED_HERE_BYTES_MAX = 64 * 1024

/** The first record, by offset, with at least this timestamp (ms). */
export function* firstRecordSince(
  reader: LogReader,
  log: ReadableLog,
  timestamp: number,
): DiskSteps<OffsetAndTimestamp | undefined> {
  for (const extent of extentsFrom(log, log.logStartOffset)) {
    if (extent.segment.maxTimestamp < timestamp) continue
    const entry = yield* timeEntryBefore(reader, log, extent, timestamp)
    const found = yield* firstRecordIn(reader, log, extent, entry?.position, timestamp)
    if (found) return found
  }
  return undefined
}

/** The first record with the largest timestamp; undefined when no record has one. */
export function* recordWithMaxTimestamp(
  reader: LogReader,
  log: ReadableLog,
): DiskSteps<OffsetAndTimestamp | undefined> {
  let max = -1
  for (const extent of extentsFrom(log, log.logStartOffset)) {
    max = Math.max(max, yield* maxTimestampIn(reader, log, extent))
  }
  return max < 0 ? undefined : yield* firstRecordSince(reader, log, max)
}

/** The largest timestamp of the batch with `offset`, or of the next batch; undefined at the end. */
export function* timestampOfBatch(
  reader: LogReader,
  log: ReadableLog,
  offset: number,
): DiskSteps<number | undefined> {
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
): DiskSteps<OffsetAndTimestamp | undefined> {
  const isCold = log.logStartOffset < log.hotOffset
  const logStart = yield* reader.locate(log, extent, log.logStartOffset)
  const start = Math.max(logStart, startPosition ?? extent.startPosition)
  const walk = new BatchWalk(reader.pool, extent, start, WALK_BYTES, isCold)
  try {
    while (yield* walk.next()) {
      if (walk.maxTimestamp < timestamp) continue
      const question = { since: timestamp, logStartOffset: log.logStartOffset }
      const found = yield* searchIn(reader, extent, walk, isCold, question)
      if (found) return found
    }
    return undefined
  } finally {
    walk.release()
  }
}

function* maxTimestampIn(reader: LogReader, log: ReadableLog, extent: Extent): DiskSteps<number> {
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
      const question = { since: undefined, logStartOffset: log.logStartOffset }
      const found = yield* searchIn(reader, extent, walk, isCold, question)
      max = Math.max(max, found?.timestamp ?? -1)
    }
    return max
  } finally {
    walk.release()
  }
}

/** Searches the batch at `walk`: here if that is quick, otherwise in another thread. */
function* searchIn(
  reader: LogReader,
  { segment }: Extent,
  { position, sizeBytes, isCompressed }: BatchWalk,
  isCold: boolean,
  question: TimeQuestion,
): DiskSteps<OffsetAndTimestamp | undefined> {
  const file = { segment, suffix: '.log' } as const
  if (isCompressed || sizeBytes > SEARCHED_HERE_BYTES_MAX) {
    let found: OffsetAndTimestamp | undefined
    const ask = async (fd: number) => {
      found = await reader.search.ask({ fd, position, sizeBytes, ...question })
    }
    yield { ...file, isCold: true, lendTo: ask }
    return found
  }
  const buffer = reader.pool.take(sizeBytes)
  try {
    const into = buffer.subarray(0, sizeBytes)
    yield* readFully({ ...file, into, position, isCold })
    if (isCold && !crcMatches(into, 0, sizeBytes))
      throw new RotFound(segment, `has a batch at ${position} that its CRC does not match`)
    return searchBatch(into, question)
  } finally {
    reader.pool.give(buffer)
  }
}

/**
 * The last entry of the time index before `timestamp`: no record up to its offset is that late. The entry is a hint,
 * and is checked against its batch.
 *
 * @returns position of that batch; undefined when there is no trustworthy entry
 */
function* timeEntryBefore(
  reader: LogReader,
  log: ReadableLog,
  extent: Extent,
  timestamp: number,
): DiskSteps<{ readonly position: number } | undefined> {
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
