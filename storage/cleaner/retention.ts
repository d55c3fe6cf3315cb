// Retention: which of a log's oldest segments exceed the limits of age or of the partition's size.
// Network thread. Semantics, Kafka's except for wrong clocks: docs/formats/cleaning.md

/** -1 for no limit. */
export interface RetentionLimits {
  readonly retentionMs: number
  readonly retentionBytes: number
}

/**
 * When a segment was last written, by its records and by its file; ms since the epoch, -1 when no record has a time.
 */
export interface SegmentTimes {
  readonly maxTimestamp: number
  readonly modifiedMs: number
}

/** How many of the oldest segments must go to keep the partition within its size. */
export function countOverSize(
  sizes: readonly number[],
  { retentionBytes }: RetentionLimits,
): number {
  if (retentionBytes < 0) return 0
  let excessBytes = sizes.reduce((sum, size) => sum + size, 0) - retentionBytes
  let count = 0
  for (const size of sizes) {
    excessBytes -= size
    if (excessBytes < 0) break
    count++
  }
  return count
}

/** How many of the oldest segments are too old. @param timesOf called only for segments that decide this */
export function countOverAge(
  segmentCount: number,
  timesOf: (index: number) => SegmentTimes,
  nowMs: number,
  { retentionMs }: RetentionLimits,
): number {
  if (retentionMs < 0) return 0
  let count = 0
  while (count < segmentCount) {
    const writtenMs = writtenAt(count, segmentCount, timesOf, nowMs)
    if (nowMs - writtenMs <= retentionMs) break
    count++
  }
  return count
}

/**
 * A time in the future is wrong, whatever its source, and would keep a segment for ever. Then the file's time counts,
 * or that of the first later file which is not in the future either.
 */
function writtenAt(
  index: number,
  segmentCount: number,
  timesOf: (index: number) => SegmentTimes,
  nowMs: number,
): number {
  const { maxTimestamp } = timesOf(index)
  if (maxTimestamp >= 0 && maxTimestamp <= nowMs) return maxTimestamp
  for (let i = index; i < segmentCount; i++) {
    const { modifiedMs } = timesOf(i)
    if (modifiedMs <= nowMs) return modifiedMs
  }
  return nowMs
}
