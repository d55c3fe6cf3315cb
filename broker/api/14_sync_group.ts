// SyncGroup: the leader sends every member's assignment, and each member gets its own.
// Versions: 0-5
// Behaviour: a generation is durable before any member gets an assignment of it. From version 5 on a member names the protocol
// (KIP-559).

import {
  syncGroup,
  type SyncGroupRequest,
  type SyncGroupResponse,
} from '../../protocol/api/14_sync_group.ts'
import { errorCode, errorName } from '../../protocol/errors.ts'
import type { GroupCoordinator } from '../group/coordinator.ts'
import { refusedSync, type SyncAnswer, type SyncRequest } from '../group/messages.ts'
import type { Handler } from '../handler.ts'
import { untilGone } from '../until-gone.ts'

const NAMED_VERSION_MIN = 5

export function syncGroupHandler({
  coordinator,
}: {
  readonly coordinator: GroupCoordinator
}): Handler<typeof syncGroup> {
  return {
    api: syncGroup,
    async handle(request, context) {
      const { session, version, work } = context
      context.require('Read', 'Group', request.groupId)
      if (version >= NAMED_VERSION_MIN && !isNamed(request))
        return answer(refusedSync('INCONSISTENT_GROUP_PROTOCOL'))
      const synced = coordinator.sync(request.groupId, asSyncRequest(request))
      work.leave()
      return answer(await untilGone(synced, session.gone, refusedSync('COORDINATOR_NOT_AVAILABLE')))
    },
    refuse: (_request, code) => answer(refusedSync(errorName(code) ?? 'UNKNOWN_SERVER_ERROR')),
  }
}

function isNamed({ protocolType, protocolName }: SyncGroupRequest): boolean {
  return protocolType !== null && protocolName !== null
}

/** Copies the assignments, which the group keeps longer than the request lives. */
function asSyncRequest(request: SyncGroupRequest): SyncRequest {
  const assignments = request.assignments.map(({ memberId, assignment }) => ({
    memberId,
    assignment: Buffer.from(assignment),
  }))
  return { ...request, assignments }
}

function answer({ error, ...synced }: SyncAnswer): SyncGroupResponse {
  return { errorCode: errorCode(error), ...synced }
}
