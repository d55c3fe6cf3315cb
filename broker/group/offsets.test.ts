// Committed offsets without sockets: permission to commit, restarts, expiry.

import t from '../../protocol/testing/tap.ts'
import {
  heartbeat,
  identity,
  joining,
  stableGroup,
  world,
  type World,
} from '../testing/group-world.ts'
import { settle } from '../testing/virtual-clock.ts'

t.test('offsets', async (t) => {
  const at = (offset: number, changes: object = {}) => ({
    topic: 't',
    partition: 0,
    committed: {
      offset,
      leaderEpoch: 3,
      metadata: 'm',
      committedMs: 0,
      expiresMs: null,
      ...changes,
    },
  })
  const commit = (w: World, memberId: string, generationId: number, offset = 5) =>
    w.coordinator.commit({
      ...identity(memberId),
      groupId: 'g',
      generationId,
      offsets: [at(offset, { committedMs: w.clock.now() })],
      unknownGroupError: 'ILLEGAL_GENERATION',
    })

  t.test('a commit without membership makes a simple group', async (t) => {
    const w = world()
    t.equal(await commit(w, '', -1), undefined)
    t.match(w.coordinator.commits.of('g').get('t', 0), { offset: 5, leaderEpoch: 3, metadata: 'm' })
    t.equal(w.coordinator.groups.get('g')!.state, 'Empty')
    t.ok(w.coordinator.commits.of('other').isEmpty)
  })

  t.test('members commit in their generation, others do not', async (t) => {
    const w = world()
    t.equal(await commit(w, 'x', 3), 'ILLEGAL_GENERATION', 'there is no such group')
    const [first] = await stableGroup(w, 1)
    t.equal(await commit(w, first!.memberId, 1), undefined)
    t.equal(await commit(w, first!.memberId, 2), 'ILLEGAL_GENERATION')
    t.equal(await commit(w, 'x', 1), 'UNKNOWN_MEMBER_ID')
    t.equal(await commit(w, '', -1), 'UNKNOWN_MEMBER_ID', 'the group has members')
    void w.coordinator.join('g', joining())
    await settle()
    t.equal(await commit(w, first!.memberId, 1), undefined, 'also while the others rejoin')
    const again = await w.coordinator.join('g', joining({ memberId: first!.memberId }))
    t.equal(
      await commit(w, first!.memberId, again.generationId),
      'REBALANCE_IN_PROGRESS',
      'but not while they sync',
    )
  })

  t.test('a commit is seen when it is durable, not before, and survives a restart', async (t) => {
    const w = world()
    w.table.hold()
    const done = commit(w, '', -1)
    await settle()
    t.equal(w.coordinator.commits.of('g').get('t', 0), undefined)
    w.table.release()
    t.equal(await done, undefined)
    w.restart()
    t.equal(w.coordinator.commits.of('g').get('t', 0)!.offset, 5)
  })

  t.test(
    'offsets expire a retention after their group became empty, the group with them',
    async (t) => {
      const w = world()
      const [first] = await stableGroup(w, 1, { sessionTimeoutMs: 1_800_000 })
      await commit(w, first!.memberId, 1)
      for (let i = 0; i < 700; i++) {
        await w.clock.advance(1_200_000)
        heartbeat(w, first!)
      }
      t.equal(
        w.coordinator.commits.of('g').get('t', 0)?.offset,
        5,
        'not while a member is subscribed',
      )
      w.coordinator.leave('g', identity(first!.memberId))
      await w.clock.advance(604_000_000)
      t.equal(w.coordinator.commits.of('g').get('t', 0)?.offset, 5)
      await w.clock.advance(2_000_000)
      t.equal(w.coordinator.groups.get('g'), undefined)
      t.equal(w.table.kept.length, 0)
    },
  )

  t.test('a retention that the client asked for is honoured', async (t) => {
    const w = world()
    await w.coordinator.commit({
      ...identity(''),
      groupId: 'g',
      generationId: -1,
      offsets: [
        at(1, { committedMs: w.clock.now(), expiresMs: w.clock.now() + 1000 }),
        { ...at(2), partition: 1, committed: { ...at(2).committed, committedMs: w.clock.now() } },
      ],
      unknownGroupError: 'ILLEGAL_GENERATION',
    })
    await w.clock.advance(600_001)
    t.equal(w.coordinator.commits.of('g').get('t', 0), undefined)
    t.equal(w.coordinator.commits.of('g').get('t', 1)?.offset, 2)
  })

  t.test(
    'a deleted topic takes its offsets along, also those that are just being committed',
    async (t) => {
      const w = world()
      w.table.hold()
      const done = commit(w, '', -1)
      await settle()
      const deleted = w.coordinator.commits.onTopicDeleted('t')
      w.table.release()
      await Promise.all([done, deleted])
      t.equal(w.coordinator.commits.of('g').get('t', 0), undefined)
      w.restart()
      t.equal(w.coordinator.groups.get('g'), undefined)
    },
  )

  const who = (producerId: number) => ({ producerId, producerEpoch: 0 })
  const pending = (
    w: World,
    producerId: number,
    offset: number,
    memberId = '',
    generationId = -1,
    groupInstanceId: string | null = null,
  ) =>
    w.coordinator.commitPending(who(producerId), {
      ...identity(memberId, groupInstanceId),
      groupId: 'g',
      generationId,
      offsets: [at(offset)],
      unknownGroupError: 'ILLEGAL_GENERATION',
    })
  const committed = (w: World) => w.coordinator.commits.of('g').get('t', 0)?.offset

  t.test('what a transaction commits is seen when it has committed, not before', async (t) => {
    const w = world()
    t.equal(await pending(w, 7, 5), undefined)
    t.equal(committed(w), undefined)
    t.equal(w.coordinator.commits.isPending('g', 't', 0), true)
    t.equal(w.coordinator.commits.isPending('g', 't', 1), false)
    t.equal(w.coordinator.commits.isPending('other', 't', 0), false)
    w.restart()
    t.equal(w.coordinator.commits.isPending('g', 't', 0), true, 'a restart forgets nothing')
    t.equal(await w.coordinator.commits.endPending(who(8), true), undefined)
    t.equal(committed(w), undefined, 'the end of another transaction changes nothing')
    t.equal(await w.coordinator.commits.endPending(who(7), true), undefined)
    t.equal(committed(w), 5)
    t.equal(w.coordinator.commits.isPending('g', 't', 0), false)
    t.equal(
      await w.coordinator.commits.endPending(who(7), true),
      undefined,
      'and may be told twice',
    )
    w.restart()
    t.equal(committed(w), 5)
    t.equal(w.coordinator.commits.isPending('g', 't', 0), false)
  })

  t.test('an aborted transaction leaves the offsets as they were', async (t) => {
    const w = world()
    await commit(w, '', -1, 3)
    await pending(w, 7, 5)
    t.equal(await w.coordinator.commits.endPending(who(7), false), undefined)
    t.equal(committed(w), 3)
    t.equal(w.coordinator.commits.isPending('g', 't', 0), false)
  })

  t.test('a transaction ends for all of its offsets or, after a crash, for none', async (t) => {
    const w = world()
    await pending(w, 7, 5)
    w.table.hold()
    void w.coordinator.commits.endPending(who(7), true)
    await settle()
    t.equal(committed(w), undefined)
    w.restart()
    t.equal(w.coordinator.commits.isPending('g', 't', 0), true)
    t.equal(await w.coordinator.commits.endPending(who(7), true), undefined)
    t.equal(committed(w), 5)
    w.table.failure = 'COORDINATOR_NOT_AVAILABLE'
    t.equal(await pending(w, 8, 6), 'COORDINATOR_NOT_AVAILABLE')
    t.equal(w.coordinator.commits.isPending('g', 't', 0), false)
  })

  t.test('a later commit stands, whatever becomes of the transaction', async (t) => {
    for (const isCommit of [true, false]) {
      const w = world()
      await pending(w, 7, 5)
      await commit(w, '', -1, 9)
      t.equal(w.coordinator.commits.isPending('g', 't', 0), true, 'as in Apache Kafka')
      await w.coordinator.commits.endPending(who(7), isCommit)
      t.equal(committed(w), 9)
    }
  })

  t.test(
    'members commit in their generation in a transaction too, if they name themselves',
    async (t) => {
      const w = world()
      t.equal(await pending(w, 7, 5, 'x', 3), 'ILLEGAL_GENERATION', 'there is no such group')
      const [first] = await stableGroup(w, 1, { groupInstanceId: 'i' })
      const { memberId } = first!
      t.equal(await pending(w, 7, 5, memberId, 1, 'i'), undefined)
      t.equal(await pending(w, 7, 5, memberId, 2, 'i'), 'ILLEGAL_GENERATION')
      t.equal(await pending(w, 7, 5, 'x', 1), 'UNKNOWN_MEMBER_ID')
      t.equal(await pending(w, 7, 5, 'x', 1, 'i'), 'FENCED_INSTANCE_ID')
      t.equal(
        await pending(w, 7, 5),
        undefined,
        'who says nothing is fenced by its transactional id',
      )
      void w.coordinator.join('g', joining())
      await settle()
      const again = await w.coordinator.join('g', joining({ memberId, groupInstanceId: 'i' }))
      t.equal(
        await pending(w, 7, 5, memberId, again.generationId, 'i'),
        undefined,
        'while others sync',
      )
    },
  )

  t.test(
    'a group with pending offsets lives; a deleted one, or topic, takes them along',
    async (t) => {
      const w = world()
      await pending(w, 7, 5)
      await w.coordinator.groups.expire()
      t.equal(w.coordinator.commits.isPending('g', 't', 0), true)
      await w.coordinator.commits.onTopicDeleted('t')
      t.equal(w.coordinator.commits.isPending('g', 't', 0), false)
      await pending(w, 7, 5)
      t.equal(await w.coordinator.groups.delete('g'), undefined)
      t.equal(await w.coordinator.commits.endPending(who(7), true), undefined)
      t.equal(w.coordinator.groups.get('g'), undefined)
      t.equal(w.table.kept.length, 0)
    },
  )

  t.test('an offset does not expire while a transaction may commit a newer one', async (t) => {
    for (const isCommit of [true, false]) {
      const w = world()
      await commit(w, '', -1, 3)
      await pending(w, 7, 5)
      await w.clock.advance(700_000_000)
      await w.coordinator.groups.expire()
      t.equal(committed(w), 3, 'long after its retention')
      await w.coordinator.commits.endPending(who(7), isCommit)
      t.equal(committed(w), isCommit ? 5 : 3)
      await w.coordinator.groups.expire()
      t.equal(committed(w), undefined, 'the newer one was asked for when it was staged')
    }
  })

  t.test('OffsetDelete takes along what transactions have staged', async (t) => {
    for (const isThere of [true, false]) {
      const w = world()
      if (isThere) await commit(w, '', -1, 3)
      await pending(w, 7, 5)
      t.same(await w.coordinator.deleteOffsets('g', [{ topic: 't', partition: 0 }]), new Map())
      t.equal(w.coordinator.commits.isPending('g', 't', 0), false)
      await w.coordinator.commits.endPending(who(7), true)
      t.equal(committed(w), undefined, 'their commit does not bring it back')
      w.restart()
      t.equal(committed(w), undefined)
      await pending(w, 8, 6)
      await w.coordinator.commits.endPending(who(8), true)
      t.equal(committed(w), 6, 'a later one does')
    }
  })

  t.test('of two transactions the one that committed its offset last counts', async (t) => {
    for (const [first, second] of [
      [7, 8],
      [8, 7],
    ] as const) {
      const w = world()
      await pending(w, 7, 5)
      await pending(w, 8, 6)
      await w.coordinator.commits.endPending(who(first), true)
      await w.coordinator.commits.endPending(who(second), true)
      t.equal(committed(w), 6, 'whichever ends first, as in Apache Kafka')
    }
  })

  t.test('groups with members are not deleted; subscribed topics keep their offsets', async (t) => {
    const w = world()
    const [first] = await stableGroup(w, 1)
    await commit(w, first!.memberId, 1)
    t.equal(await w.coordinator.groups.delete('g'), 'NON_EMPTY_GROUP')
    t.equal(await w.coordinator.groups.delete('nothing'), 'GROUP_ID_NOT_FOUND')
    const refused = await w.coordinator.deleteOffsets('g', [{ topic: 't', partition: 0 }])
    t.same(refused, new Map([['t', 'GROUP_SUBSCRIBED_TO_TOPIC']]))
    w.coordinator.leave('g', identity(first!.memberId))
    t.same(await w.coordinator.deleteOffsets('g', [{ topic: 't', partition: 0 }]), new Map())
    t.equal(w.coordinator.commits.of('g').get('t', 0), undefined)
    t.equal(await w.coordinator.groups.delete('g'), undefined)
    w.restart()
    t.equal(w.coordinator.groups.get('g'), undefined)
  })
})
