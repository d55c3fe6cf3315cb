// Searches an index file of a segment, without reading much of it. Network thread. Format: docs/formats/indexes.md

import { readFully, type DiskSteps, type FileOf } from './batch-walk.ts'

/** The search reads the last entries at once when there are no more than this. */
const ENTRIES_A_READ = 512

export interface IndexFile extends FileOf {
  readonly entryBytes: number
  /** Probably not in the page cache. */
  readonly isCold: boolean
}

/**
 * @param isBefore true up to some entry, false after it
 * @returns the last entry for which it is true; undefined: none
 */
export function* lastEntryIn(
  index: IndexFile,
  sizeBytes: number,
  isBefore: (entry: Buffer) => boolean,
): DiskSteps<Buffer | undefined> {
  const { entryBytes } = index
  const block = Buffer.allocUnsafe(entryBytes * ENTRIES_A_READ)
  const entryAt = (i: number) => block.subarray(i * entryBytes, (i + 1) * entryBytes)
  let low = 0
  let high = Math.floor(sizeBytes / entryBytes)
  while (high - low > ENTRIES_A_READ) {
    const middle = (low + high) >>> 1
    yield* readFully({ ...index, into: entryAt(0), position: middle * entryBytes })
    if (isBefore(entryAt(0))) low = middle
    else high = middle
  }
  const into = block.subarray(0, (high - low) * entryBytes)
  yield* readFully({ ...index, into, position: low * entryBytes })
  let beforeCount = 0
  for (let afterFrom = high - low; beforeCount < afterFrom;) {
    const middle = (beforeCount + afterFrom) >>> 1
    if (isBefore(entryAt(middle))) beforeCount = middle + 1
    else afterFrom = middle
  }
  return beforeCount === 0 ? undefined : entryAt(beforeCount - 1)
}
