// Retention: which of the oldest segments of a log have had their time, by age or by the size of the partition.
// Network thread. Semantics, Kafka's but for clocks that are wrong: docs/formats/cleaning.md

/** -1 for no limit. */
export interface RetentionLimits {
  readonly retentionMs: number
  readonly retentionBytes: number
}

/** When a segment was last written to, as its records and its file say; ms since the epoch, -1 when a record has no time. */
export interface SegmentTimes {
  readonly maxTimestamp: number
  readonly modifiedMs: number
}

/** How many of the oldest segments must go for the partition not to be larger than it may be. */
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

/** How many of the oldest segments are too old. @param timesOf asked only for what matters */
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
 * A time in the future is wrong, whoever wrote it, and would keep a segment for ever: then it is as old as its file says, or the
 * file of the first later segment that was not written in the future, too.
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
