// DescribeGroups: the state of groups and their members.
// Versions: 0-6
// Behaviour: a group that does not exist, or is of another type, is Dead; from version 6 on it is GROUP_ID_NOT_FOUND
// (KIP-1043). Metadata and assignments of members are shown while the group is stable.

import {
  describeGroups,
  type DescribeGroupsResponse,
} from '../../protocol/api/15_describe_groups.ts'
import { errorCode } from '../../protocol/errors.ts'
import type { GroupCoordinator } from '../group/coordinator.ts'
import type { Group } from '../group/group.ts'
import type { Handler } from '../handler.ts'

const NOT_FOUND_VERSION_MIN = 6

type GroupAnswer = DescribeGroupsResponse['groups'][number]

export function describeGroupsHandler({
  coordinator,
}: {
  readonly coordinator: GroupCoordinator
}): Handler<typeof describeGroups> {
  return {
    api: describeGroups,
    async handle(request, context) {
      const groups = await context.work.each(request.groups, (groupId) => {
        if (!context.allows('Describe', 'Group', groupId))
          return refused(groupId, errorCode('GROUP_AUTHORIZATION_FAILED'))
        const group = coordinator.groups.get(groupId)
        const isKnown = group?.type === 'classic'
        if (!isKnown && context.version >= NOT_FOUND_VERSION_MIN) return unknown(groupId, group)
        const answer = isKnown ? described(group) : dead(groupId)
        const isAskedFor = request.includeAuthorizedOperations
        return { ...answer, authorizedOperations: context.mask(isAskedFor, 'Group', groupId) }
      })
      return { groups }
    },
    refuse: ({ groups }, code) => ({
      groups: groups.map((groupId) => refused(groupId, code)),
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

function refused(groupId: string, code: number): GroupAnswer {
  return { ...nothingOf(groupId), errorCode: code }
}

function dead(groupId: string): GroupAnswer {
  return { ...nothingOf(groupId), groupState: 'Dead' }
}

function unknown(groupId: string, group: Group | undefined): GroupAnswer {
  const name = groupId.slice(0, 256)
  const errorMessage = group ? `group ${name} is not a classic group` : `there is no group ${name}`
  return { ...dead(groupId), errorCode: errorCode('GROUP_ID_NOT_FOUND'), errorMessage }
}

function described(group: Group): GroupAnswer {
  const { state, protocolType, protocolName, members } = group.describe()
  return {
    errorCode: 0,
    groupId: group.groupId,
    groupState: state,
    protocolType,
    protocolData: protocolName,
    members: members.map(({ metadata, assignment, ...member }) => ({
      ...member,
      memberMetadata: metadata,
      memberAssignment: assignment,
    })),
  }
}
