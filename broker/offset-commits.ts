// What OffsetCommit and TxnOffsetCommit have in common: partitions are refused one by one, the rest has one outcome.

import { errorCode, type ErrorName } from '../protocol/errors.ts'
import type { Clock } from '../storage/clock.ts'
import type { Store } from '../storage/store.ts'
import type { BrokerConfig } from './config.ts'
import type { PartitionOffset } from './group/offsets.ts'

export interface OffsetCommitsDeps {
  readonly store: Store
  readonly config: BrokerConfig
  readonly clock: Clock
}

interface PartitionCommit {
  readonly partitionIndex: number
  readonly committedOffset: number
  readonly committedLeaderEpoch: number
  readonly committedMetadata: string | null
}

interface TopicCommit {
  readonly name: string
  readonly partitions: readonly PartitionCommit[]
}

interface Commits {
  /** Those that are not refused by themselves. */
  readonly offsets: readonly PartitionOffset[]
  /** @param error what became of `offsets` */
  answer(error: ErrorName | undefined): ReturnType<typeof answerAll>
}

/** @param retentionMs null: the broker's */
export function commitsOf(
  deps: OffsetCommitsDeps,
  topics: readonly TopicCommit[],
  retentionMs: number | null,
): Commits {
  const committedMs = deps.clock.now()
  const expiresMs = retentionMs === null ? null : committedMs + retentionMs
  const refusals = topics.map(({ name, partitions }) =>
    partitions.map((partition) => refusalOf(deps, name, partition)),
  )
  const offsets = topics.flatMap(({ name, partitions }, i) =>
    partitions
      .filter((_, j) => refusals[i]![j] === undefined)
      .map(({ partitionIndex, committedOffset, committedLeaderEpoch, committedMetadata }) => ({
        topic: name,
        partition: partitionIndex,
        committed: {
          offset: committedOffset,
          leaderEpoch: committedLeaderEpoch,
          metadata: committedMetadata ?? '',
          committedMs,
          expiresMs,
        },
      })),
  )
  return {
    offsets,
    answer: (error) => answerAll(topics, (i, j) => errorCode(refusals[i]![j] ?? error)),
  }
}

function refusalOf(
  { store, config }: OffsetCommitsDeps,
  topic: string,
  { partitionIndex, committedMetadata }: PartitionCommit,
): ErrorName | undefined {
  if (store.log(topic, partitionIndex) === undefined) return 'UNKNOWN_TOPIC_OR_PARTITION'
  const metadataBytes = Buffer.byteLength(committedMetadata ?? '')
  return metadataBytes > config['offset.metadata.max.bytes']
    ? 'OFFSET_METADATA_TOO_LARGE'
    : undefined
}

/** @param codeOf by the index of the topic and that of the partition in it */
export function answerAll(
  topics: readonly TopicCommit[],
  codeOf: (topic: number, partition: number) => number,
) {
  return {
    topics: topics.map(({ name, partitions }, i) => ({
      name,
      partitions: partitions.map(({ partitionIndex }, j) => ({
        partitionIndex,
        errorCode: codeOf(i, j),
      })),
    })),
  }
}
