// DescribeGroups: the state of groups and their members.
// Versions: 0-6
// Behaviour: a group that does not exist is Dead, and everything is allowed with it; from version 6 on it is
// GROUP_ID_NOT_FOUND, without operations (KIP-1043). What members told each other is shown while the group is stable.

import {
  describeGroups,
  type DescribeGroupsResponse,
} from '../../protocol/api/15_describe_groups.ts'
import { errorCode } from '../../protocol/errors.ts'
import type { ClassicGroup } from '../group/classic.ts'
import type { GroupCoordinator } from '../group/coordinator.ts'
import type { Handler } from '../handler.ts'
import { groupOperations } from '../operations.ts'

const NOT_FOUND_VERSION_MIN = 6
const NOTHING = new Uint8Array(0)

type GroupAnswer = DescribeGroupsResponse['groups'][number]

export function describeGroupsHandler({
  coordinator,
}: {
  readonly coordinator: GroupCoordinator
}): Handler<typeof describeGroups> {
  return {
    api: describeGroups,
    async handle(request, context) {
      const authorizedOperations = groupOperations(request.includeAuthorizedOperations)
      const groups = await context.work.each(request.groups, (groupId) => {
        const group = coordinator.get(groupId)
        if (group === undefined && context.version >= NOT_FOUND_VERSION_MIN) return unknown(groupId)
        const answer = group === undefined ? dead(groupId) : described(group)
        return { ...answer, authorizedOperations }
      })
      return { groups }
    },
    refuse: ({ groups }, code) => ({
      groups: groups.map((groupId) => ({ ...nothingOf(groupId), errorCode: code })),
    }),
  }
}

function nothingOf(groupId: string): GroupAnswer {
  return {
    errorCode: 0,
    groupId,
    groupState: '',
    protocolType: '',
    protocolData: '',
    members: [],
  }
}

function dead(groupId: string): GroupAnswer {
  return { ...nothingOf(groupId), groupState: 'Dead' }
}

function unknown(groupId: string): GroupAnswer {
  const errorMessage = `there is no group ${groupId.slice(0, 256)}`
  return { ...dead(groupId), errorCode: errorCode('GROUP_ID_NOT_FOUND'), errorMessage }
}

function described(group: ClassicGroup): GroupAnswer {
  const { groupId, state, protocolType, protocolName } = group
  const isStable = state === 'Stable'
  return {
    errorCode: 0,
    groupId,
    groupState: state,
    protocolType: protocolType ?? '',
    protocolData: isStable ? protocolName! : '',
    members: Array.from(group.members.values(), (member) => ({
      memberId: member.memberId,
      groupInstanceId: member.groupInstanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      memberMetadata: isStable ? member.metadataFor(protocolName!)! : NOTHING,
      memberAssignment: isStable ? member.assignment : NOTHING,
    })),
  }
}
