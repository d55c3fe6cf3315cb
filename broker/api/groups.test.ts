// Consumer groups over sockets, in every version: members, offsets, administration.

import t from '../../protocol/testing/tap.ts'
import { metadata } from '../../protocol/api/03_metadata.ts'
import { fetch } from '../../protocol/api/01_fetch.ts'
import { offsetCommit } from '../../protocol/api/08_offset_commit.ts'
import { offsetFetch } from '../../protocol/api/09_offset_fetch.ts'
import { findCoordinator } from '../../protocol/api/10_find_coordinator.ts'
import { joinGroup } from '../../protocol/api/11_join_group.ts'
import { leaveGroup } from '../../protocol/api/13_leave_group.ts'
import { syncGroup } from '../../protocol/api/14_sync_group.ts'
import { describeGroups } from '../../protocol/api/15_describe_groups.ts'
import { listGroups } from '../../protocol/api/16_list_groups.ts'
import { deleteTopics } from '../../protocol/api/20_delete_topics.ts'
import { describeConfigs } from '../../protocol/api/32_describe_configs.ts'
import { deleteGroups } from '../../protocol/api/42_delete_groups.ts'
import { offsetDelete } from '../../protocol/api/47_offset_delete.ts'
import { encodeSubscription } from '../../protocol/consumer-protocol.ts'
import { errorCode, errorName } from '../../protocol/errors.ts'
import type { Api } from '../../protocol/schema.ts'
import { GroupClient, outside } from '../testing/group-client.ts'
import { batchOf, fetchRequest, produceTo, World } from '../testing/world.ts'

const world = await World.open(t)
const { client } = await world.topic('t', 2)

async function groupClient(groupId: string): Promise<GroupClient> {
  return new GroupClient(await world.connect(), groupId)
}

function versionsOf({ versions }: Api<any, any>): number[] {
  return Array.from({ length: versions.to - versions.from + 1 }, (_, i) => versions.from + i)
}

async function stateOf(groupId: string) {
  const { groups } = await client.send(describeGroups, { groups: [groupId] })
  return groups[0]!
}

/** Waits until the group is in a state. */
async function reaches(groupId: string, state: string): Promise<void> {
  while ((await stateOf(groupId)).groupState !== state);
}

t.test('the coordinator is the node of Metadata, in every version', async (t) => {
  const { brokers } = await client.send(metadata, { topics: [] })
  const [{ nodeId, host, port }] = brokers as [(typeof brokers)[number]]
  for (const version of versionsOf(findCoordinator)) {
    for (const keyType of [0, 1]) {
      const request = { key: 'g', keyType, coordinatorKeys: ['g', 'h'] }
      const answer = await client.send(findCoordinator, request, version)
      const found = version < 4 ? [answer] : answer.coordinators
      t.equal(found.length, version < 4 ? 1 : 2)
      for (const each of found) t.match(each, { nodeId, host, port, errorCode: 0 })
    }
  }
  for (const [keyType, version] of [
    [2, 3],
    [2, 6],
    [9, 6],
  ] as const) {
    const request = { key: 'g:t:0', keyType, coordinatorKeys: ['g:t:0'] }
    const answer = await client.send(findCoordinator, request, version)
    const refused = { nodeId: -1, host: '', port: -1, errorCode: errorCode('INVALID_REQUEST') }
    t.match(version < 4 ? answer : answer.coordinators[0], refused)
  }
})

t.test('a member lives and leaves, in every version', async (t) => {
  for (const version of versionsOf(joinGroup)) {
    const group = await groupClient(`life-${version}`)
    const first = await group.joinOnce({}, version)
    if (version >= 4) {
      t.match(first, { errorCode: errorCode('MEMBER_ID_REQUIRED'), generationId: -1, members: [] })
      t.equal(first.protocolName, version < 7 ? '' : null)
    }
    const { memberId } = first
    t.match(memberId, /^raw-[0-9a-f-]{36}$/)
    const joined = version >= 4 ? await group.joinOnce({ memberId }, version) : first
    t.match(joined, { errorCode: 0, generationId: 1, leader: memberId, protocolName: 'range' })
    t.match(joined, { memberId, skipAssignment: false })
    t.equal(joined.protocolType, version < 7 ? null : 'consumer')
    t.match(joined.members, [{ memberId, metadata: group.joining().protocols[0]!.metadata }])

    const syncVersion = Math.min(version, 5)
    const synced = await group.sync(joined, { [memberId]: 'all of it' }, syncVersion)
    t.match(synced, { errorCode: 0, protocolName: syncVersion < 5 ? null : 'range' })
    t.equal(Buffer.from(synced.assignment).toString(), 'all of it')
    const olderVersion = Math.min(version, 4)
    t.equal(await group.heartbeat(joined, olderVersion), undefined)
    t.equal(
      await group.heartbeat({ memberId, generationId: 7 }, olderVersion),
      'ILLEGAL_GENERATION',
    )
    t.equal(
      await group.heartbeat({ memberId: 'x', generationId: 1 }, olderVersion),
      'UNKNOWN_MEMBER_ID',
    )
    t.equal(await group.leave(joined, syncVersion), undefined)
    t.equal(await group.leave(joined, syncVersion), 'UNKNOWN_MEMBER_ID')
    t.match(await stateOf(group.groupId), { groupState: 'Empty', protocolType: 'consumer' })
  }
})

t.test('a bad join is refused in every version, with what was sent', async (t) => {
  for (const version of versionsOf(joinGroup)) {
    const group = await groupClient('bad')
    const refused = await group.joinOnce({ sessionTimeoutMs: 1, memberId: 'me' }, version)
    t.match(refused, { errorCode: errorCode('INVALID_SESSION_TIMEOUT'), memberId: 'me' })
    t.match(refused, { generationId: -1, leader: '', members: [] })
    t.equal(refused.protocolName, version < 7 ? '' : null)
    const unknown = await group.joinOnce({ memberId: 'me' }, version)
    t.equal(unknown.errorCode, errorCode('UNKNOWN_MEMBER_ID'))
    const nameless = await new GroupClient(group.client, '').joinOnce({}, version)
    t.equal(nameless.errorCode, errorCode('INVALID_GROUP_ID'))
  }
})

t.test('two members: only the leader hears of both, and each gets its share', async (t) => {
  const [a, b] = [await groupClient('two'), await groupClient('two')]
  const first = await a.alone()
  const joinedB = b.join()
  await reaches('two', 'PreparingRebalance')
  t.equal(await a.heartbeat(first), 'REBALANCE_IN_PROGRESS')
  const joinedA = await a.joinOnce({ memberId: first.memberId })
  const second = await joinedB
  t.equal(joinedA.members.length, 2)
  t.match(second, { leader: first.memberId, members: [], generationId: 2 })
  const shares = { [first.memberId]: 'A', [second.memberId]: 'B' }
  const waiting = b.sync(second)
  await a.sync(joinedA, shares)
  t.equal(Buffer.from((await waiting).assignment).toString(), 'B')

  const { groupState: state, protocolData, members } = await stateOf('two')
  t.match({ state, protocolData }, { state: 'Stable', protocolData: 'range' })
  t.match(
    members.map((each) => [
      each.clientId,
      each.clientHost,
      Buffer.from(each.memberAssignment).toString(),
    ]),
    [
      ['raw', '/127.0.0.1', 'A'],
      ['raw', '/127.0.0.1', 'B'],
    ],
  )
  const answer = await client.send(leaveGroup, {
    groupId: 'two',
    members: [{ memberId: first.memberId }, { memberId: 'x' }, { memberId: second.memberId }],
  })
  t.same(
    answer.members.map(({ memberId, errorCode: code }) => [memberId, errorName(code)]),
    [
      [first.memberId, undefined],
      ['x', 'UNKNOWN_MEMBER_ID'],
      [second.memberId, undefined],
    ],
  )
})

t.test('metadata of other kinds of groups is passed on as it is', async (t) => {
  for (const protocolType of ['connect', 'sr']) {
    const group = await groupClient(protocolType)
    const bytes = Buffer.from([0xff, 0, 1, 2, 0x80])
    const protocols = [{ name: 'v0', metadata: bytes }]
    const joined = await group.alone({ protocolType, protocols })
    t.match(joined, { protocolType, protocolName: 'v0', members: [{ metadata: bytes }] })
    t.match(await stateOf(protocolType), { protocolType, members: [{ memberMetadata: bytes }] })
  }
})

t.test('from version 5 on a member says which protocol it syncs for', async () => {
  const group = await groupClient('unnamed')
  const { memberId, generationId } = await group.join()
  const syncs = async (
    named: { protocolType?: string; protocolName?: string },
    version: number,
  ) => {
    const request = { groupId: group.groupId, memberId, generationId, ...named }
    return errorName((await group.client.send(syncGroup, request, version)).errorCode)
  }
  const [protocolType, protocolName] = ['consumer', 'range']
  for (const named of [{}, { protocolType }, { protocolName }])
    t.equal(await syncs(named, 5), 'INCONSISTENT_GROUP_PROTOCOL')
  t.equal(await syncs({ protocolType, protocolName }, 5), undefined)
  t.equal(await syncs({}, 4), undefined, 'older ones need not')
})

t.test('a static member is replaced, and the old one is fenced everywhere', async (t) => {
  const group = await groupClient('static')
  const first = await group.alone({ groupInstanceId: 'one' })
  t.match(first.memberId, /^one-/)
  const back = await group.joinOnce({ groupInstanceId: 'one' })
  t.match(back, { errorCode: 0, generationId: 1, skipAssignment: true })
  const old = { ...first, groupInstanceId: 'one' }
  t.equal(await group.heartbeat(old), 'FENCED_INSTANCE_ID')
  t.equal(await group.commit(old, 't', 1), 'FENCED_INSTANCE_ID')
  t.equal(errorName((await group.sync(old)).errorCode), 'FENCED_INSTANCE_ID')
  const mine = await group.sync({ ...back, groupInstanceId: 'one' })
  t.equal(Buffer.from(mine.assignment).toString(), 'mine')
  const members = [{ memberId: '', groupInstanceId: 'one' }]
  const left = await client.send(leaveGroup, { groupId: 'static', members })
  t.match(left, { errorCode: 0, members: [{ groupInstanceId: 'one', errorCode: 0 }] })
})

t.test('waits end when the client hangs up, and its member stays', async (t) => {
  const [a, b] = [await groupClient('gone'), await groupClient('gone')]
  const first = await a.alone()
  b.client.write(joinGroup, b.joining(), 0)
  await reaches('gone', 'PreparingRebalance')
  b.client.socket.end()
  await b.client.closed
  const joined = await a.joinOnce({ memberId: first.memberId })
  t.equal(joined.members.length, 2, 'its session decides, not its connection')
  a.client.socket.resetAndDestroy()
  await a.client.closed
  t.match(await stateOf('gone'), { groupState: 'CompletingRebalance' })
})

t.test('a stopping broker answers waiting members, so that it stops at once', async (t) => {
  const stopping = await World.open(t)
  const [a, b] = [await stopping.connect(), await stopping.connect()]
  const first = await new GroupClient(a, 'g').alone()
  const waiting = new GroupClient(b, 'g').join()
  while ((await new GroupClient(a, 'g').heartbeat(first)) === undefined);
  await Promise.all([stopping.broker.close(), waiting]).catch(() => {})
  t.equal(errorName((await waiting).errorCode), 'COORDINATOR_NOT_AVAILABLE')
})

t.test('a member that leaves need not wait for its fetches', async (t) => {
  const group = await groupClient('leaving')
  const joined = await group.alone()
  const [consumer, other] = [await world.connect(), await world.connect()]
  const request = fetchRequest('t', 0, 0, { maxWaitMs: 3_600_000 })
  const fetching = consumer.send(fetch, request, 11)
  await other.send(metadata, { topics: [] })
  t.equal(await group.leave(joined), undefined)
  t.equal((await fetching).responses[0]!.partitions[0]!.errorCode, 0)
})

t.test('what is committed comes back, in every version', async (t) => {
  const group = await groupClient('offsets')
  let offset = 0
  for (const version of versionsOf(offsetCommit)) {
    const more = { committedMetadata: `m ${version} ☃`, committedLeaderEpoch: 3 }
    t.equal(await group.commit(outside, 't', ++offset, { version, ...more }), undefined)
    for (const fetchVersion of versionsOf(offsetFetch)) {
      t.match(await group.committed('t', fetchVersion), {
        committedOffset: offset,
        committedLeaderEpoch: version < 6 || fetchVersion < 5 ? -1 : 3,
        metadata: more.committedMetadata,
        errorCode: 0,
      })
    }
  }
  t.equal(await group.commit(outside, 't', 9, { committedMetadata: null }), undefined)
  t.match(await group.committed('t'), { committedOffset: 9, metadata: '' })
})

t.test('nothing committed is no error, also in a group that does not exist', async (t) => {
  const nothing = { committedOffset: -1, committedLeaderEpoch: -1, metadata: '', errorCode: 0 }
  for (const version of versionsOf(offsetFetch)) {
    t.match(await (await groupClient('nobody')).committed('t', version), nothing)
    t.match(await (await groupClient('offsets')).committed('unknown', version), nothing)
  }
  t.match(await stateOf('nobody'), { errorCode: errorCode('GROUP_ID_NOT_FOUND') })
})

t.test('null topics are all topics with commits, also of several groups', async (t) => {
  await (await groupClient('all')).commit(outside, 't', 4)
  const topics = [{ name: 't', partitions: [{ partitionIndex: 0, committedOffset: 4 }] }]
  for (const version of versionsOf(offsetFetch).filter((each) => each >= 2 && each < 8)) {
    const answer = await client.send(offsetFetch, { groupId: 'all', topics: null }, version)
    t.match(answer, { errorCode: 0, topics })
  }
  for (const version of [8, 9]) {
    const groups = ['all', 'nobody'].map((groupId) => ({ groupId, topics: null }))
    const answer = await client.send(offsetFetch, { groups }, version)
    t.match(answer.groups, [
      { groupId: 'all', topics, errorCode: 0 },
      { groupId: 'nobody', topics: [], errorCode: 0 },
    ])
  }
})

t.test('a commit is refused for its partition alone, or for its member', async (t) => {
  const group = await groupClient('refused')
  const partition = (partitionIndex: number, committedMetadata: string) => ({
    partitionIndex,
    committedOffset: 1,
    committedMetadata,
  })
  const topics = [
    { name: 't', partitions: [partition(0, 'x'.repeat(4096)), partition(1, '☃'.repeat(1366))] },
    { name: 't', partitions: [partition(7, '')] },
    { name: 'nowhere', partitions: [partition(0, '')] },
  ]
  const answer = await client.send(offsetCommit, { groupId: 'refused', topics })
  t.same(
    answer.topics.map(({ partitions }) => partitions.map((each) => errorName(each.errorCode))),
    [
      [undefined, 'OFFSET_METADATA_TOO_LARGE'],
      ['UNKNOWN_TOPIC_OR_PARTITION'],
      ['UNKNOWN_TOPIC_OR_PARTITION'],
    ],
  )
  const member = { memberId: 'x', generationId: 1 }
  const nowhere = await groupClient('never-was')
  t.equal(await nowhere.commit(member, 't', 1, { version: 8 }), 'ILLEGAL_GENERATION')
  t.equal(await nowhere.commit(member, 't', 1, { version: 9 }), 'GROUP_ID_NOT_FOUND')
  const joined = await group.alone()
  t.equal(await group.commit(joined, 't', 5), undefined)
  t.equal(await group.commit({ ...joined, generationId: 9 }, 't', 6), 'ILLEGAL_GENERATION')
  t.equal(await group.commit(outside, 't', 6), 'UNKNOWN_MEMBER_ID')
  t.match(await group.committed('t'), { committedOffset: 5 })
})

t.test('groups are described and listed, in every version', async (t) => {
  const group = await groupClient('described')
  await group.alone()
  for (const version of versionsOf(describeGroups)) {
    const request = { groups: ['described', 'nobody'], includeAuthorizedOperations: true }
    const { groups } = await client.send(describeGroups, request, version)
    t.match(groups[0], { errorCode: 0, groupState: 'Stable', members: [{ clientId: 'raw' }] })
    t.equal(groups[0]!.authorizedOperations > 0, version >= 3)
    t.match(groups[1], { groupState: 'Dead', members: [] })
    t.equal(groups[1]!.authorizedOperations > 0, version >= 3 && version < 6)
    t.equal(errorName(groups[1]!.errorCode), version < 6 ? undefined : 'GROUP_ID_NOT_FOUND')
  }
  const list = async (request: { statesFilter?: string[]; typesFilter?: string[] }, version = 5) =>
    (await client.send(listGroups, request, version)).groups.filter(({ groupId }) =>
      ['described', 'all'].includes(groupId),
    )
  for (const version of versionsOf(listGroups)) {
    const groups = await list({}, version)
    const protocolTypes = Object.fromEntries(
      groups.map(({ groupId, protocolType }) => [groupId, protocolType]),
    )
    t.same(protocolTypes, { all: '', described: 'consumer' })
    if (version >= 4) t.ok(groups.every(({ groupState }) => /^(Stable|Empty)$/.test(groupState)))
  }
  t.match(await list({ statesFilter: ['stable'] }), [{ groupId: 'described' }])
  t.match(await list({ statesFilter: ['Empty'] }, 4), [{ groupId: 'all' }])
  t.equal((await list({ typesFilter: ['Classic'] })).length, 2)
  t.same(await list({ typesFilter: ['share'] }), [])
})

t.test('groups without members are deleted, with their offsets', async (t) => {
  await (await groupClient('busy')).alone()
  for (const version of versionsOf(deleteGroups)) {
    const idle = await groupClient('idle')
    await idle.commit(outside, 't', 1)
    const request = { groupsNames: ['idle', 'busy', 'nobody'] }
    const { results } = await client.send(deleteGroups, request, version)
    t.same(
      results.map(({ groupId, errorCode: code }) => [groupId, errorName(code)]),
      [
        ['idle', undefined],
        ['busy', 'NON_EMPTY_GROUP'],
        ['nobody', 'GROUP_ID_NOT_FOUND'],
      ],
    )
    t.match(await idle.committed('t'), { committedOffset: -1 })
  }
})

t.test('offsets are deleted of topics without a subscriber', async (t) => {
  await world.topic('unread')
  const group = await groupClient('forgetful')
  const joined = await group.alone()
  await group.commit(joined, 't', 1)
  await group.commit(joined, 'unread', 1)
  const forget = (groupId: string, ...names: string[]) => {
    const topics = names.map((name) => ({ name, partitions: [{ partitionIndex: 0 }] }))
    return client.send(offsetDelete, { groupId, topics })
  }
  const answer = await forget('forgetful', 't', 'unread', 'nowhere')
  t.equal(answer.errorCode, 0)
  t.same(
    answer.topics.map(({ partitions }) => errorName(partitions[0]!.errorCode)),
    ['GROUP_SUBSCRIBED_TO_TOPIC', undefined, 'UNKNOWN_TOPIC_OR_PARTITION'],
  )
  t.match(await group.committed('unread'), { committedOffset: -1 })
  t.match(await group.committed('t'), { committedOffset: 1 })
  const brief = encodeSubscription({ topics: ['t'] }, 0)
  brief.writeInt16BE(1, 0)
  const lacking = await groupClient('platformatic')
  await lacking.alone({ protocols: [{ name: 'range', metadata: brief }] })
  t.same(
    (await forget('platformatic', 't', 'unread')).topics.map(({ partitions }) =>
      errorName(partitions[0]!.errorCode),
    ),
    ['GROUP_SUBSCRIBED_TO_TOPIC', undefined],
    'version 1 without owned partitions still names its topics',
  )
  const unknown = await forget('nobody', 't')
  t.match(unknown, { errorCode: errorCode('GROUP_ID_NOT_FOUND'), topics: [] })
  await (await groupClient('workers')).alone({ protocolType: 'connect' })
  t.equal(errorName((await forget('workers', 't')).errorCode), 'NON_EMPTY_GROUP')
})

t.test('a deleted topic takes its offsets along', async (t) => {
  await world.topic('short-lived')
  const group = await groupClient('survivor')
  await group.commit(outside, 'short-lived', 5)
  await client.send(deleteTopics, { topicNames: ['short-lived'], timeoutMs: 1000 }, 5)
  await world.topic('short-lived')
  t.match(await group.committed('short-lived'), { committedOffset: -1 })
})

t.test('offsets lie in an internal topic, which is durable whatever the defaults', async (t) => {
  const topic = '__consumer_offsets'
  const { topics } = await client.send(metadata, { topics: [{ name: topic }] })
  t.match(topics, [{ errorCode: 0, isInternal: true, partitions: [{ partitionIndex: 0 }] }])
  const resources = [{ resourceType: 2, resourceName: topic, configurationKeys: null }]
  const { results } = await client.send(describeConfigs, { resources })
  const configs = Object.fromEntries(results[0]!.configs.map(({ name, value }) => [name, value]))
  t.match(configs, { 'cleanup.policy': 'compact', 'flush.policy': 'fsync' })
})

t.test('commits that come with records share their syncs', async (t) => {
  const COUNT = 32
  const synced = await World.open(t, { config: { 'http.port': 0 } })
  await synced.topic('t', 1)
  const groups = await Promise.all(
    Array.from({ length: COUNT }, async (_, i) => new GroupClient(await synced.connect(), `g${i}`)),
  )
  const syncs = async () => (await metricsOf(synced)).get('millrace_fsync_seconds_count')!
  const before = await syncs()
  await Promise.all(
    groups.flatMap((group, i) => [
      produceTo(group.client, 't', 0, batchOf([`${i}`])),
      group.commit(outside, 't', i),
    ]),
  )
  const turns = (await syncs()) - before
  t.ok(turns < COUNT, `${turns} turns of the writer for ${2 * COUNT} requests`)
})

/** By series. */
async function metricsOf({ broker }: World): Promise<Map<string, number>> {
  const text = await (await globalThis.fetch(`${broker.httpUrl}/metrics`)).text()
  const samples = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(samples.map((line) => [line.replace(/ \S+$/, ''), Number(line.split(' ').at(-1))]))
}

t.test('lag, members, states and rebalances are told as metrics', async (t) => {
  const measured = await World.open(t, { config: { 'http.port': 0, 'metrics.groups.max': 2 } })
  const { client } = await measured.topic('lag', 2)
  const timestamp = Date.now() - 60_000
  await produceTo(client, 'lag', 0, batchOf(['a', 'b', 'c'], { timestamp }))
  await produceTo(client, 'lag', 0, batchOf(['d', 'e'], { timestamp: timestamp + 30_000 }))
  const odd = new GroupClient(client, 'odd "name" \\ of\na group')
  await odd.alone({ sessionTimeoutMs: 6000 })
  const group = new GroupClient(client, 'lagging')
  await group.commit(outside, 'lag', 1)
  const read = () => metricsOf(measured)
  const at = 'consumergroup="lagging",topic="lag"'
  const behind = await read()
  t.equal(behind.get(`kafka_consumergroup_current_offset{${at},partition="0"}`), 1)
  t.equal(behind.get(`kafka_consumergroup_lag{${at},partition="0"}`), 4)
  t.equal(behind.get(`kafka_consumergroup_lag_sum{${at}}`), 4)
  t.equal(behind.get('millrace_group_lag_records{group="lagging",topic="lag"}'), 4)
  t.equal(behind.get('millrace_group_state{group="lagging",state="Empty"}'), 1)
  const seconds = 'millrace_group_lag_seconds{group="lagging",topic="lag"}'
  const oldest = behind.get(seconds)!
  t.ok(oldest >= 60, `${oldest} s`)
  t.ok((await read()).get(seconds)! >= oldest, 'also from what was looked up before')
  await group.commit(outside, 'lag', 3)
  const newer = (await read()).get(seconds)!
  t.ok(newer >= 30 && newer < oldest - 20, `${newer} s`)
  await group.commit(outside, 'lag', 5)
  t.equal((await read()).get(seconds), 0)
  await group.commit(outside, 'lag', 50)
  t.equal((await read()).get(`kafka_consumergroup_lag_sum{${at}}`), 0, 'past the end')

  const name = String.raw`odd \"name\" \\ of\na group`
  t.equal(behind.get(`kafka_consumergroup_members{consumergroup="${name}"}`), 1)
  t.equal(behind.get(`millrace_group_members{group="${name}"}`), 1)
  t.equal(behind.get(`millrace_rebalances_total{group="${name}",reason="join"}`), 1)
  await new GroupClient(client, 'one too many').commit(outside, 'lag', 2)
  const all = await read()
  t.equal(all.get('millrace_group_members{group="other"}'), 0)
  t.equal(all.get('millrace_group_lag_records{group="other",topic="other"}'), 3)
})
