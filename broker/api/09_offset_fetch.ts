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
import type { CommittedOffset, GroupOffsets } from '../group/offsets.ts'
import type { Handler, RequestContext } from '../net/handler.ts'

const GROUPS_VERSION_MIN = 8

type AskedTopics = OffsetFetchRequest['topics']
type TopicAnswer = NonNullable<OffsetFetchResponse['topics']>[number]
type PartitionAnswer = TopicAnswer['partitions'][number]

export function offsetFetchHandler({
  coordinator,
}: {
  readonly coordinator: GroupCoordinator
}): Handler<typeof offsetFetch> {
  const topicsOf = (groupId: string, asked: AskedTopics, requireStable: boolean): TopicAnswer[] => {
    const offsets = coordinator.offsetsOf(groupId)
    const answers = asked === null ? everything(offsets) : askedFor(offsets, asked)
    if (!requireStable) return answers
    return answers.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map((answer) =>
        coordinator.isPending(groupId, name, answer.partitionIndex) ? unstable(answer) : answer,
      ),
    }))
  }
  return {
    api: offsetFetch,
    handle({ groupId, topics, groups, requireStable }, { version }) {
      if (version < GROUPS_VERSION_MIN) return { topics: topicsOf(groupId, topics, requireStable) }
      return {
        groups: groups.map((each) => ({
          groupId: each.groupId,
          topics: topicsOf(each.groupId, each.topics, requireStable),
        })),
      }
    },
    refuse,
  }
}

function everything(offsets: GroupOffsets | undefined): TopicAnswer[] {
  const partitionsByTopic = new Map<string, PartitionAnswer[]>()
  for (const { topic, partition, committed } of offsets?.list() ?? []) {
    const partitions = partitionsByTopic.get(topic) ?? []
    partitionsByTopic.set(topic, partitions)
    partitions.push(answerFor(partition, committed))
  }
  return Array.from(partitionsByTopic, ([name, partitions]) => ({ name, partitions }))
}

function askedFor(
  offsets: GroupOffsets | undefined,
  asked: NonNullable<AskedTopics>,
): TopicAnswer[] {
  return asked.map(({ name, partitionIndexes }) => ({
    name,
    partitions: partitionIndexes.map((partition) =>
      answerFor(partition, offsets?.get(name, partition)),
    ),
  }))
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

function unstable({ partitionIndex }: PartitionAnswer): PartitionAnswer {
  return { ...answerFor(partitionIndex, undefined), errorCode: errorCode('UNSTABLE_OFFSET_COMMIT') }
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
  const partitionsOf = (partitionIndexes: readonly number[]) =>
    partitionIndexes.map((partition) => ({
      ...answerFor(partition, undefined),
      errorCode: code,
    }))
  return {
    errorCode: code,
    topics: (topics ?? []).map(({ name, partitionIndexes }) => ({
      name,
      partitions: partitionsOf(partitionIndexes),
    })),
  }
}
