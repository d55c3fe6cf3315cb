// ListGroups: every group, or those of some states and types.
// Versions: 0-5
// Behaviour: states and types are compared without regard to case, as in Apache Kafka; one that does not exist matches
// no group.

import { listGroups } from '../../protocol/api/16_list_groups.ts'
import type { ClassicGroup } from '../group/classic.ts'
import type { GroupCoordinator } from '../group/coordinator.ts'
import type { Handler } from '../handler.ts'

/** There is no other type yet. */
const GROUP_TYPE = 'classic'

export function listGroupsHandler({
  coordinator,
}: {
  readonly coordinator: GroupCoordinator
}): Handler<typeof listGroups> {
  return {
    api: listGroups,
    async handle({ statesFilter, typesFilter }, { work }) {
      const types = await work.distinct(lowerCase(typesFilter))
      const states = await work.distinct(lowerCase(statesFilter))
      const groups = matches(types, GROUP_TYPE) ? coordinator.list() : []
      const listed = await work.each(
        withState(groups, states),
        ({ groupId, protocolType, state }) => {
          return {
            groupId,
            protocolType: protocolType ?? '',
            groupState: state,
            groupType: GROUP_TYPE,
          }
        },
      )
      return { errorCode: 0, groups: listed }
    },
    refuse: (_request, code) => ({ errorCode: code, groups: [] }),
  }
}

function* withState(
  groups: Iterable<ClassicGroup>,
  states: ReadonlySet<string>,
): Iterable<ClassicGroup> {
  for (const group of groups) if (matches(states, group.state)) yield group
}

function* lowerCase(names: readonly string[]): Iterable<string> {
  for (const name of names) yield name.toLowerCase()
}

function matches(filter: ReadonlySet<string>, name: string): boolean {
  return filter.size === 0 || filter.has(name.toLowerCase())
}
