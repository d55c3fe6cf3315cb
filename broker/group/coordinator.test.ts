// Members of groups without sockets, by scenarios: join, sync, sessions, static members, restarts.

import t from '../../protocol/testing/tap.ts'
import {
  classicGroup,
  heartbeat,
  identity,
  joinedPair,
  joining,
  pass,
  stableGroup,
  sync,
  world,
  type World,
} from '../testing/group-world.ts'
import { settle } from '../testing/virtual-clock.ts'
import type { JoinAnswer, JoinRequest, SyncAnswer } from './messages.ts'

t.test('joining', async (t) => {
  t.test('the first member leads, hears of all members and hands out the shares', async (t) => {
    const w = world()
    const [first, second] = await stableGroup(w, 2)
    t.equal(first!.leaderId, first!.memberId)
    t.equal(first!.members.length, 2)
    t.equal(second!.leaderId, first!.memberId)
    t.same(second!.members, [], 'a follower hears of nobody')
    t.equal(first!.generationId, 2)
    const share = await sync(w, second!)
    t.equal(Buffer.from(share.assignment).toString(), second!.memberId)
  })

  t.test('bad requests are refused, each with its own code', async (t) => {
    const w = world()
    const refusal = async (groupId: string, changes: Partial<JoinRequest>) =>
      (await w.coordinator.join(groupId, joining(changes))).error
    t.equal(await refusal('', {}), 'INVALID_GROUP_ID')
    t.equal(await refusal('g', { sessionTimeoutMs: 5999 }), 'INVALID_SESSION_TIMEOUT')
    t.equal(await refusal('g', { sessionTimeoutMs: 1_800_001 }), 'INVALID_SESSION_TIMEOUT')
    t.equal(await refusal('g', { memberId: 'nobody' }), 'UNKNOWN_MEMBER_ID')
    t.equal(await refusal('g', { protocolType: '' }), 'INCONSISTENT_GROUP_PROTOCOL')
    t.equal(await refusal('g', { protocols: [] }), 'INCONSISTENT_GROUP_PROTOCOL')
    await stableGroup(w, 1)
    t.equal(await refusal('g', { memberId: 'nobody' }), 'UNKNOWN_MEMBER_ID')
    t.equal(await refusal('g', { protocolType: 'connect' }), 'INCONSISTENT_GROUP_PROTOCOL')
    const other = [{ name: 'sticky', metadata: Buffer.from('t') }]
    t.equal(await refusal('g', { protocols: other }), 'INCONSISTENT_GROUP_PROTOCOL')
  })

  t.test(
    'a new dynamic member is first given an id, which is good for one session timeout',
    async (t) => {
      const w = world()
      const asked = await w.coordinator.join('g', joining({ requiresKnownMemberId: true }))
      t.equal(asked.error, 'MEMBER_ID_REQUIRED')
      t.match(asked.memberId, /^app-/)
      const { memberId } = asked
      const joined = await w.coordinator.join(
        'g',
        joining({ memberId, requiresKnownMemberId: true }),
      )
      t.equal(joined.error, undefined)
      t.equal(joined.memberId, memberId)
      const late = await w.coordinator.join('g', joining({ requiresKnownMemberId: true }))
      await pass(w, 10_000)
      const refused = await w.coordinator.join('g', joining({ memberId: late.memberId }))
      t.equal(refused.error, 'UNKNOWN_MEMBER_ID')
    },
  )

  t.test(
    'the first members of an empty group wait for each other, up to the rebalance timeout',
    async (t) => {
      const w = world({ initialRebalanceDelayMs: 3000 })
      const answers: JoinAnswer[] = []
      const take = (answer: JoinAnswer) => answers.push(answer)
      void w.coordinator.join('g', joining({ rebalanceTimeoutMs: 7000 })).then(take)
      await w.clock.advance(2000)
      void w.coordinator.join('g', joining({ rebalanceTimeoutMs: 7000 })).then(take)
      await w.clock.advance(3999)
      t.equal(answers.length, 0, 'a newcomer draws the wait out')
      await w.clock.advance(1)
      t.equal(answers.length, 2)
      t.ok(answers.every((each) => each.generationId === 1))
    },
  )

  t.test(
    'the protocol is the one that most members prefer among those that all know',
    async (t) => {
      const w = world()
      const protocols = (...names: string[]) =>
        names.map((name) => ({ name, metadata: Buffer.from(name) }))
      const first = await w.coordinator.join('g', joining({ protocols: protocols('a', 'b', 'c') }))
      const second = w.coordinator.join('g', joining({ protocols: protocols('b', 'c') }))
      const again = w.coordinator.join(
        'g',
        joining({ memberId: first.memberId, protocols: protocols('a', 'b', 'c') }),
      )
      t.equal((await second).protocolName, 'b')
      t.same(
        (await again).members.map((each) => Buffer.from(each.metadata).toString()),
        ['b', 'b'],
      )
    },
  )

  t.test('a full group takes no further member', async (t) => {
    const w = world({ membersMax: 2 })
    const [first] = await stableGroup(w, 2)
    const refused = await w.coordinator.join('g', joining())
    t.equal(refused.error, 'GROUP_MAX_SIZE_REACHED')
    t.equal(heartbeat(w, first!), undefined, 'and nothing happened to it')
  })

  t.test('a static member comes back into a full group', async (t) => {
    const w = world({ membersMax: 1 })
    await stableGroup(w, 1, { groupInstanceId: 'one' })
    const back = await w.coordinator.join('g', joining({ groupInstanceId: 'one' }))
    t.equal(back.error, undefined)
    const other = await w.coordinator.join('g', joining({ groupInstanceId: 'two' }))
    t.equal(other.error, 'GROUP_MAX_SIZE_REACHED')
  })

  t.test('an empty group takes members of any kind, and is known by the last one', async (t) => {
    const w = world()
    const [first] = await stableGroup(w, 1)
    w.coordinator.leave('g', identity(first!.memberId))
    t.equal(w.coordinator.groups.get('g')!.protocolType, 'consumer')
    const worker = joining({ protocolType: 'connect' })
    t.equal((await w.coordinator.join('g', worker)).protocolType, 'connect')
  })

  t.test('an id that was given out holds a rebalance up while others are there', async (t) => {
    const w = world()
    const [first] = await stableGroup(w, 1)
    const asked = await w.coordinator.join('g', joining({ requiresKnownMemberId: true }))
    let rejoined: JoinAnswer | undefined
    void w.coordinator
      .join('g', joining({ memberId: first!.memberId }))
      .then((answer) => (rejoined = answer))
    await settle()
    t.equal(rejoined, undefined)
    await w.coordinator.join('g', joining({ memberId: asked.memberId }))
    await settle()
    t.equal(rejoined!.members.length, 2)
  })

  t.test(
    'a follower that joins again unchanged gets the current generation, a leader starts a new one',
    async (t) => {
      const w = world()
      const [leader, follower] = await stableGroup(w, 2)
      const repeated = await w.coordinator.join('g', joining({ memberId: follower!.memberId }))
      t.equal(repeated.generationId, 2)
      t.same(w.rebalances, ['join', 'join'])
      void w.coordinator.join('g', joining({ memberId: leader!.memberId }))
      await settle()
      t.equal(heartbeat(w, follower!), 'REBALANCE_IN_PROGRESS')
    },
  )

  t.test('changed metadata starts a new generation', async (t) => {
    const w = world()
    const [, follower] = await stableGroup(w, 2)
    const protocols = [{ name: 'range', metadata: Buffer.from('u') }]
    void w.coordinator.join('g', joining({ memberId: follower!.memberId, protocols }))
    await settle()
    t.equal(w.rebalances.at(-1), 'metadata')
  })

  t.test('a join answer that was lost is repeated while the others still sync', async (t) => {
    const w = world()
    const first = await w.coordinator.join('g', joining())
    const repeated = await w.coordinator.join('g', joining({ memberId: first.memberId }))
    t.same(repeated, first)
    t.equal(w.coordinator.groups.get('g')!.state, 'CompletingRebalance')
  })

  t.test('a member that does not rejoin before the rebalance timeout is dropped', async (t) => {
    const w = world()
    const [first, second] = await stableGroup(w, 2, { sessionTimeoutMs: 60_000 })
    const again = w.coordinator.join(
      'g',
      joining({ memberId: first!.memberId, sessionTimeoutMs: 60_000 }),
    )
    await pass(w, 30_000)
    const answer = await again
    t.equal(answer.members.length, 1)
    t.equal(heartbeat(w, second!), 'UNKNOWN_MEMBER_ID')
  })

  t.test('a dead member holds a rebalance up no longer than its session', async (t) => {
    const w = world()
    const [first] = await stableGroup(w, 2)
    let answer: JoinAnswer | undefined
    void w.coordinator
      .join('g', joining({ memberId: first!.memberId }))
      .then((each) => (answer = each))
    await pass(w, 10_000)
    t.equal(answer?.members.length, 1, 'after 10 s of session, not 30 s of rebalance timeout')
  })

  t.test(
    'a second join of a waiting member answers the first: nobody waits for ever',
    async (t) => {
      const w = world()
      const [first] = await stableGroup(w, 2)
      const waiting = w.coordinator.join('g', joining({ memberId: first!.memberId }))
      void w.coordinator.join('g', joining({ memberId: first!.memberId }))
      t.equal((await waiting).error, 'REBALANCE_IN_PROGRESS')
    },
  )
})

t.test('syncing', async (t) => {
  t.test(
    'followers wait for the leader; nobody is answered before the generation is durable',
    async (t) => {
      const w = world()
      const [a, b] = await joinedPair(w)
      const answers: string[] = []
      w.table.hold()
      const take = (each: SyncAnswer) => answers.push(Buffer.from(each.assignment).toString())
      void sync(w, b).then(take)
      await settle()
      t.same(answers, [])
      void sync(w, a, { [a.memberId]: 'A', [b.memberId]: 'B' }).then(take)
      await settle()
      t.same(answers, [], 'the disk has not answered')
      t.equal(w.coordinator.groups.get('g')!.state, 'CompletingRebalance')
      w.table.release()
      await settle()
      t.same(answers.sort(), ['A', 'B'])
      t.equal(w.coordinator.groups.get('g')!.state, 'Stable')
    },
  )

  t.test('a member that the leader forgot gets an empty share', async (t) => {
    const w = world()
    const [a, b] = await joinedPair(w)
    const [, forgotten] = await Promise.all([sync(w, a, { [a.memberId]: 'A' }), sync(w, b)])
    t.equal(forgotten.error, undefined)
    t.equal(forgotten.assignment.length, 0)
  })

  t.test('wrong generation, protocol or member: refused', async (t) => {
    const w = world()
    const [first] = await stableGroup(w, 1)
    const base = {
      ...identity(first!.memberId),
      generationId: first!.generationId,
      assignments: [],
    }
    const refusal = async (changes: object) =>
      (
        await w.coordinator.sync('g', {
          ...base,
          protocolType: null,
          protocolName: null,
          ...changes,
        })
      ).error
    t.equal(await refusal({ generationId: 7 }), 'ILLEGAL_GENERATION')
    t.equal(await refusal({ memberId: 'x' }), 'UNKNOWN_MEMBER_ID')
    t.equal(await refusal({ protocolType: 'connect' }), 'INCONSISTENT_GROUP_PROTOCOL')
    t.equal(await refusal({ protocolName: 'sticky' }), 'INCONSISTENT_GROUP_PROTOCOL')
    t.equal(await refusal({}), undefined)
  })

  t.test(
    'a member that never syncs is dropped after the rebalance timeout, and the group assigns again',
    async (t) => {
      const w = world()
      const [a, b] = await joinedPair(w, { sessionTimeoutMs: 60_000 })
      await sync(w, a, { [a.memberId]: 'A' })
      await pass(w, 30_000)
      t.equal(w.rebalances.at(-1), 'unsynced')
      t.equal(heartbeat(w, b), 'UNKNOWN_MEMBER_ID')
      t.equal(heartbeat(w, a), 'REBALANCE_IN_PROGRESS')
    },
  )

  t.test('a generation that the disk refuses is not handed out', async (t) => {
    const w = world()
    const first = await w.coordinator.join('g', joining())
    w.table.failure = 'COORDINATOR_NOT_AVAILABLE'
    const answer = await sync(w, first, { [first.memberId]: 'A' })
    t.equal(answer.error, 'COORDINATOR_NOT_AVAILABLE')
    w.table.failure = undefined
    const again = await w.coordinator.join('g', joining({ memberId: first.memberId }))
    const share = await sync(w, again, { [again.memberId]: 'A' })
    t.equal(Buffer.from(share.assignment).toString(), 'A', 'and goes on when the disk does')
  })
})

t.test('syncing while others come and go', async (t) => {
  t.test('a rebalance answers members that wait for the leader at once', async (t) => {
    const w = world()
    const [, b] = await joinedPair(w)
    const waiting = sync(w, b)
    await settle()
    void w.coordinator.join('g', joining())
    t.equal((await waiting).error, 'REBALANCE_IN_PROGRESS')
  })

  t.test('a member that waits for a leader that never syncs is not dropped with it', async (t) => {
    const w = world()
    const [a, b] = await joinedPair(w, { sessionTimeoutMs: 60_000 })
    const waiting = sync(w, b)
    await pass(w, 30_000)
    t.equal((await waiting).error, 'REBALANCE_IN_PROGRESS')
    t.equal(heartbeat(w, a), 'UNKNOWN_MEMBER_ID')
    t.equal(heartbeat(w, b), 'REBALANCE_IN_PROGRESS')
  })

  t.test('a member that waits for the leader has no session to lose', async (t) => {
    const w = world()
    const [a, b] = await joinedPair(w)
    const waiting = sync(w, b)
    for (let i = 0; i < 3; i++) {
      await w.clock.advance(9000)
      t.equal(heartbeat(w, a), undefined)
    }
    await sync(w, a, { [b.memberId]: 'B' })
    t.equal(Buffer.from((await waiting).assignment).toString(), 'B')
    await pass(w, 10_000)
    t.equal(heartbeat(w, b), 'UNKNOWN_MEMBER_ID', 'but has one again once it is answered')
  })

  t.test('shares that become durable too late are not those of the next generation', async (t) => {
    const w = world()
    const [a, b] = await joinedPair(w)
    w.table.hold()
    const late = [sync(w, a, { [a.memberId]: 'old A' }), sync(w, b)]
    await settle()
    const rejoins = [a, b].map(({ memberId }) => {
      const protocols = [{ name: 'range', metadata: Buffer.from('u') }]
      return w.coordinator.join('g', joining({ memberId, protocols }))
    })
    for (const each of await Promise.all(late)) t.equal(each.error, 'REBALANCE_IN_PROGRESS')
    const [c] = (await Promise.all(rejoins)) as [JoinAnswer]
    w.table.release()
    await settle()
    t.equal(w.coordinator.groups.get('g')!.state, 'CompletingRebalance')
    const share = await sync(w, c, { [c.memberId]: 'new A' })
    t.equal(Buffer.from(share.assignment).toString(), 'new A')
  })
})

t.test('sessions', async (t) => {
  t.test(
    'heartbeats keep a member; without them it is removed and the others rebalance',
    async (t) => {
      const w = world()
      const [first, second] = await stableGroup(w, 2)
      for (let i = 0; i < 5; i++) {
        await w.clock.advance(9000)
        t.equal(heartbeat(w, first!), undefined)
        t.equal(heartbeat(w, second!), undefined)
      }
      await w.clock.advance(9000)
      t.equal(heartbeat(w, first!), undefined)
      await pass(w, 1000)
      t.equal(heartbeat(w, second!), 'UNKNOWN_MEMBER_ID')
      t.equal(heartbeat(w, first!), 'REBALANCE_IN_PROGRESS')
      t.equal(w.rebalances.at(-1), 'expired')
    },
  )

  t.test('a heartbeat that is told to rejoin renews the session all the same', async (t) => {
    const w = world()
    const [first, second] = await stableGroup(w, 2)
    void w.coordinator.join('g', joining({ memberId: first!.memberId }))
    for (let i = 0; i < 2; i++) {
      await w.clock.advance(9000)
      t.equal(heartbeat(w, second!), 'REBALANCE_IN_PROGRESS')
    }
  })

  t.test('a session ends at its time, and a little later only after a stall', async (t) => {
    const w = world()
    const [first, second] = await stableGroup(w, 2)
    const isMember = (answer: JoinAnswer) => classicGroup(w).members.has(answer.memberId)
    await w.clock.advance(9999)
    t.equal(isMember(first!), true)
    t.equal(heartbeat(w, second!), undefined)
    await w.clock.advance(2)
    t.equal(isMember(first!), false)
    await w.clock.stall(11_000)
    await w.clock.advance(99)
    t.equal(isMember(second!), true)
    await w.clock.advance(1)
    t.equal(isMember(second!), false)
  })

  t.test('a stall of our own loop evicts no member', async (t) => {
    const w = world()
    const [first] = await stableGroup(w, 1)
    await w.clock.advance(8000)
    await w.clock.stall(5000)
    t.equal(heartbeat(w, first!), undefined, 'its heartbeats were waiting in the socket')
    await w.clock.advance(9000)
    t.equal(heartbeat(w, first!), undefined)
    await pass(w, 10_000)
    t.equal(heartbeat(w, first!), 'UNKNOWN_MEMBER_ID', 'a dead member goes all the same')
  })

  t.test('nor does one that ends when the session does', async (t) => {
    const w = world()
    const [first] = await stableGroup(w, 1)
    await w.clock.advance(5000)
    await w.clock.stall(5001)
    t.equal(heartbeat(w, first!), undefined)
  })

  t.test('a member that waits in a join has no session to lose', async (t) => {
    const w = world()
    const first = joining({ sessionTimeoutMs: 6000, rebalanceTimeoutMs: 60_000 })
    const [a] = await stableGroup(w, 2, { sessionTimeoutMs: 60_000, rebalanceTimeoutMs: 60_000 })
    const again = w.coordinator.join('g', { ...first, memberId: a!.memberId })
    await w.clock.advance(1000)
    t.equal(heartbeat(w, a!), 'REBALANCE_IN_PROGRESS', 'which a heartbeat meanwhile does not start')
    await w.clock.advance(58_000)
    t.equal(classicGroup(w).members.has(a!.memberId), true)
    await w.clock.advance(2000)
    t.equal((await again).error, undefined)
  })

  t.test('leaving takes effect at once and frees the shares', async (t) => {
    const w = world()
    const [first, second] = await stableGroup(w, 2)
    t.equal(w.coordinator.leave('g', identity(second!.memberId)), undefined)
    t.equal(w.coordinator.leave('g', identity(second!.memberId)), 'UNKNOWN_MEMBER_ID')
    t.equal(heartbeat(w, first!), 'REBALANCE_IN_PROGRESS')
    t.equal(w.coordinator.leave('g', identity(first!.memberId)), undefined)
    t.equal(w.coordinator.groups.get('g')!.state, 'Empty')
    t.equal(w.coordinator.leave('nothing', identity('x')), 'UNKNOWN_MEMBER_ID')
  })
})

t.test('static members', async (t) => {
  const asStatic = (instance: string, changes: Partial<JoinRequest> = {}) =>
    joining({ groupInstanceId: instance, requiresKnownMemberId: true, ...changes })

  async function stableStatic(w: World): Promise<JoinAnswer> {
    const answer = await w.coordinator.join('g', asStatic('one'))
    await w.coordinator.sync('g', {
      ...identity(answer.memberId, 'one'),
      generationId: answer.generationId,
      protocolType: null,
      protocolName: null,
      assignments: [{ memberId: answer.memberId, assignment: Buffer.from('A') }],
    })
    return answer
  }

  t.test(
    'it joins without the id round, comes back under a new id without a rebalance, and the old id is fenced',
    async (t) => {
      const w = world()
      const first = await stableStatic(w)
      t.match(first.memberId, /^one-/)
      const back = await w.coordinator.join('g', asStatic('one'))
      t.equal(back.error, undefined)
      t.not(back.memberId, first.memberId)
      t.equal(back.generationId, first.generationId)
      t.equal(back.skipAssignment, true)
      t.equal(back.leaderId, back.memberId)
      t.equal(back.members.length, 1)
      t.same(w.rebalances, ['join'])
      const fenced = w.coordinator.heartbeat(
        'g',
        identity(first.memberId, 'one'),
        first.generationId,
      )
      t.equal(fenced, 'FENCED_INSTANCE_ID')
      const rejoined = await w.coordinator.join('g', asStatic('one', { memberId: first.memberId }))
      t.equal(rejoined.error, 'FENCED_INSTANCE_ID')
      const share = await w.coordinator.sync('g', {
        ...identity(back.memberId, 'one'),
        generationId: back.generationId,
        protocolType: null,
        protocolName: null,
        assignments: [],
      })
      t.equal(Buffer.from(share.assignment).toString(), 'A', 'with the share it had')
    },
  )

  t.test(
    'before v9 the replaced leader is told that the old one leads, so that it follows',
    async (t) => {
      const w = world()
      const first = await stableStatic(w)
      const back = await w.coordinator.join(
        'g',
        asStatic('one', { supportsSkippingAssignment: false }),
      )
      t.equal(back.leaderId, first.memberId)
      t.same(back.members, [])
      t.equal(back.skipAssignment, false)
    },
  )

  t.test('a replacement is answered once it is durable', async (t) => {
    const w = world()
    await stableStatic(w)
    w.table.hold()
    let back: JoinAnswer | undefined
    void w.coordinator.join('g', asStatic('one')).then((answer) => (back = answer))
    await settle()
    t.equal(back, undefined)
    w.table.release()
    await settle()
    t.equal(back!.error, undefined)
  })

  t.test('a waiting join of the old id hears that it is fenced', async (t) => {
    const w = world()
    await stableGroup(w, 1)
    const waiting = w.coordinator.join('g', asStatic('one'))
    await settle()
    void w.coordinator.join('g', asStatic('one'))
    t.equal((await waiting).error, 'FENCED_INSTANCE_ID')
  })

  t.test('a replacement while the group syncs starts a new rebalance', async (t) => {
    const w = world()
    await w.coordinator.join('g', asStatic('one'))
    const back = await w.coordinator.join('g', asStatic('one'))
    t.equal(back.generationId, 2)
    t.equal(w.rebalances.at(-1), 'static')
  })

  t.test('it leaves by its instance id alone; unknown instances are refused', async (t) => {
    const w = world()
    await stableStatic(w)
    t.equal(w.coordinator.leave('g', identity('', 'two')), 'UNKNOWN_MEMBER_ID')
    t.equal(w.coordinator.leave('g', identity('', 'one')), undefined)
    t.equal(w.coordinator.groups.get('g')!.state, 'Empty')
  })

  t.test('it outlives a rebalance timeout but not its session', async (t) => {
    const w = world()
    const one = await stableStatic(w)
    const dynamic = w.coordinator.join('g', joining({ rebalanceTimeoutMs: 5000 }))
    await w.clock.advance(9000)
    t.ok(classicGroup(w).members.has(one.memberId))
    await w.clock.advance(2000)
    t.notOk(classicGroup(w).members.has(one.memberId))
    t.equal((await dynamic).error, undefined)
  })
})

t.test(
  'a restart keeps a stable group: a member that heartbeats in time goes on without a rebalance',
  async (t) => {
    const w = world()
    const [first, second] = await stableGroup(w, 2)
    w.restart()
    t.equal(heartbeat(w, first!), undefined)
    t.equal(heartbeat(w, second!), undefined)
    const share = await sync(w, second!)
    t.equal(Buffer.from(share.assignment).toString(), second!.memberId)
    await w.clock.advance(9000)
    t.equal(heartbeat(w, first!), undefined)
    await w.clock.advance(2000)
    t.equal(heartbeat(w, second!), 'UNKNOWN_MEMBER_ID', 'who does not is dropped after its session')
  },
)
