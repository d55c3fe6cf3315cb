// Membership: a consumer's place in a group, whichever protocol keeps it: ClassicMembership speaks that of KIP-62.
// It lives by itself from `start` to `close`, and never waits on user code but while partitions are given up.

import type { TopicPartition } from '../topic.ts'
import type { MemberState } from './coordinator.ts'

export interface Membership {
  /** As of now: what commits and leaving go by. */
  readonly state: MemberState
  start(): void
  /** Joins again, at once if it is at rest, with what it subscribes to by now. */
  rejoin(): void
  /** Gives everything up and leaves, unless it is a static member, whose place is kept. */
  close(): Promise<void>
}

/** What the member does with what the group decides. */
export interface MembershipEvents {
  /** It is about to join: look at what it wants to read. A rejection is met again at the next attempt. */
  joining(): Promise<void>
  /** It would join with other topics by now. */
  hasOtherTopics(): Promise<boolean>
  /** These are ours now: read them. A rejection is met again at the next attempt to join. */
  assigned(partitions: readonly TopicPartition[]): Promise<void>
  /** These are ours no longer: finish what is in hand, commit it. The others wait for it. */
  revoked(partitions: readonly TopicPartition[]): Promise<void>
  /** These were taken away without asking: too late to commit. */
  lost(partitions: readonly TopicPartition[]): void
  /** The membership has ended; nothing will be assigned any more. */
  failed(error: unknown): void
}
