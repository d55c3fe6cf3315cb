// Offsets by time or by end of the log: ListOffsets, sent to each partition's leader.

import { listOffsets } from '../../protocol/api/02_list_offsets.ts'
import { errorName, KafkaError } from '../../protocol/errors.ts'
import type { Call } from '../call.ts'
import type { Cluster } from './cluster.ts'
import { askLeaders, byTopic, type Outcome } from './leaders.ts'
import { oneOf, type Rule } from '../options.ts'
import { partitionText, type TopicPartition } from '../topic.ts'

/** ListOffsets' special timestamps. */
export const LATEST = -1
export const EARLIEST = -2
export const MAX_TIMESTAMP = -3

/** Which records a reader sees: committed ones and those outside transactions, or all. */
export type Isolation = 'committed' | 'uncommitted'
export const isolation: Rule<Isolation> = oneOf('committed', 'uncommitted')

/** The numbers of Fetch and ListOffsets. */
export const isolationLevels = { uncommitted: 0, committed: 1 } as const

export interface OffsetQuestion extends TopicPartition {
  /** ms since the epoch, or one of the constants above. */
  readonly timestamp: number
}

export interface PartitionOffset extends TopicPartition {
  /** -1: no such record. */
  readonly offset: number
  /** The record's timestamp, ms; -1 for an end of the log. */
  readonly timestamp: number
  readonly leaderEpoch: number
}

/**
 * @param questions at most one for each partition
 * @param seen with `committed` the end of the log is before the first open transaction
 * @returns one offset or error for each question, in that order
 */
export async function askOffsets(
  cluster: Cluster,
  questions: readonly OffsetQuestion[],
  call: Call,
  seen: Isolation = 'uncommitted',
): Promise<(PartitionOffset | KafkaError)[]> {
  const isolationLevel = isolationLevels[seen]
  return await askLeaders(cluster, questions, call, async (leader, group) => {
    const topics = byTopic(group, ({ partition, timestamp }) => ({
      partitionIndex: partition,
      timestamp,
    }))
    const answer = await cluster.ask(listOffsets, { isolationLevel, topics }, leader, call)
    return answer.topics.flatMap(({ name, partitions }) =>
      partitions.map((each): Outcome<PartitionOffset> => {
        const where = { topic: name, partition: each.partitionIndex }
        const error = errorName(each.errorCode)
        if (error !== undefined) return [where, new KafkaError(error, partitionText(where))]
        const { offset, timestamp, leaderEpoch } = each
        return [where, { ...where, offset, timestamp, leaderEpoch }]
      }),
    )
  })
}
