// Group: the broker's interface to a group of any type and protocol. A type implements it, is made in coordinator.ts,
// and needs nothing of the others. Network thread. Source: KIP-62, KIP-211 (offset expiry), KIP-848.

import type { ErrorName } from '../../protocol/errors.ts'
import type { MemberIdentity } from './messages.ts'
import type { GroupEntry } from './state-table.ts'

export interface Group {
  readonly groupId: string
  /** As in ListGroups: `classic`. */
  readonly type: string
  /** As in ListGroups; each type has its own states. */
  readonly state: string
  /** The members' own protocol type: `consumer`, `connect`; null before the first member. */
  readonly protocolType: string | null
  readonly memberCount: number

  describe(): GroupDescription

  // Permission to commit, and to delete committed offsets

  /** May this member commit offsets now? Renews its session. @param epoch its generation or member epoch; -1 from outside */
  checkCommit(member: MemberIdentity, epoch: number): ErrorName | undefined
  /** The same for a commit in a transaction. */
  checkPendingCommit(member: MemberIdentity, epoch: number): ErrorName | undefined
  /** @returns why committed offsets cannot be deleted now */
  checkOffsetDelete(): ErrorName | undefined
  /** Topics that members read; undefined when the group cannot tell, so it may be any topic. */
  subscribedTopics(): ReadonlySet<string> | undefined

  // The end of a group

  /** It has no members: an administrator may delete it. */
  readonly isEmpty: boolean
  /** It is empty and no member is about to join: without offsets the broker forgets it. */
  readonly isIdle: boolean
  /** Which offsets the group may still need now (KIP-211). */
  offsetRetention(): OffsetRetention
  /** The records that delete everything of the group but its offsets. */
  tombstones(): readonly GroupEntry[]
  /** Ends every wait and timer; the group answers no further request. */
  close(error: ErrorName): void
}

/** @returns ms since the epoch from which the retention of a committed offset counts; undefined while it is needed */
export type OffsetRetention = (topic: string, committedMs: number) => number | undefined

export interface GroupDescription {
  readonly state: string
  readonly protocolType: string
  /** The chosen assignor; empty while there is none. */
  readonly protocolName: string
  readonly members: readonly MemberDescription[]
}

export interface MemberDescription extends MemberIdentity {
  readonly clientId: string
  readonly clientHost: string
  /** The member's metadata for the assignor; empty while the group has not settled. */
  readonly metadata: Uint8Array
  readonly assignment: Uint8Array
}
