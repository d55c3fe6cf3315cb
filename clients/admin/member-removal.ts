// Who is to be put out of a group, and how LeaveGroup says so. Pure. Source: KIP-345 (instance ids), KIP-800 (reasons).

import { callRows, type CallOptions } from '../call.ts'
import { listOf, rule, shape, text } from '../options.ts'

/** A member by the id that `describe` tells, or a static one by its instance id. */
export type MemberToRemove =
  | { readonly memberId: string; readonly instanceId?: string | undefined }
  | { readonly memberId?: undefined; readonly instanceId: string }

export interface RemoveOptions extends CallOptions {
  /** For the broker's log; from Kafka 3.2 on. */
  readonly reason?: string | undefined
}

export const membersToRemove = listOf<MemberToRemove>(
  rule(
    'a member by its memberId or its instanceId',
    ({ memberId, instanceId }) => text().allows(memberId) || text().allows(instanceId),
  ),
)
export const removeOptions = shape<RemoveOptions>({ ...callRows, reason: text(0) })

/** A static member goes by its instance id alone, whatever its member id is by now (KIP-345). */
export function leaverOf(
  { memberId = '', instanceId }: MemberToRemove,
  reason = 'removed by an administrator',
) {
  if (instanceId !== undefined) return { memberId: '', groupInstanceId: instanceId, reason }
  return { memberId, groupInstanceId: null, reason }
}
