// The files of a partition's directory: the segments, and leftovers of work that a crash interrupted.
// Writer thread, at start. See docs/formats/recovery.md

import { join } from 'node:path'
import { syncOrDie } from '../disk-failure.ts'
import type { Fs } from '../fs.ts'
import {
  CLEANED_SUFFIX,
  DELETED_SUFFIX,
  parseSegmentFile,
  segmentFile,
  segmentSuffixes,
  type SwapRange,
  UNFINISHED_SUFFIX,
} from '../layout.ts'
import { OFFSET_ENTRY_BYTES, readOffsetEntry } from './offset-index.ts'
import { resumeSwaps, takeBackSwap } from './segment-swap.ts'
import type { SegmentStart } from '../log-facts.ts'
import { readTimeEntry, TIME_ENTRY_BYTES } from './time-index.ts'

export interface FoundSegments {
  /** Base offsets, ascending. */
  readonly bases: readonly number[]
  /** Committed compactions: their segments are in the files of `swapFile`, and their base offsets in `bases`. */
  readonly swaps: readonly SwapRange[]
}

/** Finishes or undoes work that a crash interrupted, and deletes segments before the log start. */
export function tidySegmentFiles(fs: Fs, path: string, logStartOffset: number): FoundSegments {
  const swaps = resumeSwaps(fs, path)
  for (const { name } of fs.readDirectory(path)) {
    if ([DELETED_SUFFIX, UNFINISHED_SUFFIX, CLEANED_SUFFIX].some((end) => name.endsWith(end))) {
      fs.removeFile(join(path, name))
    }
  }
  const files = fs.readDirectory(path).flatMap(({ name }) => parseSegmentFile(name) ?? [])
  const logs = files.filter(({ suffix }) => suffix === '.log')
  const bases = [...logs, ...swaps].map(({ baseOffset }) => baseOffset).sort((a, b) => a - b)
  const kept = new Set(bases.filter((_, i) => (bases[i + 1] ?? Infinity) > logStartOffset))
  const gone = files.filter(({ baseOffset }) => !kept.has(baseOffset))
  if (gone.length > 0) {
    for (const { baseOffset, suffix } of gone)
      fs.removeFile(join(path, segmentFile(baseOffset, suffix)))
    syncOrDie(path, () => fs.syncDirectory(path))
  }
  const isKept = ({ baseOffset }: SwapRange) => kept.has(baseOffset)
  for (const range of swaps) if (!isKept(range)) takeBackSwap(fs, path, range)
  return { bases: [...kept], swaps: swaps.filter(isKept) }
}

/** Durably. */
export function removeSegmentFiles(fs: Fs, path: string, baseOffset: number): void {
  for (const suffix of segmentSuffixes) {
    const file = join(path, segmentFile(baseOffset, suffix))
    if (fs.stat(file)) fs.removeFile(file)
  }
  syncOrDie(path, () => fs.syncDirectory(path))
}

/**
 * Do the index files hold the expected entries? A cheap check of sizes and last entries: readers check every entry
 * that they use.
 *
 * @returns 'long' when there are entries behind the expected ones
 */
export function indexState(fs: Fs, path: string, segment: SegmentStart): 'sound' | 'long' | 'bad' {
  const { baseOffset } = segment
  const offsetFile = join(path, segmentFile(baseOffset, '.index'))
  const timeFile = join(path, segmentFile(baseOffset, '.timeindex'))
  const extras = [
    entriesBehind(fs, offsetFile, OFFSET_ENTRY_BYTES, segment.offsetEntryCount, (entry) => {
      const { lastOffset, position } = readOffsetEntry(entry, baseOffset)
      return lastOffset >= baseOffset && position > 0 && position < segment.sizeBytes
    }),
    entriesBehind(fs, timeFile, TIME_ENTRY_BYTES, segment.timeEntryCount, (entry) => {
      return readTimeEntry(entry, baseOffset).timestamp === segment.lastTimeEntryTimestamp
    }),
  ]
  if (extras.includes(undefined)) return 'bad'
  return extras.every((bytes) => bytes === 0) ? 'sound' : 'long'
}

/** @returns bytes behind the expected entries; undefined when some of those are missing */
function entriesBehind(
  fs: Fs,
  file: string,
  entryBytes: number,
  expectedCount: number,
  isSound: (lastEntry: Uint8Array) => boolean,
): number | undefined {
  const sizeBytes = fs.stat(file)?.sizeBytes ?? -1
  const expectedBytes = expectedCount * entryBytes
  if (sizeBytes < expectedBytes) return undefined
  if (expectedCount === 0) return sizeBytes
  const fd = fs.open(file, 'read')
  try {
    const entry = Buffer.alloc(entryBytes)
    fs.read(fd, entry, expectedBytes - entryBytes)
    return isSound(entry) ? sizeBytes - expectedBytes : undefined
  } finally {
    fs.close(fd)
  }
}
