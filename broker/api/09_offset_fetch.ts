// OffsetFetch: the committed offsets of groups.
// Versions: 1-9
// Behaviour: a partition without a commit has offset -1 and no error, also in a group that does not exist; null topics mean all
// topics with commits. A request for stable offsets gets UNSTABLE_OFFSET_COMMIT while a transaction may commit one (KIP-447).
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

const GROUPS_VERSION_MIN = 8
/** Version 1 has no place for an error but the partitions. */
const ERROR_VERSION_MIN = 2

type RequestTopics = OffsetFetchRequest['topics']
type RequestTopic = NonNullable<RequestTopics>[number]
type TopicAnswer = NonNullable<OffsetFetchResponse['topics']>[number]
type GroupAnswer = NonNullable<OffsetFetchResponse['groups']>[number]
type PartitionAnswer = TopicAnswer['partitions'][number]

export function offsetFetchHandler({
  coordinator,
}: {
  readonly coordinator: GroupCoordinator
}): Handler<typeof offsetFetch> {
  const { commits } = coordinator
  const topicsOf = (
    groupId: string,
    asked: RequestTopics,
    { requireStable }: OffsetFetchRequest,
    context: RequestContext,
  ): Promise<TopicAnswer[]> => {
    const { work } = context
    const offsets = commits.of(groupId)
    const topics = asked ?? context.visible(everythingIn(offsets), 'Topic', ({ name }) => name)
    return work.each(topics, async ({ name, partitionIndexes }) => {
      const isAllowed = asked === null || context.allows('Describe', 'Topic', name)
      const partitions = await work.each(partitionIndexes, (partition) => {
        if (!isAllowed) return failed(partition, errorCode('TOPIC_AUTHORIZATION_FAILED'))
        const isUnstable = requireStable && commits.isPending(groupId, name, partition)
        return isUnstable
          ? failed(partition, errorCode('UNSTABLE_OFFSET_COMMIT'))
          : answerFor(partition, offsets.get(name, partition))
      })
      return { name, partitions }
    })
  }
  return {
    api: offsetFetch,
    async handle(request, context) {
      const { groupId, topics, groups } = request
      if (context.version < GROUPS_VERSION_MIN) {
        context.require('Describe', 'Group', groupId)
        return { topics: await topicsOf(groupId, topics, request, context) }
      }
      return {
        groups: await context.work.each(groups, async (each) =>
          context.allows('Describe', 'Group', each.groupId)
            ? {
                groupId: each.groupId,
                topics: await topicsOf(each.groupId, each.topics, request, context),
              }
            : failedGroup(each, errorCode('GROUP_AUTHORIZATION_FAILED')),
        ),
      }
    },
    refuse,
  }
}

/** What a request would name to ask for all commits of a group. */
function* everythingIn(offsets: CommittedOffsets): Iterable<RequestTopic> {
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

function failedGroup({ groupId }: { readonly groupId: string }, code: number): GroupAnswer {
  return { groupId, topics: [], errorCode: code }
}

function refuse(
  { topics, groups }: OffsetFetchRequest,
  code: number,
  { version }: RequestContext,
): OffsetFetchResponse {
  if (version >= GROUPS_VERSION_MIN)
    return { groups: groups.map((group) => failedGroup(group, code)) }
  if (version >= ERROR_VERSION_MIN) return { errorCode: code, topics: [] }
  return {
    topics: (topics ?? []).map(({ name, partitionIndexes }) => ({
      name,
      partitions: partitionIndexes.map((partition) => failed(partition, code)),
    })),
  }
}
