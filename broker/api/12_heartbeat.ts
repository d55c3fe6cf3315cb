// Heartbeat: renews a member's session, and tells the member whether it must join again.
// Versions: 0-4

import { heartbeat } from '../../protocol/api/12_heartbeat.ts'
import { errorCode } from '../../protocol/errors.ts'
import type { GroupCoordinator } from '../group/coordinator.ts'
import type { Handler } from '../handler.ts'

export function heartbeatHandler({
  coordinator,
}: {
  readonly coordinator: GroupCoordinator
}): Handler<typeof heartbeat> {
  return {
    api: heartbeat,
    handle(request, context) {
      const { groupId, generationId } = request
      context.require('Read', 'Group', groupId)
      return { errorCode: errorCode(coordinator.heartbeat(groupId, request, generationId)) }
    },
    refuse: (_request, code) => ({ errorCode: code }),
  }
}
