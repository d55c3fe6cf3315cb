// The assertions on classic groups: bugs planted into a group are caught at the change of state that would spread
// them.

import { AssertionError } from 'node:assert'
import t from '../../protocol/testing/tap.ts'
import { classicGroup, identity, joining, stableGroup, world } from '../testing/group-world.ts'
import { assertTransition, type ClassicState } from './classic-states.ts'

/** The message of an assertion that would end the process. */
async function caught(act: () => unknown): Promise<string> {
  try {
    await act()
    return 'nothing'
  } catch (error) {
    return error instanceof AssertionError ? error.message : `another error: ${String(error)}`
  }
}

t.test('a group that forgets its leader is caught when its members have joined', async (t) => {
  const w = world()
  const [first] = await stableGroup(w, 1)
  const group = classicGroup(w)
  const protocols = [{ name: 'range', metadata: Buffer.from('u') }]
  Object.defineProperty(group, 'leaderId', { get: () => 'nobody', set() {} })
  const rejoining = () => group.join(joining({ memberId: first!.memberId, protocols }))
  t.match(await caught(rejoining), /group g: CompletingRebalance, no leader/)
})

t.test('a group without members that keeps a leader is caught', async (t) => {
  const w = world()
  const [first] = await stableGroup(w, 1)
  const group = classicGroup(w)
  Object.defineProperty(group, 'leaderId', { get: () => first!.memberId, set() {} })
  const leaving = () => group.leave(identity(first!.memberId))
  t.match(await caught(leaving), /group g: Empty with a leader/)
})

t.test('a generation that does not grow is caught before it is kept', async (t) => {
  const w = world()
  const [first] = await stableGroup(w, 1)
  const group = classicGroup(w)
  group.generationId = -5
  const leaving = () => group.leave(identity(first!.memberId))
  t.match(await caught(leaving), /group g: generation -4 after 1/)
})

t.test('a change of state that there is not is caught', (t) => {
  const group = {
    groupId: 'g',
    generationId: 1,
    protocolName: null,
    leaderId: null,
    members: new Map(),
  }
  const changes: [from: ClassicState, to: ClassicState][] = [
    ['Empty', 'Stable'],
    ['PreparingRebalance', 'Stable'],
    ['Stable', 'Empty'],
    ['Dead', 'PreparingRebalance'],
  ]
  for (const [from, to] of changes)
    t.throws(() => assertTransition(group, from, to), new RegExp(`from ${from} to ${to}`))
  t.doesNotThrow(() => assertTransition(group, 'CompletingRebalance', 'Stable'))
  t.end()
})
