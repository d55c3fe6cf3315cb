// LeaveGroup: removes members at once, and the group rebalances.
// Versions: 0-5
// Behaviour: from version 3 on a request names several members, static ones by their instance id (KIP-345), each with its own
// outcome. Waiting fetches of the same client are answered at once, so that it can close without waiting for them.

import { leaveGroup } from '../../protocol/api/13_leave_group.ts'
import { errorCode, KafkaError } from '../../protocol/errors.ts'
import type { GroupCoordinator } from '../group/coordinator.ts'
import type { MemberIdentity } from '../group/messages.ts'
import type { Handler } from '../handler.ts'
import { clientOf, type Purgatory } from '../fetch/purgatory.ts'

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
    async handle({ groupId, memberId, members }, context) {
      context.require('Read', 'Group', groupId)
      if (groupId === '') throw new KafkaError('INVALID_GROUP_ID', 'the group id is empty')
      const leave = (identity: MemberIdentity) => errorCode(coordinator.leave(groupId, identity))
      purgatory.release(clientOf(context))
      if (context.version < MEMBERS_VERSION_MIN)
        return { errorCode: leave({ memberId, groupInstanceId: null }) }
      const left = await context.work.each(members, ({ memberId: id, groupInstanceId }) => ({
        memberId: id,
        groupInstanceId,
        errorCode: leave({ memberId: id, groupInstanceId }),
      }))
      return { errorCode: 0, members: left }
    },
    refuse: (_request, code) => ({ errorCode: code }),
  }
}
