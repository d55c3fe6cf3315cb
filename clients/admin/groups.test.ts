// Groups seen from outside, against a broker: listing, members, committed offsets, lag, resets, deletion.

import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from '../../protocol/testing/tap.ts'
import { offsetFetch } from '../../protocol/api/09_offset_fetch.ts'
import { findCoordinator } from '../../protocol/api/10_find_coordinator.ts'
import { joinGroup } from '../../protocol/api/11_join_group.ts'
import { syncGroup } from '../../protocol/api/14_sync_group.ts'
import { describeGroups } from '../../protocol/api/15_describe_groups.ts'
import { listGroups } from '../../protocol/api/16_list_groups.ts'
import { errorCode } from '../../protocol/errors.ts'
import { Broker } from '../../broker/broker.ts'
import { systemClock } from '../clock.ts'
import { Cluster } from '../cluster/cluster.ts'
import { Coordinator } from '../group/coordinator.ts'
import { Client, PartialError, string, topic, type GroupConsumer } from '../index.ts'
import { FakeBroker } from '../testing/fake-broker.ts'

const orders = topic('orders', { key: string, value: string })
const START = Date.parse('2026-01-31T10:00:00Z')

const broker = await Broker.start({ ephemeral: true })
const client = new Client({ brokers: broker.bootstrap, clientId: 'shop' })
const admin = client.admin()
const { groups } = admin
t.teardown(async () => {
  await client.close()
  await broker.close()
})

await admin.createTopics([{ topic: orders, partitions: 2 }, 'other'])
await using producer = client.producer()
await producer.send(
  orders,
  Array.from({ length: 20 }, (_, i) => ({
    key: 'ann',
    value: `${i}`,
    partition: i % 2,
    timestamp: START + i * 1000,
  })),
)

/** Reads this number of records of `orders`, and stays in the group. */
async function member(t: Test, group: string, records: number): Promise<GroupConsumer<any>> {
  const consumer = client.consumer({ topics: [orders], group, from: 'earliest', commit: 'manual' })
  t.teardown(() => consumer.close())
  const iterator = consumer[Symbol.asyncIterator]()
  for (let i = 0; i < records; i++) await consumer.commit((await iterator.next()).value)
  return consumer
}

const offsetsOf = (committed: readonly { partition: number; offset: number }[]) =>
  committed.map(({ partition, offset }) => [partition, offset])

t.test('a group with a member is listed and described, with what the member reads', async (t) => {
  await member(t, 'described', 20)
  t.strictSame(await groups.list(), [
    { group: 'described', state: 'Stable', type: 'classic', protocolType: 'consumer' },
  ])
  t.equal((await groups.list({ states: ['Stable', 'Dead'], types: ['classic'] })).length, 1)
  t.strictSame(await groups.list({ states: ['Empty'] }), [])
  t.strictSame(await groups.list({ types: ['share'] }), [])
  const [group] = await groups.describe(['described'])
  t.match(group, {
    group: 'described',
    state: 'Stable',
    protocolType: 'consumer',
    protocol: 'cooperative-sticky',
    coordinator: 1,
    members: [
      {
        memberId: /^shop-/,
        instanceId: undefined,
        clientId: 'shop',
        host: '127.0.0.1',
        topics: ['orders'],
        partitions: [
          { topic: 'orders', partition: 0 },
          { topic: 'orders', partition: 1 },
        ],
      },
    ],
  })
  t.ok(group!.members[0]!.assignmentBytes.length > 0)
})

t.test('lag is what is between the commit and the end, and says who reads', async (t) => {
  const consumer = await member(t, 'lagging', 0)
  await consumer.start()
  const iterator = consumer[Symbol.asyncIterator]()
  let last: any
  do last = (await iterator.next()).value
  while (last.partition !== 0 || last.offset < 3)
  await consumer.commit({ topic: 'orders', partition: 0, offset: 3 })
  const { total, partitions } = await groups.lag('lagging')
  const memberId = (await groups.describe(['lagging']))[0]!.members[0]!.memberId
  t.strictSame(partitions, [
    { topic: 'orders', partition: 0, committed: 4, end: 10, lag: 6, memberId },
    { topic: 'orders', partition: 1, committed: undefined, end: 10, lag: undefined, memberId },
  ])
  t.equal(total, 6)
  t.strictSame(await groups.offsets('lagging'), [
    { topic: 'orders', partition: 0, offset: 4, metadata: '' },
  ])
})

t.test('a reset is refused while somebody reads, a dry run too', async (t) => {
  const consumer = await member(t, 'busy', 20)
  for (const dryRun of [true, false]) {
    await t.rejects(groups.reset('busy', 'earliest', { dryRun }), {
      code: 'NON_EMPTY_GROUP',
      message:
        'NON_EMPTY_GROUP: group busy has active members (shop at 127.0.0.1): they would commit over it, stop them first',
    })
  }
  await consumer.close()
  t.equal((await groups.reset('busy', 'earliest')).length, 2)
})

t.test('a group is reset to an end, an offset, a time, or partition by partition', async (t) => {
  const consumer = await member(t, 'reset', 20)
  await consumer.close()
  const reset = async (
    ...args: Parameters<typeof groups.reset> extends [string, ...infer R] ? R : never
  ) => offsetsOf(await groups.reset('reset', ...args))

  const plan = await groups.reset('reset', 'earliest', { dryRun: true })
  t.strictSame(plan, [
    { topic: 'orders', partition: 0, offset: 0, committed: 10 },
    { topic: 'orders', partition: 1, offset: 0, committed: 10 },
  ])
  t.strictSame(
    offsetsOf(await groups.offsets('reset')),
    [
      [0, 10],
      [1, 10],
    ],
    'a dry run changes nothing',
  )

  t.strictSame(await reset('earliest'), [
    [0, 0],
    [1, 0],
  ])
  t.strictSame(offsetsOf(await groups.offsets('reset')), [
    [0, 0],
    [1, 0],
  ])
  t.strictSame(await reset(7), [
    [0, 7],
    [1, 7],
  ])
  t.strictSame(
    await reset(99),
    [
      [0, 10],
      [1, 10],
    ],
    'the nearest end',
  )
  t.strictSame(
    await reset(-2),
    [
      [0, 8],
      [1, 8],
    ],
    'two before the end',
  )
  t.strictSame(await reset(new Date(START + 5_000)), [
    [0, 3],
    [1, 2],
  ])
  t.strictSame(
    await reset(new Date(START + 3_600_000)),
    [
      [0, 10],
      [1, 10],
    ],
    'later than all',
  )
  t.strictSame(await reset(({ partition }) => partition + 1), [
    [0, 1],
    [1, 2],
  ])
  t.strictSame(await reset([{ topic: 'orders', partition: 1, offset: 6 }]), [[1, 6]])
  t.strictSame(await reset('latest', { of: [{ topic: 'orders', partition: 0 }] }), [[0, 10]])
  t.strictSame(offsetsOf(await groups.offsets('reset')), [
    [0, 10],
    [1, 6],
  ])

  const resumed = client.consumer({ topics: [orders], group: 'reset', until: 'end' })
  const values: string[] = []
  for await (const { value } of resumed) values.push(value)
  await resumed.close()
  t.strictSame(values, ['13', '15', '17', '19'], 'a consumer goes on from there')
})

t.test('commits of one group are given to another, which need not exist', async (t) => {
  await t.rejects(groups.reset('new', 'latest'), { code: 'GROUP_ID_NOT_FOUND' })
  t.match(await groups.reset('new', 'latest', { of: [orders, 'other'], dryRun: true }), [
    { topic: 'orders', committed: undefined },
    { topic: 'orders' },
    { topic: 'other', partition: 0, offset: 0 },
  ])
  await groups.reset('new', 5, { of: [orders] })
  await groups.reset('copy', await groups.offsets('new'))
  t.strictSame(offsetsOf(await groups.offsets('copy')), [
    [0, 5],
    [1, 5],
  ])
  t.equal((await groups.describe(['copy']))[0]!.state, 'Empty')
  t.strictSame(await groups.reset('copy', []), [])
})

t.test('groups and single offsets are deleted, unless somebody uses them', async (t) => {
  await member(t, 'used', 20)
  await groups.reset('gone', 5, { of: [orders] })
  await groups.deleteOffsets('gone', [{ topic: 'orders', partition: 0 }])
  t.strictSame(offsetsOf(await groups.offsets('gone')), [[1, 5]])
  const error = await groups.delete(['gone', 'used', 'nothing']).then(
    () => undefined,
    (reason: unknown) => reason,
  )
  t.type(error, PartialError)
  t.match((error as PartialError<void>).results, [
    undefined,
    { code: 'NON_EMPTY_GROUP' },
    { code: 'GROUP_ID_NOT_FOUND' },
  ])
  await t.rejects(groups.describe(['gone']), {
    code: 'GROUP_ID_NOT_FOUND',
    message: 'GROUP_ID_NOT_FOUND: there is no group gone',
  })
  await t.rejects(groups.lag('gone'), { code: 'GROUP_ID_NOT_FOUND' })
  t.strictSame(await groups.offsets('gone'), [])
  await t.rejects(groups.deleteOffsets('used', [orders]), { code: 'GROUP_SUBSCRIBED_TO_TOPIC' })
  await t.rejects(groups.deleteOffsets('gone', [orders]), { code: 'GROUP_ID_NOT_FOUND' })
})

t.test('members are removed: static ones that are away for good, or all', async (t) => {
  const options = { topics: [orders], group: 'removed', heartbeatIntervalMs: 20 } as const
  const join = async (instanceId?: string) => {
    const consumer = client.consumer({ ...options, instanceId })
    await consumer.start()
    const iterator = consumer[Symbol.asyncIterator]()
    void iterator.next()
    while (consumer.assignment().length === 0) await sleep(5)
    return consumer
  }
  const membersOf = async () => (await groups.describe(['removed']))[0]!.members
  const away = await join('one')
  await away.close()
  t.match(await membersOf(), [{ instanceId: 'one' }], 'its place is kept')
  const failing = groups.removeMembers('removed', [{ instanceId: 'other' }, { instanceId: 'one' }])
  const error = await failing.catch((caught: unknown) => caught)
  t.match(error, {
    code: 'UNKNOWN_MEMBER_ID',
    results: [{ message: /other/ }, { instanceId: 'one' }],
  })
  t.same(await membersOf(), [])
  await groups.removeMembers('removed')
  const living = await join()
  const [before] = await membersOf()
  await groups.removeMembers('removed', undefined, { reason: 'a test' })
  while ((await membersOf())[0]?.memberId === before!.memberId) await sleep(5)
  while ((await membersOf()).length === 0) await sleep(5)
  t.equal((await membersOf()).length, 1, 'it joins again by itself')
  await living.close()
})

t.test('members of other kinds of groups are shown as they describe themselves', async (t) => {
  const options = { clientId: 'worker', connectTimeoutMs: 5000, requestTimeoutMs: 5000 }
  const cluster = new Cluster({
    ...options,
    bootstrap: [{ host: '127.0.0.1', port: Number(broker.bootstrap.split(':')[1]) }],
    timeoutMs: 5000,
    bootstrapTimeoutMs: 1000,
    retry: { backoffMs: 10, backoffMaxMs: 10 },
    metadataAgeMaxMs: 1000,
    logger: undefined,
    clock: systemClock,
  })
  t.teardown(() => cluster.close())
  const coordinator = new Coordinator(cluster, 'workers')
  const call = cluster.call({})
  const join = {
    groupId: 'workers',
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 10_000,
    groupInstanceId: 'one',
    memberId: '',
    protocolType: 'connect',
    protocols: [{ name: 'sessioned', metadata: Buffer.from('my url') }],
  }
  const { memberId, generationId } = await coordinator.ask(joinGroup, join, call)
  const share = { memberId, assignment: Buffer.from('your tasks') }
  const { groupId, groupInstanceId } = join
  const member = { groupId, groupInstanceId, memberId, generationId }
  const named = { protocolType: 'connect', protocolName: 'sessioned' }
  const request = { ...member, ...named, assignments: [share] }
  coordinator.check((await coordinator.ask(syncGroup, request, call)).errorCode, 'SyncGroup')
  t.match(await groups.describe(['workers']), [
    {
      protocolType: 'connect',
      protocol: 'sessioned',
      members: [
        {
          instanceId: 'one',
          topics: undefined,
          partitions: undefined,
          subscriptionBytes: Buffer.from('my url'),
          assignmentBytes: Buffer.from('your tasks'),
        },
      ],
    },
  ])
  t.strictSame((await groups.lag('workers')).partitions, [])
})

t.test(
  'groups of protocols that this client does not speak, as Apache Kafka tells of them',
  async (t) => {
    const groupsOfKafka = [
      ['old', 'consumer', 'Stable', 'classic'],
      ['next', 'consumer', 'Reconciling', 'consumer'],
      ['sharing', 'share', 'Stable', 'share'],
      ['topology', 'streams', 'NotReady', 'streams'],
      ['of the future', 'odd', 'Levitating', 'quantum'],
    ] as const
    await using kafka = await FakeBroker.start()
    kafka.createTopic('orders')[0]!.endOffset = 10
    kafka.always(listGroups, () => ({
      errorCode: 0,
      groups: groupsOfKafka.map(([groupId, protocolType, groupState, groupType]) => ({
        groupId,
        protocolType,
        groupState,
        groupType,
      })),
    }))
    kafka.always(findCoordinator, ({ coordinatorKeys }) => ({
      coordinators: coordinatorKeys.map((key) => ({
        key,
        nodeId: 1,
        host: '127.0.0.1',
        port: Number(kafka.bootstrap.split(':')[1]),
        errorCode: 0,
      })),
    }))
    kafka.always(describeGroups, ({ groups: [groupId = ''] }) => ({
      groups: [
        {
          errorCode: errorCode('GROUP_ID_NOT_FOUND'),
          errorMessage: `Group ${groupId} is not a classic group.`,
          groupId,
          groupState: 'Dead',
          protocolType: '',
          protocolData: '',
          members: [],
        },
      ],
    }))
    const partitions = [{ partitionIndex: 0, committedOffset: 4, metadata: '', errorCode: 0 }]
    kafka.always(offsetFetch, ({ groups: asked }) => ({
      groups: asked.map(({ groupId }) => ({
        groupId,
        topics: [{ name: 'orders', partitions }],
        errorCode: 0,
      })),
    }))
    await using outside = new Client({ brokers: kafka.bootstrap })
    const { groups: seen } = outside.admin()

    t.strictSame(
      (await seen.list()).map(({ group, state, type }) => [group, state, type]),
      [
        ['next', 'Reconciling', 'consumer'],
        ['of the future', 'Levitating', 'quantum'],
        ['old', 'Stable', 'classic'],
        ['sharing', 'Stable', 'share'],
        ['topology', 'NotReady', 'streams'],
      ],
    )
    for (const [group, , , type] of groupsOfKafka.slice(1)) {
      await t.rejects(seen.describe([group]), {
        code: 'UNSUPPORTED_VERSION',
        message: `UNSUPPORTED_VERSION: group ${group} is of type ${type}: its members are not to be had from this client`,
      })
    }
    await t.rejects(seen.describe(['nobody']), { code: 'GROUP_ID_NOT_FOUND' })
    const { total, partitions: behind } = await seen.lag('next')
    t.equal(total, 6, 'how far behind it is can be told all the same')
    t.match(behind, [{ committed: 4, end: 10, memberId: undefined }])
  },
)
