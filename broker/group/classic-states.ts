// The states of a classic group, the changes between them, and the invariants of each, asserted at every change: a
// group that breaks one would assign its partitions wrongly, and the process dies instead. Source: KIP-62; Kafka's
// ClassicGroupState.

import { strict as assert } from 'node:assert'

export type ClassicState =
  | 'Empty'
  | 'PreparingRebalance'
  | 'CompletingRebalance'
  | 'Stable'
  | 'Dead'

const nextStates: Record<ClassicState, readonly ClassicState[]> = {
  Empty: ['PreparingRebalance', 'Dead'],
  PreparingRebalance: ['CompletingRebalance', 'Empty', 'Dead'],
  CompletingRebalance: ['Stable', 'PreparingRebalance', 'Dead'],
  Stable: ['PreparingRebalance', 'Dead'],
  Dead: [],
}

interface Membership {
  readonly groupId: string
  readonly generationId: number
  readonly protocolName: string | null
  readonly leaderId: string | null
  readonly members: ReadonlyMap<string, unknown>
}

export function assertTransition(
  { groupId }: Membership,
  from: ClassicState,
  to: ClassicState,
): void {
  if (!nextStates[from].includes(to)) fail(groupId, `from ${from} to ${to}`)
}

/** Asserts the invariants of a group that has just entered `state`. */
export function assertState(group: Membership, state: ClassicState): void {
  const { groupId, protocolName, leaderId, members } = group
  if (state === 'Empty') {
    if (members.size > 0) fail(groupId, `Empty with ${members.size} members`)
    if (leaderId !== null || protocolName !== null) fail(groupId, 'Empty with a leader')
  }
  if (state === 'CompletingRebalance' || state === 'Stable') {
    if (leaderId === null || !members.has(leaderId)) fail(groupId, `${state}, no leader`)
    if (protocolName === null) fail(groupId, `${state}, no protocol`)
  }
}

/** Generations only grow: the broker recognises a member of an older one by its number. */
export function assertGrows(groupId: string, keptGenerationId: number, generationId: number): void {
  if (generationId < keptGenerationId)
    fail(groupId, `generation ${generationId} after ${keptGenerationId}`)
}

function fail(groupId: string, what: string): never {
  assert.fail(`group ${groupId}: ${what}`)
}
