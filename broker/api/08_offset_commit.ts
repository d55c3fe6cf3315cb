// OffsetCommit: durable when it is answered.
// Versions: 2-9
// Behaviour: what is wrong with one partition is said of it alone; what is wrong with the group or the member is said of
// all others. Without a generation it is a commit from outside, allowed while the group has no members.

import {
  offsetCommit,
  type OffsetCommitRequest,
  type OffsetCommitResponse,
} from '../../protocol/api/08_offset_commit.ts'
import { errorCode, type ErrorName } from '../../protocol/errors.ts'
import type { Clock } from '../../storage/clock.ts'
import type { Store } from '../../storage/store.ts'
import type { BrokerConfig } from '../config.ts'
import type { GroupCoordinator } from '../group/coordinator.ts'
import type { PartitionOffset } from '../group/offsets.ts'
import type { Handler } from '../net/handler.ts'

/** Older versions do not know GROUP_ID_NOT_FOUND in this answer. */
const GROUP_NOT_FOUND_VERSION_MIN = 9

type PartitionCommit = OffsetCommitRequest['topics'][number]['partitions'][number]

interface OffsetCommitDeps {
  readonly store: Store
  readonly coordinator: GroupCoordinator
  readonly config: BrokerConfig
  readonly clock: Clock
}

export function offsetCommitHandler(deps: OffsetCommitDeps): Handler<typeof offsetCommit> {
  return {
    api: offsetCommit,
    async handle(request, { version }) {
      const refusals = request.topics.map(({ name, partitions }) =>
        partitions.map((partition) => refusalOf(deps, name, partition)),
      )
      const error = await deps.coordinator.commit({
        groupId: request.groupId,
        memberId: request.memberId,
        groupInstanceId: request.groupInstanceId,
        generationId: request.generationIdOrMemberEpoch,
        offsets: offsetsOf(request, refusals, deps.clock.now()),
        unknownGroupError:
          version < GROUP_NOT_FOUND_VERSION_MIN ? 'ILLEGAL_GENERATION' : 'GROUP_ID_NOT_FOUND',
      })
      return answer(request, (topic, partition) => refusals[topic]![partition] ?? error)
    },
    refuse: (request, code) => ({
      topics: request.topics.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode: code })),
      })),
    }),
  }
}

function refusalOf(
  { store, config }: OffsetCommitDeps,
  topic: string,
  { partitionIndex, committedMetadata }: PartitionCommit,
): ErrorName | undefined {
  if (store.log(topic, partitionIndex) === undefined) return 'UNKNOWN_TOPIC_OR_PARTITION'
  const metadataBytes = Buffer.byteLength(committedMetadata ?? '')
  return metadataBytes > config['offset.metadata.max.bytes']
    ? 'OFFSET_METADATA_TOO_LARGE'
    : undefined
}

/** Those that are not refused. */
function offsetsOf(
  { topics, retentionTimeMs }: OffsetCommitRequest,
  refusals: readonly (readonly (ErrorName | undefined)[])[],
  nowMs: number,
): PartitionOffset[] {
  const expiresMs = retentionTimeMs < 0 ? null : nowMs + retentionTimeMs
  return topics.flatMap(({ name, partitions }, i) =>
    partitions
      .filter((_, j) => refusals[i]![j] === undefined)
      .map(({ partitionIndex, committedOffset, committedLeaderEpoch, committedMetadata }) => ({
        topic: name,
        partition: partitionIndex,
        committed: {
          offset: committedOffset,
          leaderEpoch: committedLeaderEpoch,
          metadata: committedMetadata ?? '',
          committedMs: nowMs,
          expiresMs,
        },
      })),
  )
}

function answer(
  { topics }: OffsetCommitRequest,
  errorOf: (topic: number, partition: number) => ErrorName | undefined,
): OffsetCommitResponse {
  return {
    topics: topics.map(({ name, partitions }, i) => ({
      name,
      partitions: partitions.map(({ partitionIndex }, j) => ({
        partitionIndex,
        errorCode: errorCode(errorOf(i, j)),
      })),
    })),
  }
}
