// Groups of any type in the registry: with a toy type that knows only group.ts.

import t from '../../protocol/testing/tap.ts'
import type { ErrorName } from '../../protocol/errors.ts'
import { describeGroupsHandler } from '../api/15_describe_groups.ts'
import { listGroupsHandler } from '../api/16_list_groups.ts'
import { AuditLog } from '../auth/audit.ts'
import { everythingAllowed, Permissions } from '../auth/permissions.ts'
import { ProcessLog } from '../process-log.ts'
import { heartbeat, identity, joining, stableGroup, world } from '../testing/group-world.ts'
import { sessionFor } from '../testing/session.ts'
import { VirtualClock } from '../testing/virtual-clock.ts'
import type { Group, GroupDescription, OffsetRetention } from './group.ts'
import type { GroupEntry } from './state-table.ts'

const DAY_MS = 86_400_000

/** Members by name, no protocol at all; the topic `t` is read while there are any. */
class ToyGroup implements Group {
  readonly type = 'toy'
  readonly protocolType = 'toys'
  readonly groupId: string
  readonly names = new Set<string>()
  closedWith: ErrorName | undefined

  constructor(groupId: string) {
    this.groupId = groupId
  }

  get state(): string {
    return this.names.size > 0 ? 'Playing' : 'Tidy'
  }

  get memberCount(): number {
    return this.names.size
  }

  describe(): GroupDescription {
    const { state, protocolType } = this
    const rest = { groupInstanceId: null, clientId: '', clientHost: '' }
    const none = { metadata: new Uint8Array(0), assignment: new Uint8Array(0) }
    const members = Array.from(this.names, (memberId) => ({ memberId, ...rest, ...none }))
    return { state, protocolType, protocolName: '', members }
  }

  checkCommit({ memberId }: { readonly memberId: string }): ErrorName | undefined {
    return this.names.has(memberId) ? undefined : 'UNKNOWN_MEMBER_ID'
  }

  checkPendingCommit(member: { readonly memberId: string }): ErrorName | undefined {
    return this.checkCommit(member)
  }

  checkOffsetDelete(): ErrorName | undefined {
    return undefined
  }

  subscribedTopics(): ReadonlySet<string> {
    return new Set(this.names.size > 0 ? ['t'] : [])
  }

  get isEmpty(): boolean {
    return this.names.size === 0
  }

  get isIdle(): boolean {
    return this.isEmpty
  }

  offsetRetention(): OffsetRetention {
    const subscribed = this.subscribedTopics()
    return (topic, committedMs) => (subscribed.has(topic) ? undefined : committedMs)
  }

  tombstones(): readonly GroupEntry[] {
    return []
  }

  close(error: ErrorName): void {
    this.closedWith = error
  }
}

function toyWorld() {
  const w = world()
  const toy = w.coordinator.groups.add(new ToyGroup('toy'))
  toy.names.add('bear')
  const commit = (memberId: string, offset = 5) =>
    w.coordinator.commit({
      ...identity(memberId),
      groupId: 'toy',
      generationId: 0,
      offsets: [
        {
          topic: 't',
          partition: 0,
          committed: {
            offset,
            leaderEpoch: -1,
            metadata: '',
            committedMs: w.clock.now(),
            expiresMs: null,
          },
        },
      ],
      unknownGroupError: 'GROUP_ID_NOT_FOUND',
    })
  return { w, toy, commit }
}

/** The context of a request that never pauses and may do everything. */
class FreeContext extends Permissions {
  readonly session = sessionFor()
  readonly version: number
  readonly apiName = 'OffsetCommit'
  readonly work = {
    each: async (items: Iterable<unknown>, act: (item: unknown) => unknown) =>
      Promise.all(Array.from(items, act)),
    forEach: async <Item>(items: Iterable<Item>, visit: (item: Item) => void) => {
      for (const item of items) visit(item)
    },
    distinct: async (items: Iterable<unknown>) => new Set(items),
  }

  constructor(version: number) {
    const clock = new VirtualClock()
    super(everythingAllowed, new AuditLog(clock, new ProcessLog('silent', clock), false))
    this.version = version
  }
}

t.test('a group of a new type decides itself on commits', async (t) => {
  const { w, commit } = toyWorld()
  t.equal(await commit('bear'), undefined)
  t.equal(await commit('doll'), 'UNKNOWN_MEMBER_ID')
  t.equal(w.coordinator.commits.of('toy').get('t', 0)?.offset, 5)
})

t.test('a group of a new type is listed and described beside classic ones', async (t) => {
  const { w, toy } = toyWorld()
  const [member] = await stableGroup(w, 1)
  const { handle } = listGroupsHandler(w) as any
  const listed = async (filters: object) => {
    const request = { statesFilter: [], typesFilter: [], ...filters }
    const { groups } = await handle(request, new FreeContext(5))
    return groups.map((each: any) => `${each.groupId} ${each.groupType} ${each.groupState}`)
  }
  t.same(await listed({}), ['toy toy Playing', 'g classic Stable'])
  t.same(await listed({ typesFilter: ['Toy'] }), ['toy toy Playing'])
  t.same(await listed({ statesFilter: ['stable'] }), ['g classic Stable'])
  t.match(w.coordinator.groups.get('toy')!.describe(), {
    state: 'Playing',
    members: [{ memberId: 'bear' }],
  })
  t.match(w.coordinator.groups.get('g')!.describe().members, [{ memberId: member!.memberId }])
  t.equal(toy.closedWith, undefined)
})

t.test(
  'the classic protocol does not reach into a group of a new type, as in Apache Kafka',
  async (t) => {
    const { w, toy } = toyWorld()
    const joined = await w.coordinator.join('toy', joining())
    t.equal(joined.error, 'INCONSISTENT_GROUP_PROTOCOL')
    t.equal(heartbeat(w, { ...joined, memberId: 'bear' }), 'UNKNOWN_MEMBER_ID')
    t.equal(w.coordinator.leave('toy', identity('bear')), 'UNKNOWN_MEMBER_ID')
    t.equal(toy.memberCount, 1)
    const { handle } = describeGroupsHandler(w) as any
    const request = { groups: ['toy'], includeAuthorizedOperations: false }
    const [newer, older] = [
      await handle(request, new FreeContext(6)),
      await handle(request, new FreeContext(5)),
    ]
    t.match(newer.groups, [{ errorCode: 69, errorMessage: /not a classic group/ }])
    t.match(older.groups, [{ errorCode: 0, groupState: 'Dead' }])
  },
)

t.test('a group of a new type keeps the offsets that it needs, then expires', async (t) => {
  const { w, toy, commit } = toyWorld()
  await commit('bear')
  await w.clock.advance(8 * DAY_MS)
  t.equal(w.coordinator.commits.of('toy').get('t', 0)?.offset, 5, 'while a member reads the topic')
  toy.names.clear()
  await w.clock.advance(600_001)
  t.ok(w.coordinator.commits.of('toy').isEmpty)
  t.equal(w.coordinator.groups.get('toy'), undefined)
  t.equal(toy.closedWith, 'COORDINATOR_NOT_AVAILABLE')
  t.same(w.table.kept, [])
})

t.test('a group of a new type is deleted once it is empty, with its offsets', async (t) => {
  const { w, toy, commit } = toyWorld()
  await commit('bear')
  t.equal(await w.coordinator.groups.delete('toy'), 'NON_EMPTY_GROUP')
  t.same(
    await w.coordinator.deleteOffsets('toy', [{ topic: 't', partition: 0 }]),
    new Map([['t', 'GROUP_SUBSCRIBED_TO_TOPIC']]),
  )
  toy.names.clear()
  t.equal(await w.coordinator.groups.delete('toy'), undefined)
  t.equal(w.coordinator.groups.get('toy'), undefined)
  t.same(w.table.kept, [])
})

t.test('a group that the disk does not delete stays, and its offsets with it', async (t) => {
  const { w, toy, commit } = toyWorld()
  await commit('bear')
  toy.names.clear()
  w.table.failure = 'COORDINATOR_NOT_AVAILABLE'
  t.equal(await w.coordinator.groups.delete('toy'), 'COORDINATOR_NOT_AVAILABLE')
  t.equal(w.coordinator.groups.get('toy'), toy)
  t.equal(w.coordinator.commits.of('toy').get('t', 0)?.offset, 5)
})
