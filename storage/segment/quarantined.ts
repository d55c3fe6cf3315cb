// The unreadable ranges of a log, ascending. Any thread. See docs/formats/recovery.md

import { basename, join } from 'node:path'
import { segmentFile } from '../layout.ts'
import type { Quarantined, SegmentStart } from '../log-facts.ts'

/** @returns all of them; of two that start at the same offset the added one, which is newer */
export function withQuarantined(
  known: readonly Quarantined[],
  added: readonly Quarantined[],
): Quarantined[] {
  const starts = new Set(added.map(({ startOffset }) => startOffset))
  return [...known.filter(({ startOffset }) => !starts.has(startOffset)), ...added].sort(
    (a, b) => a.startOffset - b.startOffset,
  )
}

/** Can the range lie in this segment? */
export function isWithin(rot: Quarantined, segment: SegmentStart): boolean {
  return (
    rot.segmentBaseOffset === segment.baseOffset &&
    rot.startOffset >= segment.baseOffset &&
    rot.endOffset <= segment.endOffset &&
    rot.endPosition <= segment.sizeBytes
  )
}

/** Describes a range to an operator. @param path of the partition's directory */
export function describeRot(path: string, rot: Quarantined): string {
  const { startOffset, endOffset, startPosition, endPosition } = rot
  const file = join(path, segmentFile(rot.segmentBaseOffset, '.log'))
  const bytes =
    endPosition > startPosition
      ? `bytes ${startPosition} to ${endPosition} of ${file} are not what was written`
      : `their bytes are gone from ${file}`
  return (
    `${basename(path)}: offsets ${startOffset} to ${endOffset - 1} cannot be read: ${bytes}. ` +
    'Consumers hear CORRUPT_MESSAGE there; see docs/guide/damage.md'
  )
}
