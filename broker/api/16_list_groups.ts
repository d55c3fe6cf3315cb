// ListGroups: every group, or those of some states and types.
// Versions: 0-5
// Behaviour: states (KIP-518) and types (KIP-848) are compared without regard to case, as in Apache Kafka; a state or type that
// does not exist matches no group.

import { listGroups } from '../../protocol/api/16_list_groups.ts'
import type { GroupCoordinator } from '../group/coordinator.ts'
import type { Group } from '../group/group.ts'
import type { Handler } from '../handler.ts'

export function listGroupsHandler({
  coordinator,
}: {
  readonly coordinator: GroupCoordinator
}): Handler<typeof listGroups> {
  return {
    api: listGroups,
    async handle({ statesFilter, typesFilter }, context) {
      const { work } = context
      const types = await work.distinct(lowerCase(typesFilter))
      const states = await work.distinct(lowerCase(statesFilter))
      const all = coordinator.groups.list()
      const shown = context.allowsOnClusterSilently('Describe')
        ? all
        : context.visible(all, 'Group', ({ groupId }) => groupId)
      const groups = matching(shown, types, states)
      const listed = await work.each(groups, ({ groupId, type, protocolType, state }) => {
        return { groupId, protocolType: protocolType ?? '', groupState: state, groupType: type }
      })
      return { errorCode: 0, groups: listed }
    },
    refuse: (_request, code) => ({ errorCode: code, groups: [] }),
  }
}

function* matching(
  groups: Iterable<Group>,
  types: ReadonlySet<string>,
  states: ReadonlySet<string>,
): Iterable<Group> {
  for (const group of groups)
    if (matches(types, group.type) && matches(states, group.state)) yield group
}

function* lowerCase(names: readonly string[]): Iterable<string> {
  for (const name of names) yield name.toLowerCase()
}

function matches(filter: ReadonlySet<string>, name: string): boolean {
  return filter.size === 0 || filter.has(name.toLowerCase())
}
