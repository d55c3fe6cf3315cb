// Which part of a log can be compacted, and whether that pays. Network thread; pure.
// Semantics, Kafka's: docs/formats/cleaning.md

import type { SegmentView } from '../read/batch-walk.ts'
import type { TopicConfig } from '../config.ts'
import type { Quarantined } from '../log-facts.ts'
import type { SourceSegment } from './worker/compactor.ts'

export interface CompactedLog {
  readonly segments: readonly SegmentView[]
  readonly quarantined: readonly Quarantined[]
  readonly firstDirtyOffset: number
  readonly sparseEndOffset: number
  readonly logStartOffset: number
  readonly lastStableOffset: number
}

export interface Dirtiness {
  /** The segments that have been compacted and those that have not, without segments that hold rot. */
  readonly clean: readonly SourceSegment[]
  readonly dirty: readonly SourceSegment[]
  /** The share of the dirty bytes, from 0 to 1. */
  readonly ratio: number
}

/**
 * The part that may be compacted now: never the active segment, nor records that are too young or that a transaction
 * may still abort.
 */
export function dirtinessOf(log: CompactedLog, config: TopicConfig, nowMs: number): Dirtiness {
  const minLagMs = config['min.compaction.lag.ms']
  const firstDirty = Math.max(log.firstDirtyOffset, log.logStartOffset)
  // An unreadable marker might be the end of an aborted transaction.
  const hasAborts = log.segments.some(({ abortedCount }) => abortedCount > 0)
  const clean: SourceSegment[] = []
  const dirty: SourceSegment[] = []
  for (const [i, segment] of log.segments.entries()) {
    const endOffset = log.segments[i + 1]?.baseOffset
    if (endOffset === undefined || endOffset > log.lastStableOffset) break
    if (segment.maxTimestamp === Infinity) break
    const isDirty = endOffset > firstDirty
    if (isDirty && minLagMs > 0 && segment.maxTimestamp > nowMs - minLagMs) break
    if (isRotten(log, segment.baseOffset, endOffset)) {
      if (hasAborts) break
      continue
    }
    const { baseOffset, endPosition: sizeBytes, abortedCount } = segment
    const isSparse = baseOffset < log.sparseEndOffset
    const source = { baseOffset, endOffset, sizeBytes, abortedCount, isSparse }
    if (isDirty) dirty.push(source)
    else clean.push(source)
  }
  const dirtyBytes = bytesOf(dirty)
  const allBytes = bytesOf(clean) + dirtyBytes
  return { clean, dirty, ratio: allBytes === 0 ? 0 : dirtyBytes / allBytes }
}

function isRotten({ quarantined }: CompactedLog, baseOffset: number, endOffset: number): boolean {
  return quarantined.some((rot) => rot.startOffset < endOffset && rot.endOffset > baseOffset)
}

function bytesOf(segments: readonly SourceSegment[]): number {
  return segments.reduce((bytes, segment) => bytes + segment.sizeBytes, 0)
}
