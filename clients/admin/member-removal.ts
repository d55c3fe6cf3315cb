// The members to remove from a group, and how LeaveGroup names them. Pure. Source: KIP-345 (instance ids), KIP-800 (reasons).

import { callRows, type CallOptions } from '../call.ts'
import { listOf, rule, shape, text } from '../options.ts'

/** A member by the id that `describe` returns, or a static one by its instance id. */
export type MemberToRemove =
  | { readonly memberId: string; readonly instanceId?: string | undefined }
  | { readonly memberId?: undefined; readonly instanceId: string }

export interface RemoveOptions extends CallOptions {
  /** The broker logs it, from Kafka 3.2 on (KIP-800). */
  readonly reason?: string | undefined
}

export const membersToRemove = listOf<MemberToRemove>(
  rule(
    'a member by its memberId or its instanceId',
    ({ memberId, instanceId }) => text().allows(memberId) || text().allows(instanceId),
  ),
)
export const removeOptions = shape<RemoveOptions>({ ...callRows, reason: text(0) })

/** LeaveGroup names a static member by its instance id alone, because its member id may have changed (KIP-345). */
export function leaverOf(
  { memberId = '', instanceId }: MemberToRemove,
  reason = 'removed by an administrator',
) {
  if (instanceId !== undefined) return { memberId: '', groupInstanceId: instanceId, reason }
  return { memberId, groupInstanceId: null, reason }
}
