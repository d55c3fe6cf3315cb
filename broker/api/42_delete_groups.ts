// DeleteGroups: deletes groups without members, and their offsets (KIP-229).
// Versions: 0-2
// Behaviour: every group has one outcome, also when the request names it twice; it is durable when the answer goes out.

import { deleteGroups } from '../../protocol/api/42_delete_groups.ts'
import { errorCode } from '../../protocol/errors.ts'
import { doneAmong } from '../auth/audit.ts'
import type { GroupCoordinator } from '../group/coordinator.ts'
import type { Handler } from '../handler.ts'

export function deleteGroupsHandler({
  coordinator,
}: {
  readonly coordinator: GroupCoordinator
}): Handler<typeof deleteGroups> {
  return {
    api: deleteGroups,
    async handle({ groupsNames }, context) {
      const { work } = context
      const results = await work.each(await work.distinct(groupsNames), async (groupId) => {
        if (!context.allows('Delete', 'Group', groupId))
          return { groupId, errorCode: errorCode('GROUP_AUTHORIZATION_FAILED') }
        const error = await coordinator.groups.delete(groupId)
        return { groupId, errorCode: errorCode(error) }
      })
      context.changed(
        'groups deleted',
        doneAmong(results, ({ groupId }) => groupId),
      )
      return { results }
    },
    refuse: ({ groupsNames }, code) => ({
      results: groupsNames.map((groupId) => ({ groupId, errorCode: code })),
    }),
  }
}
