// Membership: a consumer's membership in a group, whatever the group's protocol. ClassicMembership speaks that of
// KIP-62.
// It runs by itself from `start` to `close`, and waits for user code only while partitions are revoked.

import type { TopicPartition } from '../topic.ts'
import type { MemberState } from './coordinator.ts'

export interface Membership {
  /** The current member id and generation, for commits and for leaving. */
  readonly state: MemberState
  start(): void
  /** Rejoins with the current topics, at once unless a rebalance is running. */
  rejoin(): void
  /** Gives up all partitions and leaves; a static member keeps its place (KIP-345). */
  close(): Promise<void>
}

/** How the member reacts to the group. */
export interface MembershipEvents {
  /** The member is about to join: look up its topics. After a rejection the next join tries again. */
  joining(): Promise<void>
  /** Would the member now join with other topics? */
  hasOtherTopics(): Promise<boolean>
  /** These partitions are the member's now: read them. After a rejection the next join tries again. */
  assigned(partitions: readonly TopicPartition[]): Promise<void>
  /** The member must give up these partitions: finish the records in hand and commit. The other members wait for it. */
  revoked(partitions: readonly TopicPartition[]): Promise<void>
  /** The member has lost these partitions without a revocation: it is too late to commit. */
  lost(partitions: readonly TopicPartition[]): void
  /** The membership has ended: no more assignments. */
  failed(error: unknown): void
}
