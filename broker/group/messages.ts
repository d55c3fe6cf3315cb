// A group's requests, answers and records: plain data, no wire format. Network thread.
// Source: KIP-62, KIP-134, KIP-345, KIP-394, KIP-814.

import type { ErrorName } from '../../protocol/errors.ts'

/** The reason of a rebalance: the label of `millrace_rebalances_total`. */
export type RebalanceReason = 'join' | 'leave' | 'expired' | 'metadata' | 'unsynced' | 'static'

export interface JoinProtocol {
  readonly name: string
  /** Opaque: written and read by the members' assignors. */
  readonly metadata: Uint8Array
}

export interface JoinRequest {
  /** Empty in a member's first request. */
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly clientId: string
  /** In Kafka's form, with a slash: '/127.0.0.1'. */
  readonly clientHost: string
  readonly sessionTimeoutMs: number
  readonly rebalanceTimeoutMs: number
  readonly protocolType: string
  /** In order of preference; the metadata is given. */
  readonly protocols: readonly JoinProtocol[]
  /** v4+: a new dynamic member first gets an id, then joins with it (KIP-394). */
  readonly requiresKnownMemberId: boolean
  /** v9+: a static leader that was replaced may be told to skip the assignment (KIP-814). */
  readonly supportsSkippingAssignment: boolean
}

export interface JoinAnswer {
  readonly error?: ErrorName
  readonly memberId: string
  /** -1 with an error. */
  readonly generationId: number
  readonly protocolType: string | null
  readonly protocolName: string | null
  readonly leaderId: string
  readonly skipAssignment: boolean
  /** All of them for the leader, none for the others. */
  readonly members: readonly {
    readonly memberId: string
    readonly groupInstanceId: string | null
    readonly metadata: Uint8Array
  }[]
}

export interface MemberIdentity {
  readonly memberId: string
  readonly groupInstanceId: string | null
}

export interface SyncRequest extends MemberIdentity {
  readonly generationId: number
  /** null: v0 to v4 do not tell it. */
  readonly protocolType: string | null
  readonly protocolName: string | null
  /** From the leader only; given. */
  readonly assignments: readonly { readonly memberId: string; readonly assignment: Uint8Array }[]
}

export interface SyncAnswer {
  readonly error?: ErrorName
  readonly protocolType: string | null
  readonly protocolName: string | null
  readonly assignment: Uint8Array
}

/**
 * The state that survives a restart: written when a generation becomes stable, when it ends, and when a static member
 * is replaced.
 */
export interface GroupRecord {
  readonly protocolType: string | null
  readonly generationId: number
  readonly protocolName: string | null
  readonly leaderId: string | null
  /** ms since the epoch of the group's last change. */
  readonly sinceMs: number
  readonly members: readonly MemberRecord[]
}

export interface MemberRecord {
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly clientId: string
  readonly clientHost: string
  readonly sessionTimeoutMs: number
  readonly rebalanceTimeoutMs: number
  readonly protocols: readonly JoinProtocol[]
  readonly assignment: Uint8Array
}

export const NO_ASSIGNMENT = new Uint8Array(0)

export function refusedJoin(error: ErrorName, memberId: string): JoinAnswer {
  return {
    error,
    memberId,
    generationId: -1,
    protocolType: null,
    protocolName: null,
    leaderId: '',
    skipAssignment: false,
    members: [],
  }
}

export function refusedSync(error: ErrorName): SyncAnswer {
  return { error, protocolType: null, protocolName: null, assignment: NO_ASSIGNMENT }
}

/** A static leader that was replaced must not assign again: no other member would ask for a new assignment (KIP-814). */
export function joinAnswerOfReplacedLeader(
  answer: JoinAnswer,
  { supportsSkippingAssignment }: JoinRequest,
  oldLeaderId: string,
): JoinAnswer {
  if (supportsSkippingAssignment) return { ...answer, skipAssignment: true }
  return { ...answer, leaderId: oldLeaderId, members: [] } // it acts as a follower
}
