// Assignors: examples, and by property that every partition has one owner and shares are even.

import fc from 'fast-check'
import t from '../../protocol/testing/tap.ts'
import { budget } from '../../protocol/testing/budget.ts'
import { SEED } from '../../protocol/testing/seed.ts'
import type { TopicPartition } from '../topic.ts'
import type { GroupAssignment, MemberSubscription } from './assignor.ts'
import { assignors, cooperativeSticky, range, roundRobin } from './assignors.ts'

function member(
  memberId: string,
  topics: string[],
  changes: Partial<MemberSubscription> = {},
): MemberSubscription {
  const usual = { groupInstanceId: null, owned: [], generationId: -1, userData: null }
  return { memberId, topics, ...usual, ...changes }
}

/** Member id -> its partitions by topic. */
function plain(assignment: GroupAssignment): Record<string, Record<string, number[]>> {
  const entries = Array.from(assignment, ([id, { partitions }]) => {
    const byTopic: Record<string, number[]> = {}
    for (const { topic, partition } of partitions) (byTopic[topic] ??= []).push(partition)
    return [id, byTopic] as const
  })
  return Object.fromEntries(entries)
}

function ownedOf(assignment: GroupAssignment, memberId: string): readonly TopicPartition[] {
  return assignment.get(memberId)!.partitions
}

t.test('range gives each member a stretch of every topic', async (t) => {
  const members = [member('b', ['t', 'u']), member('a', ['t', 'u']), member('c', ['u'])]
  const counts = new Map([
    ['t', 3],
    ['u', 3],
  ])
  t.same(plain(range.assign({ members, partitionCounts: counts })), {
    a: { t: [0, 1], u: [0] },
    b: { t: [2], u: [1] },
    c: { u: [2] },
  })
})

t.test('round-robin deals all partitions in turn', async (t) => {
  const members = [member('a', ['t', 'u']), member('b', ['t', 'u'])]
  const counts = new Map([
    ['t', 3],
    ['u', 3],
  ])
  t.same(plain(roundRobin.assign({ members, partitionCounts: counts })), {
    a: { t: [0, 2], u: [1] },
    b: { t: [1], u: [0, 2] },
  })
})

t.test('round-robin passes members by that do not read the topic', async (t) => {
  const members = [member('a', ['t']), member('b', ['u'])]
  const counts = new Map([
    ['t', 2],
    ['u', 2],
    ['nobody', 2],
  ])
  t.same(plain(roundRobin.assign({ members, partitionCounts: counts })), {
    a: { t: [0, 1] },
    b: { u: [0, 1] },
  })
})

t.test('static members come first and keep their place under a new member id', async (t) => {
  const counts = new Map([['t', 3]])
  const before = range.assign({
    members: [member('x9', ['t'], { groupInstanceId: 'one' }), member('b', ['t'])],
    partitionCounts: counts,
  })
  const after = range.assign({
    members: [member('b', ['t']), member('z1', ['t'], { groupInstanceId: 'one' })],
    partitionCounts: counts,
  })
  t.same(plain(before)['x9'], plain(after)['z1'])
})

t.test('cooperative-sticky leaves what moves to nobody for one generation', async (t) => {
  const counts = new Map([['t', 4]])
  const all = [0, 1, 2, 3].map((partition) => ({ topic: 't', partition }))
  const first = cooperativeSticky.assign({
    members: [member('a', ['t'], { owned: all, generationId: 1 }), member('b', ['t'])],
    partitionCounts: counts,
  })
  t.same(plain(first), { a: { t: [0, 1] }, b: {} })
  const second = cooperativeSticky.assign({
    members: [
      member('a', ['t'], { owned: ownedOf(first, 'a'), generationId: 2 }),
      member('b', ['t'], { generationId: 2 }),
    ],
    partitionCounts: counts,
  })
  t.same(plain(second), { a: { t: [0, 1] }, b: { t: [2, 3] } })
})

t.test(
  'cooperative-sticky believes the newer of two claims, and neither of two of one age',
  async (t) => {
    const counts = new Map([['t', 2]])
    const claim = [{ topic: 't', partition: 0 }]
    const stale = cooperativeSticky.assign({
      members: [
        member('a', ['t'], { owned: claim, generationId: 3 }),
        member('b', ['t'], { owned: claim, generationId: 4 }),
      ],
      partitionCounts: counts,
    })
    t.same(plain(stale), { a: { t: [1] }, b: { t: [0] } })
    const tied = cooperativeSticky.assign({
      members: [
        member('a', ['t'], { owned: claim, generationId: 4 }),
        member('b', ['t'], { owned: claim, generationId: 4 }),
      ],
      partitionCounts: counts,
    })
    t.equal([...tied.values()].flatMap(({ partitions }) => partitions).length, 2)
  },
)

const groups = fc.record({
  memberCount: fc.integer({ min: 1, max: 6 }),
  topicCounts: fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 4 }),
  subscriptions: fc.array(fc.nat({ max: 15 }), { minLength: 6, maxLength: 6 }),
})

t.test('every assignor gives each partition that is read to exactly one reader', async (t) => {
  t.comment(`SEED=${SEED}`)
  const property = fc.property(groups, ({ memberCount, topicCounts, subscriptions }) => {
    const counts = new Map(topicCounts.map((count, i) => [`t${i}`, count]))
    const names = [...counts.keys()]
    let members = Array.from({ length: memberCount }, (_, i) =>
      member(
        `m${i}`,
        names.filter((_, bit) => (subscriptions[i]! | 1) & (1 << bit)),
      ),
    )
    for (const assignor of assignors) {
      let assignment = assignor.assign({ members, partitionCounts: counts })
      for (let generationId = 1; assignor.rebalanceProtocols && generationId < 4; generationId++) {
        const before = assignment
        members = members.map((each) => ({
          ...each,
          owned: ownedOf(before, each.memberId),
          generationId,
        }))
        assignment = assignor.assign({ members, partitionCounts: counts })
      }
      const seen = new Set<string>()
      for (const each of members) {
        for (const { topic, partition } of ownedOf(assignment, each.memberId)) {
          if (!each.topics.includes(topic))
            throw new Error(`${assignor.name}: ${each.memberId} does not read ${topic}`)
          if (seen.has(`${topic}/${partition}`))
            throw new Error(`${assignor.name}: ${topic}/${partition} twice`)
          seen.add(`${topic}/${partition}`)
        }
      }
      const read = names.filter((name) => members.some((each) => each.topics.includes(name)))
      const expected = read.reduce((sum, name) => sum + counts.get(name)!, 0)
      if (seen.size !== expected)
        throw new Error(`${assignor.name}: ${seen.size} of ${expected} partitions`)
    }
  })
  fc.assert(property, { seed: SEED, numRuns: budget(300, 2000, 'RUNS') })
  t.pass('2000 groups')
})

t.test(
  'cooperative-sticky comes to rest: even to within one, and nothing moves that need not',
  async (t) => {
    t.comment(`SEED=${SEED}`)
    const sizes = fc.record({
      before: fc.integer({ min: 1, max: 6 }),
      after: fc.integer({ min: 1, max: 6 }),
      count: fc.nat({ max: 30 }),
    })
    const property = fc.property(sizes, ({ before, after, count }) => {
      const counts = new Map([['t', count]])
      let assignment: GroupAssignment = new Map()
      let generationId = 0
      const settle = (size: number): void => {
        for (let round = 0; round < 2; round++) {
          const previous = assignment
          const members = Array.from({ length: size }, (_, i) => {
            const owned = previous.has(`m${i}`) ? ownedOf(previous, `m${i}`) : []
            return member(`m${i}`, ['t'], { owned, generationId })
          })
          assignment = cooperativeSticky.assign({ members, partitionCounts: counts })
          generationId++
        }
      }
      settle(before)
      const held = new Map([...assignment.keys()].map((id) => [id, ownedOf(assignment, id).length]))
      settle(after)
      const sharesNow = [...assignment.keys()].map((id) => ownedOf(assignment, id).length)
      if (Math.max(...sharesNow) - Math.min(...sharesNow) > 1)
        throw new Error(`uneven: ${sharesNow.join()}`)
      if (after >= before) return
      for (const [id, share] of held) {
        if (assignment.has(id) && ownedOf(assignment, id).length < share)
          throw new Error(`${id} lost what it held`)
      }
    })
    fc.assert(property, { seed: SEED, numRuns: budget(300, 2000, 'RUNS') })
    t.pass('2000 changes of membership')
  },
)
