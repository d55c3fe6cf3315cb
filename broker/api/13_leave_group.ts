// LeaveGroup: members go at once, and what they had is shared out anew.
// Versions: 0-5
// Behaviour: from version 3 on several members, each with its own outcome, static ones by their instance id too.
// Fetches of the same client that wait are answered at once, so that it can close without waiting for them.

import { leaveGroup, type LeaveGroupRequest } from '../../protocol/api/13_leave_group.ts'
import { errorCode } from '../../protocol/errors.ts'
import type { GroupCoordinator } from '../group/coordinator.ts'
import type { MemberIdentity } from '../group/messages.ts'
import type { Handler } from '../net/handler.ts'
import { clientOf, type Purgatory } from '../purgatory.ts'

const MEMBERS_VERSION_MIN = 3

interface LeaveGroupDeps {
  readonly coordinator: GroupCoordinator
  readonly purgatory: Purgatory
}

export function leaveGroupHandler({
  coordinator,
  purgatory,
}: LeaveGroupDeps): Handler<typeof leaveGroup> {
  return {
    api: leaveGroup,
    handle(request, context) {
      const { groupId } = request
      const leave = (identity: MemberIdentity): number =>
        errorCode(coordinator.leave(groupId, identity))
      purgatory.release(clientOf(context))
      if (groupId === '') return { errorCode: errorCode('INVALID_GROUP_ID') }
      if (context.version >= MEMBERS_VERSION_MIN) {
        return { errorCode: 0, members: answers(request, leave) }
      }
      return { errorCode: leave({ memberId: request.memberId, groupInstanceId: null }) }
    },
    refuse: (_request, code) => ({ errorCode: code }),
  }
}

function answers({ members }: LeaveGroupRequest, leave: (identity: MemberIdentity) => number) {
  return members.map(({ memberId, groupInstanceId }) => ({
    memberId,
    groupInstanceId,
    errorCode: leave({ memberId, groupInstanceId }),
  }))
}
