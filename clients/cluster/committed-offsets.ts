// Committed offsets: how a group's coordinator is asked for them, and what it answers. For members and administrators.

import type { offsetFetch } from '../../protocol/api/09_offset_fetch.ts'
import type { RequestInput, ResponseOf } from '../../protocol/schema.ts'
import { partitionText, type TopicPartition } from '../topic.ts'
import { byTopic } from './leaders.ts'

export interface Committed extends TopicPartition {
  /** Of the next record to read. */
  readonly offset: number
  readonly metadata: string
}

/**
 * @param partitions null: all that the group has committed; offsets that an open transaction may change are then told as
 *   they were before it (KIP-447)
 */
export function committedRequest(
  groupId: string,
  partitions: readonly TopicPartition[] | null,
): RequestInput<typeof offsetFetch> {
  const topics =
    partitions &&
    byTopic(partitions, ({ partition }) => partition).map((each) => ({
      name: each.name,
      partitionIndexes: each.partitions,
    }))
  return { groupId, topics, groups: [{ groupId, topics }], requireStable: partitions !== null }
}

/**
 * @param check throws for an error code
 * @returns without partitions that have no commit
 */
export function committedIn(
  groupId: string,
  answer: ResponseOf<typeof offsetFetch>,
  check: (errorCode: number, what: string) => void,
): Committed[] {
  const { errorCode, topics } = answer.groups[0] ?? answer
  check(errorCode, `committed offsets of group ${groupId}`)
  const committed = topics.flatMap(({ name: topic, partitions }) =>
    partitions.map((each): Committed => {
      const { partitionIndex: partition, committedOffset: offset, metadata } = each
      const where = partitionText({ topic, partition })
      check(each.errorCode, `group ${groupId}: committed offset of ${where}`)
      return { topic, partition, offset, metadata: metadata ?? '' }
    }),
  )
  return committed.filter(({ offset }) => offset >= 0)
}
