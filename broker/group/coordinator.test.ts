// Groups without sockets: a coordinator, a virtual clock, and a table that is durable when the test says so.

import fc from 'fast-check'
import t from 'tap'
import type { ErrorName } from '../../protocol/errors.ts'
import { settle, VirtualClock } from '../testing/virtual-clock.ts'
import { GroupCoordinator, type GroupEntry, type GroupStateTable } from './coordinator.ts'
import type { JoinAnswer, JoinRequest, SyncAnswer } from './messages.ts'

class MemoryTable implements GroupStateTable {
  readonly kept = new Map<string, GroupEntry>()
  failure: ErrorName | undefined
  /** Held back until `release`, when it is set. */
  #held: (() => void)[] | undefined

  hold(): void {
    this.#held = []
  }

  release(): void {
    for (const each of this.#held ?? []) each()
    this.#held = undefined
  }

  entries(): Iterable<GroupEntry> {
    return this.kept.values()
  }

  async put(entries: readonly GroupEntry[]): Promise<ErrorName | undefined> {
    if (this.failure !== undefined) return this.failure
    for (const each of entries) {
      const key = each.kind === 'group' ? each.groupId : JSON.stringify(each.key)
      if (each.value === null) this.kept.delete(key)
      else this.kept.set(key, each)
    }
    if (this.#held !== undefined) await new Promise<void>((resolve) => this.#held!.push(resolve))
    return undefined
  }
}

interface World {
  readonly clock: VirtualClock
  readonly table: MemoryTable
  coordinator: GroupCoordinator
  readonly rebalances: string[]
  restart(): void
}

function world(overrides: { initialRebalanceDelayMs?: number; membersMax?: number } = {}): World {
  const clock = new VirtualClock()
  const table = new MemoryTable()
  const rebalances: string[] = []
  let ids = 0
  const build = (): GroupCoordinator =>
    new GroupCoordinator({
      clock,
      table,
      config: {
        sessionTimeoutMsMin: 6000,
        sessionTimeoutMsMax: 1_800_000,
        initialRebalanceDelayMs: 0,
        membersMax: 1000,
        offsetsRetentionMs: 604_800_000,
        offsetsRetentionCheckMs: 600_000,
        ...overrides,
      },
      newMemberId: (prefix) => `${prefix}-${++ids}`,
      subscribedTopics: (_type, metadata) => Buffer.from(metadata).toString().split(','),
      onRebalance: (_groupId, reason) => rebalances.push(reason),
    })
  const made: World = {
    clock,
    table,
    rebalances,
    coordinator: build(),
    restart() {
      made.coordinator.close()
      made.coordinator = build()
    },
  }
  return made
}

function joining(changes: Partial<JoinRequest> = {}): JoinRequest {
  return {
    memberId: '',
    groupInstanceId: null,
    clientId: 'app',
    clientHost: '/127.0.0.1',
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 30_000,
    protocolType: 'consumer',
    protocols: [{ name: 'range', metadata: Buffer.from('t') }],
    requiresKnownMemberId: false,
    supportsSkippingAssignment: true,
    ...changes,
  }
}

function identity(memberId: string, groupInstanceId: string | null = null) {
  return { memberId, groupInstanceId }
}

function sync(
  w: World,
  answer: JoinAnswer,
  assignments: Record<string, string> = {},
): Promise<SyncAnswer> {
  return w.coordinator.sync('g', {
    ...identity(answer.memberId),
    generationId: answer.generationId,
    protocolType: null,
    protocolName: null,
    assignments: Object.entries(assignments).map(([memberId, text]) => ({
      memberId,
      assignment: Buffer.from(text),
    })),
  })
}

/** A stable group of `count` members, the first of them the leader; each is assigned its own id. */
async function stableGroup(
  w: World,
  count: number,
  changes: Partial<JoinRequest> = {},
): Promise<JoinAnswer[]> {
  let answers: JoinAnswer[] = []
  for (let i = 0; i < count; i++) {
    const newcomer = w.coordinator.join('g', joining(changes))
    const rejoins = answers.map((each) =>
      w.coordinator.join('g', joining({ ...changes, memberId: each.memberId })),
    )
    answers = await Promise.all([...rejoins, newcomer])
  }
  const leader = answers.find((each) => each.memberId === each.leaderId)!
  const shares = Object.fromEntries(answers.map((each) => [each.memberId, each.memberId]))
  await Promise.all(answers.map((each) => sync(w, each, each === leader ? shares : {})))
  return answers
}

/** Two members that have joined and not yet synced, the leader first. */
async function joinedPair(
  w: World,
  changes: Partial<JoinRequest> = {},
): Promise<[JoinAnswer, JoinAnswer]> {
  const { memberId } = await w.coordinator.join('g', joining(changes))
  const second = w.coordinator.join('g', joining(changes))
  const first = w.coordinator.join('g', joining({ ...changes, memberId }))
  return Promise.all([first, second])
}

function heartbeat(w: World, answer: JoinAnswer): ErrorName | undefined {
  return w.coordinator.heartbeat('g', identity(answer.memberId), answer.generationId)
}

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
      await w.clock.advance(10_001)
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

  t.test('a full group takes nobody else', async (t) => {
    const w = world({ membersMax: 2 })
    const [first] = await stableGroup(w, 2)
    const refused = await w.coordinator.join('g', joining())
    t.equal(refused.error, 'GROUP_MAX_SIZE_REACHED')
    t.equal(heartbeat(w, first!), undefined, 'and nothing happened to it')
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
    t.equal(w.coordinator.get('g')!.state, 'CompletingRebalance')
  })

  t.test('who does not rejoin before the rebalance timeout is dropped', async (t) => {
    const w = world()
    const [first, second] = await stableGroup(w, 2, { sessionTimeoutMs: 60_000 })
    const again = w.coordinator.join(
      'g',
      joining({ memberId: first!.memberId, sessionTimeoutMs: 60_000 }),
    )
    await w.clock.advance(30_000)
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
    await w.clock.advance(10_001)
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
      t.equal(w.coordinator.get('g')!.state, 'CompletingRebalance')
      w.table.release()
      await settle()
      t.same(answers.sort(), ['A', 'B'])
      t.equal(w.coordinator.get('g')!.state, 'Stable')
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
    'who never syncs is dropped after the rebalance timeout, and the others share anew',
    async (t) => {
      const w = world()
      const [a, b] = await joinedPair(w, { sessionTimeoutMs: 60_000 })
      await sync(w, a, { [a.memberId]: 'A' })
      await w.clock.advance(30_000)
      t.equal(w.rebalances.at(-1), 'unsynced')
      t.equal(heartbeat(w, b), 'UNKNOWN_MEMBER_ID')
      t.equal(heartbeat(w, a), 'REBALANCE_IN_PROGRESS')
    },
  )

  t.test('a generation that the disk refuses is not handed out', async (t) => {
    const w = world()
    const first = await w.coordinator.join('g', joining())
    w.table.failure = 'KAFKA_STORAGE_ERROR'
    const answer = await sync(w, first, { [first.memberId]: 'A' })
    t.equal(answer.error, 'REBALANCE_IN_PROGRESS')
    w.table.failure = undefined
    const again = await w.coordinator.join('g', joining({ memberId: first.memberId }))
    const share = await sync(w, again, { [again.memberId]: 'A' })
    t.equal(Buffer.from(share.assignment).toString(), 'A', 'and goes on when the disk does')
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
      await w.clock.advance(1001)
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

  t.test('a stall of our own loop evicts nobody', async (t) => {
    const w = world()
    const [first] = await stableGroup(w, 1)
    await w.clock.advance(8000)
    await w.clock.stall(5000)
    t.equal(heartbeat(w, first!), undefined, 'its heartbeats were waiting in the socket')
    await w.clock.advance(9000)
    t.equal(heartbeat(w, first!), undefined)
    await w.clock.advance(10_001)
    t.equal(heartbeat(w, first!), 'UNKNOWN_MEMBER_ID', 'a dead member goes all the same')
  })

  t.test('a member that waits in a join has no session to lose', async (t) => {
    const w = world()
    const first = joining({ sessionTimeoutMs: 6000, rebalanceTimeoutMs: 60_000 })
    const [a] = await stableGroup(w, 2, { sessionTimeoutMs: 60_000, rebalanceTimeoutMs: 60_000 })
    const again = w.coordinator.join('g', { ...first, memberId: a!.memberId })
    await w.clock.advance(59_000)
    t.equal(w.coordinator.get('g')!.members.has(a!.memberId), true)
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
    t.equal(w.coordinator.get('g')!.state, 'Empty')
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

  t.test('a waiting join of the old id hears that it is fenced', async (t) => {
    const w = world()
    await stableGroup(w, 1)
    const waiting = w.coordinator.join('g', asStatic('one'))
    await settle()
    void w.coordinator.join('g', asStatic('one'))
    t.equal((await waiting).error, 'FENCED_INSTANCE_ID')
  })

  t.test('a replacement while the group syncs starts anew', async (t) => {
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
    t.equal(w.coordinator.get('g')!.state, 'Empty')
  })

  t.test('it outlives a rebalance timeout but not its session', async (t) => {
    const w = world()
    const one = await stableStatic(w)
    const dynamic = w.coordinator.join('g', joining({ rebalanceTimeoutMs: 5000 }))
    await w.clock.advance(9000)
    t.ok(w.coordinator.get('g')!.members.has(one.memberId))
    await w.clock.advance(2000)
    t.notOk(w.coordinator.get('g')!.members.has(one.memberId))
    t.equal((await dynamic).error, undefined)
  })
})

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
    t.match(w.coordinator.offsetsOf('g')!.get('t', 0), { offset: 5, leaderEpoch: 3, metadata: 'm' })
    t.equal(w.coordinator.get('g')!.state, 'Empty')
    t.equal(w.coordinator.offsetsOf('other'), undefined)
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
    t.equal(w.coordinator.offsetsOf('g')?.get('t', 0), undefined)
    w.table.release()
    t.equal(await done, undefined)
    w.restart()
    t.equal(w.coordinator.offsetsOf('g')!.get('t', 0)!.offset, 5)
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
        w.coordinator.offsetsOf('g')!.get('t', 0)?.offset,
        5,
        'not while a member is subscribed',
      )
      w.coordinator.leave('g', identity(first!.memberId))
      await w.clock.advance(604_000_000)
      t.equal(w.coordinator.offsetsOf('g')!.get('t', 0)?.offset, 5)
      await w.clock.advance(2_000_000)
      t.equal(w.coordinator.get('g'), undefined)
      t.equal(w.table.kept.size, 0)
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
    t.equal(w.coordinator.offsetsOf('g')!.get('t', 0), undefined)
    t.equal(w.coordinator.offsetsOf('g')!.get('t', 1)?.offset, 2)
  })

  t.test(
    'a deleted topic takes its offsets along, also those that are just being committed',
    async (t) => {
      const w = world()
      w.table.hold()
      const done = commit(w, '', -1)
      await settle()
      const deleted = w.coordinator.onTopicDeleted('t')
      w.table.release()
      await Promise.all([done, deleted])
      t.equal(w.coordinator.offsetsOf('g')!.get('t', 0), undefined)
      w.restart()
      t.equal(w.coordinator.get('g'), undefined)
    },
  )

  t.test('groups with members are not deleted; subscribed topics keep their offsets', async (t) => {
    const w = world()
    const [first] = await stableGroup(w, 1)
    await commit(w, first!.memberId, 1)
    t.equal(await w.coordinator.delete('g'), 'NON_EMPTY_GROUP')
    t.equal(await w.coordinator.delete('nothing'), 'GROUP_ID_NOT_FOUND')
    const refused = await w.coordinator.deleteOffsets('g', [{ topic: 't', partition: 0 }])
    t.same(refused, new Map([['t', 'GROUP_SUBSCRIBED_TO_TOPIC']]))
    w.coordinator.leave('g', identity(first!.memberId))
    t.same(await w.coordinator.deleteOffsets('g', [{ topic: 't', partition: 0 }]), new Map())
    t.equal(w.coordinator.offsetsOf('g')!.get('t', 0), undefined)
    t.equal(await w.coordinator.delete('g'), undefined)
    w.restart()
    t.equal(w.coordinator.get('g'), undefined)
  })
})

t.test(
  'a restart keeps a stable group: who heartbeats in time goes on without a rebalance',
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

// Random lives: members join, sync, heartbeat, commit, leave, crash, and the broker restarts.

type Step =
  | { readonly kind: 'join' | 'beat' | 'leave' | 'crash' | 'commit'; readonly who: number }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'restart' }

const steps: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constantFrom('join', 'beat', 'leave', 'crash', 'commit'),
    who: fc.nat({ max: 4 }),
  }) as fc.Arbitrary<Step>,
  fc.record({
    kind: fc.constant('wait'),
    ms: fc.constantFrom(1, 1000, 9000, 31_000),
  }) as fc.Arbitrary<Step>,
  fc.constant({ kind: 'restart' } as const),
)

/** A member as a client library plays it: joins, syncs, owns what it is given, rejoins when told to. */
class Actor {
  memberId = ''
  generationId = -1
  owned: readonly number[] = []
  openRequests = 0
  isAlive = false
  readonly #w: World
  readonly #history: Map<number, Map<number, string>>

  constructor(w: World, history: Map<number, Map<number, string>>) {
    this.#w = w
    this.#history = history
  }

  async #ask<T>(request: Promise<T>): Promise<T> {
    this.openRequests += 1
    const answer = await request
    this.openRequests -= 1
    return answer
  }

  async join(): Promise<void> {
    this.isAlive = true
    const answer = await this.#ask(
      this.#w.coordinator.join('g', joining({ memberId: this.memberId })),
    )
    if (answer.error === 'UNKNOWN_MEMBER_ID') this.memberId = ''
    if (answer.error !== undefined || !this.isAlive) return
    this.memberId = answer.memberId
    this.generationId = answer.generationId
    const shares: Record<string, string> = {}
    answer.members.forEach((each, i) => {
      const partitions = Array.from({ length: 12 }, (_, p) => p).filter(
        (p) => p % answer.members.length === i,
      )
      shares[each.memberId] = JSON.stringify(partitions)
    })
    const share = await this.#ask(sync(this.#w, answer, shares))
    if (share.error !== undefined || share.assignment.length === 0) return
    this.owned = JSON.parse(Buffer.from(share.assignment).toString()) as number[]
    this.#claim(answer.generationId)
  }

  #claim(generationId: number): void {
    const owners = this.#history.get(generationId) ?? new Map<number, string>()
    this.#history.set(generationId, owners)
    for (const partition of this.owned) {
      const owner = owners.get(partition)
      if (owner !== undefined && owner !== this.memberId) {
        throw new Error(
          `partition ${partition} of generation ${generationId} belongs to ${owner} and ${this.memberId}`,
        )
      }
      owners.set(partition, this.memberId)
    }
  }

  beat(): void {
    const error = this.#w.coordinator.heartbeat('g', identity(this.memberId), this.generationId)
    if (error === 'UNKNOWN_MEMBER_ID') this.memberId = ''
    if (error === 'REBALANCE_IN_PROGRESS' && this.openRequests === 0) void this.join()
  }

  leave(): void {
    this.#w.coordinator.leave('g', identity(this.memberId))
    this.crash()
  }

  crash(): void {
    this.isAlive = false
    this.memberId = ''
    this.generationId = -1
    this.owned = []
  }
}

t.test(
  'whatever members do, no partition has two owners in a generation, generations rise, all waits end',
  async (t) => {
    const seed = Date.now() % 1_000_000
    t.comment(`seed ${seed}`)
    const property = fc.asyncProperty(fc.array(steps, { maxLength: 40 }), async (life) => {
      const w = world()
      const history = new Map<number, Map<number, string>>()
      const actors = Array.from({ length: 5 }, () => new Actor(w, history))
      let generationMax = 0
      let committed = -1
      for (const step of life) {
        if (step.kind === 'wait') await w.clock.advance(step.ms)
        else if (step.kind === 'restart') w.restart()
        else {
          const actor = actors[step.who]!
          if (step.kind === 'join' && actor.openRequests === 0) void actor.join()
          if (step.kind === 'beat') actor.beat()
          if (step.kind === 'leave') actor.leave()
          if (step.kind === 'crash') actor.crash()
          if (step.kind === 'commit') {
            const offset = committed + 1
            const error = await w.coordinator.commit({
              ...identity(actor.memberId),
              groupId: 'g',
              generationId: actor.generationId,
              offsets: [
                {
                  topic: 't',
                  partition: 0,
                  committed: {
                    offset,
                    leaderEpoch: -1,
                    metadata: '',
                    committedMs: 0,
                    expiresMs: null,
                  },
                },
              ],
              unknownGroupError: 'ILLEGAL_GENERATION',
            })
            if (error === undefined) committed = offset
          }
        }
        await settle()
        const generation = w.coordinator.get('g')?.generationId ?? generationMax
        if (generation < generationMax)
          throw new Error(`generation ${generation} after ${generationMax}`)
        generationMax = generation
        const kept = w.coordinator.offsetsOf('g')?.get('t', 0)?.offset ?? -1
        if (kept !== committed)
          throw new Error(`offset ${kept} where ${committed} was acknowledged`)
      }
      await w.clock.advance(120_000)
      const open = actors.filter((each) => each.openRequests > 0)
      if (open.length > 0) throw new Error(`${open.length} members wait for ever`)
      w.coordinator.close()
    })
    await fc.assert(property, { seed, numRuns: 300 })
    t.pass('300 lives')
  },
)
