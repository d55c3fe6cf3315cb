// OffsetFetch: what groups have committed.
// Versions: 1-9
// Behaviour: nothing committed is offset -1 and no error, in a group that does not exist too; null topics are all that
// have commits. Who requires stable offsets is told to wait for those that an open transaction may commit (KIP-447).
// Not done: the member id and epoch of version 9 belong to the new group protocol and are not looked at.

import {
  offsetFetch,
  type OffsetFetchRequest,
  type OffsetFetchResponse,
} from '../../protocol/api/09_offset_fetch.ts'
import { errorCode } from '../../protocol/errors.ts'
import type { GroupCoordinator } from '../group/coordinator.ts'
import type { CommittedOffset, CommittedOffsets } from '../group/committed-offsets.ts'
import type { Handler, RequestContext } from '../handler.ts'
import type { Work } from '../net/work.ts'

const GROUPS_VERSION_MIN = 8

type AskedTopics = OffsetFetchRequest['topics']
type AskedTopic = NonNullable<AskedTopics>[number]
type TopicAnswer = NonNullable<OffsetFetchResponse['topics']>[number]
type PartitionAnswer = TopicAnswer['partitions'][number]

export function offsetFetchHandler({
  coordinator,
}: {
  readonly coordinator: GroupCoordinator
}): Handler<typeof offsetFetch> {
  const topicsOf = (
    groupId: string,
    asked: AskedTopics,
    { requireStable }: OffsetFetchRequest,
    work: Work,
  ): Promise<TopicAnswer[]> => {
    const offsets = coordinator.commits.of(groupId)
    return work.each(asked ?? everythingIn(offsets), async ({ name, partitionIndexes }) => ({
      name,
      partitions: await work.each(partitionIndexes, (partition) => {
        const isUnstable = requireStable && coordinator.commits.isPending(groupId, name, partition)
        return isUnstable
          ? failed(partition, errorCode('UNSTABLE_OFFSET_COMMIT'))
          : answerFor(partition, offsets.get(name, partition))
      }),
    }))
  }
  return {
    api: offsetFetch,
    async handle(request, { version, work }) {
      const { groupId, topics, groups } = request
      if (version < GROUPS_VERSION_MIN)
        return { topics: await topicsOf(groupId, topics, request, work) }
      return {
        groups: await work.each(groups, async (each) => ({
          groupId: each.groupId,
          topics: await topicsOf(each.groupId, each.topics, request, work),
        })),
      }
    },
    refuse,
  }
}

/** The question that asks for all that a group has committed. */
function* everythingIn(offsets: CommittedOffsets): Iterable<AskedTopic> {
  for (const [name, partitions] of offsets.partitionsByTopic())
    yield { name, partitionIndexes: [...partitions] }
}

function answerFor(
  partitionIndex: number,
  committed: CommittedOffset | undefined,
): PartitionAnswer {
  return {
    partitionIndex,
    committedOffset: committed?.offset ?? -1,
    committedLeaderEpoch: committed?.leaderEpoch ?? -1,
    metadata: committed?.metadata ?? '',
    errorCode: 0,
  }
}

function failed(partitionIndex: number, code: number): PartitionAnswer {
  return { ...answerFor(partitionIndex, undefined), errorCode: code }
}

/** Version 1 has no place for an error but the partitions. */
function refuse(
  { topics, groups }: OffsetFetchRequest,
  code: number,
  { version }: RequestContext,
): OffsetFetchResponse {
  if (version >= GROUPS_VERSION_MIN) {
    return {
      groups: groups.map(({ groupId }) => ({ groupId, topics: [], errorCode: code })),
    }
  }
  return {
    errorCode: code,
    topics: (topics ?? []).map(({ name, partitionIndexes }) => ({
      name,
      partitions: partitionIndexes.map((partition) => failed(partition, code)),
    })),
  }
}
