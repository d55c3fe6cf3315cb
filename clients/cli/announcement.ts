// Announcement: the partitions and offsets that `tail` is about to read, for stderr. Pure.

import type { TopicPartition } from '../topic.ts'

/** A partition to read. */
export interface Span extends TopicPartition {
  readonly from: number
  /** Exclusive; undefined: no end. */
  readonly until?: number
}

const SPANS_TOLD_MAX = 12

/** `orders: partition 0 from 42, 1 from 17 to 20`, a line for each topic. */
export function announcement(spans: readonly Span[]): string {
  const names = [...new Set(spans.map(({ topic }) => topic))]
  return names
    .map((name) => `${name}: ${places(spans.filter(({ topic }) => topic === name))}`)
    .join('\n')
}

function places(spans: readonly Span[]): string {
  const told = spans.slice(0, SPANS_TOLD_MAX).map(({ partition, from, until }) => {
    return `${partition} from ${from}${until === undefined ? '' : ` to ${until}`}`
  })
  const untold = spans.length - told.length
  return `partition ${told.join(', ')}${untold === 0 ? '' : ` and ${untold} more`}`
}
