// ListGroups: every group, or those of some states and types.
// Versions: 0-5
// Behaviour: states and types are compared without regard to case, as in Apache Kafka; one that does not exist matches
// no group.

import { listGroups } from '../../protocol/api/16_list_groups.ts'
import type { GroupCoordinator } from '../group/coordinator.ts'
import type { Handler } from '../net/handler.ts'

/** There is no other type yet. */
const GROUP_TYPE = 'classic'

export function listGroupsHandler({
  coordinator,
}: {
  readonly coordinator: GroupCoordinator
}): Handler<typeof listGroups> {
  return {
    api: listGroups,
    handle({ statesFilter, typesFilter }) {
      if (!matches(typesFilter, GROUP_TYPE)) return { errorCode: 0, groups: [] }
      const groups = [...coordinator.list()].filter(({ state }) => matches(statesFilter, state))
      return {
        errorCode: 0,
        groups: groups.map(({ groupId, protocolType, state }) => ({
          groupId,
          protocolType: protocolType ?? '',
          groupState: state,
          groupType: GROUP_TYPE,
        })),
      }
    },
    refuse: (_request, code) => ({ errorCode: code, groups: [] }),
  }
}

function matches(filter: readonly string[], name: string): boolean {
  if (filter.length === 0) return true
  return filter.some((each) => each.toLowerCase() === name.toLowerCase())
}
