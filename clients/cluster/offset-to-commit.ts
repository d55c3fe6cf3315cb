// OffsetToCommit: where a group is to stand in a partition, and how OffsetCommit and TxnOffsetCommit write it. Pure.

import type { TopicPartition } from '../topic.ts'

export interface OffsetToCommit extends TopicPartition {
  /** Of the next record to read. */
  readonly offset: number
  /** Kept beside it, for whoever looks: at most `offset.metadata.max.bytes` (4,096) of the broker. */
  readonly metadata?: string | undefined
}

/** As OffsetCommit writes it. */
export function commitOf({ partition, offset, metadata = '' }: OffsetToCommit) {
  return { partitionIndex: partition, committedOffset: offset, committedMetadata: metadata }
}
