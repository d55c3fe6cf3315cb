// OffsetToCommit: a group's offset in a partition, and its form in OffsetCommit and TxnOffsetCommit. Pure.

import type { TopicPartition } from '../topic.ts'

export interface OffsetToCommit extends TopicPartition {
  /** Of the next record to read. */
  readonly offset: number
  /** A string stored with the offset: at most `offset.metadata.max.bytes` (4,096) of the broker. */
  readonly metadata?: string | undefined
}

/** Its form in OffsetCommit. */
export function commitOf({ partition, offset, metadata = '' }: OffsetToCommit) {
  return { partitionIndex: partition, committedOffset: offset, committedMetadata: metadata }
}
