// OffsetCommit: stores offsets of a group. They are durable when the answer goes out.
// Versions: 2-9
// Behaviour: an error of a partition is answered for that partition, an error of the group or the member for all others. A
// commit without a generation comes from outside the group, and is allowed while the group has no members.

import { offsetCommit } from '../../protocol/api/08_offset_commit.ts'
import type { GroupCoordinator } from '../group/coordinator.ts'
import type { Handler } from '../handler.ts'
import { commitsOf, refuseCommits, type OffsetCommitsDeps } from '../offset-commits.ts'

/** Clients of older versions do not know GROUP_ID_NOT_FOUND in this answer (KIP-848). */
const GROUP_NOT_FOUND_VERSION_MIN = 9

interface OffsetCommitDeps extends OffsetCommitsDeps {
  readonly coordinator: GroupCoordinator
}

export function offsetCommitHandler(deps: OffsetCommitDeps): Handler<typeof offsetCommit> {
  return {
    api: offsetCommit,
    async handle(request, context) {
      context.require('Read', 'Group', request.groupId)
      const { topics, retentionTimeMs } = request
      const retentionMs = retentionTimeMs < 0 ? null : retentionTimeMs
      const commits = await commitsOf(deps, topics, retentionMs, context)
      const error = await deps.coordinator.commit({
        groupId: request.groupId,
        memberId: request.memberId,
        groupInstanceId: request.groupInstanceId,
        generationId: request.generationIdOrMemberEpoch,
        offsets: commits.offsets,
        unknownGroupError:
          context.version < GROUP_NOT_FOUND_VERSION_MIN
            ? 'ILLEGAL_GENERATION'
            : 'GROUP_ID_NOT_FOUND',
      })
      return commits.answer(error)
    },
    refuse: ({ topics }, code) => refuseCommits(topics, code),
  }
}
