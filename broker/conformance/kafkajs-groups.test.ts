// Consumer groups with kafkajs, a foreign client: assignment, joining and leaving under load, offsets, restarts.

import kafkajs, { type Consumer, type ConsumerConfig, type EachMessagePayload } from 'kafkajs'
import t from '../../protocol/testing/tap.ts'
import { Broker } from '../broker.ts'

const { Kafka, logLevel } = kafkajs

/** Above what kafkajs waits for a fetch here, so that nothing else ends it. */
const REQUEST_TIMEOUT_MS = 120_000

const broker = await Broker.start({ ephemeral: true, http: 0 })
t.teardown(() => broker.close())
const kafka = connect(broker.bootstrap)
const admin = kafka.admin()
const producer = kafka.producer()
await Promise.all([admin.connect(), producer.connect()])
t.teardown(() => Promise.all([admin.disconnect(), producer.disconnect()]))

function connect(bootstrap: string) {
  return new Kafka({
    brokers: [bootstrap],
    clientId: 'conformance',
    logLevel: logLevel.NOTHING,
    requestTimeout: REQUEST_TIMEOUT_MS,
    retry: { retries: 100, initialRetryTime: 20, maxRetryTime: 200 },
  })
}

async function topicOf(topic: string, numPartitions: number): Promise<string> {
  await admin.createTopics({ topics: [{ topic, numPartitions }] })
  return topic
}

/** Sends `count` records with values of their own, round the partitions. @returns the values */
async function send(topic: string, from: number, count: number): Promise<string[]> {
  const values = Array.from({ length: count }, (_, i) => `${from + i}`)
  await producer.send({ topic, messages: values.map((value) => ({ value })) })
  return values
}

interface Member {
  readonly consumer: Consumer
  /** Partitions of each assignment, the last one last. */
  readonly assignments: number[][]
}

/** A member that is part of its group when this resolves. */
async function join(
  groupId: string,
  topic: string,
  eachMessage: (payload: EachMessagePayload) => Promise<void>,
  config: Partial<ConsumerConfig> = {},
  client = kafka,
): Promise<Member> {
  const consumer = client.consumer({
    groupId,
    sessionTimeout: 10_000,
    heartbeatInterval: 50,
    ...config,
  })
  const assignments: number[][] = []
  const joined = new Promise<void>((resolve) => {
    consumer.on('consumer.group_join', ({ payload }) => {
      assignments.push(payload.memberAssignment[topic] ?? [])
      resolve()
    })
  })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  await consumer.run({ autoCommitThreshold: 10, eachMessage })
  await joined
  return { consumer, assignments }
}

/** A group's committed offsets, in order of partition. */
async function committedOffsets(groupId: string, topic: string): Promise<string[]> {
  const [found] = await admin.fetchOffsets({ groupId, topics: [topic] })
  return found!.partitions.sort((a, b) => a.partition - b.partition).map(({ offset }) => offset)
}

/** Looks again until it holds; the test's timeout is the limit. */
async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 10))
}

/** Every partition has one owner among the members. */
function isShared(members: readonly Member[], partitionCount: number): boolean {
  const owned = members.flatMap(({ assignments }) => assignments.at(-1)!).sort((a, b) => a - b)
  return owned.join() === Array.from({ length: partitionCount }, (_, i) => i).join()
}

async function disconnectAll(members: readonly Member[]): Promise<void> {
  await Promise.all(members.map(({ consumer }) => consumer.disconnect()))
}

async function metric(series: string): Promise<number> {
  const text = await (await fetch(`${broker.httpUrl}/metrics`)).text()
  const line = text.split('\n').find((each) => each.startsWith(`${series} `))
  return line === undefined ? 0 : Number(line.split(' ').at(-1))
}

/** kafkajs sleeps for 5 s in each of these: they are begun here, and looked at in their test. */
const settingOffsets = (async () => {
  const topic = await topicOf('administered', 2)
  const partitions = [
    { partition: 0, offset: '3' },
    { partition: 1, offset: '5' },
  ]
  await Promise.all([
    admin.setOffsets({ groupId: 'set', topic, partitions }),
    admin.resetOffsets({ groupId: 'reset', topic, earliest: true }),
  ])
})()

t.test('two members share the partitions; when one leaves, the other has all', async (t) => {
  const topic = await topicOf('pair', 4)
  const received: string[] = []
  const take = async ({ message }: EachMessagePayload) => {
    received.push(message.value!.toString())
  }
  const members = [await join('pair', topic, take), await join('pair', topic, take)]
  await until(() => isShared(members, 4))
  t.same(
    members.map(({ assignments }) => assignments.at(-1)!.length),
    [2, 2],
  )
  const values = await send(topic, 0, 100)
  await until(() => received.length >= 100)
  t.same([...received].sort(), [...values].sort(), 'each record once')

  await members[0]!.consumer.disconnect()
  await until(() => isShared(members.slice(1), 4))
  await send(topic, 100, 20)
  await until(() => received.length >= 120)
  t.equal(new Set(received).size, 120)
  await disconnectAll(members)
  const [group] = (await admin.describeGroups(['pair'])).groups
  t.match(group, { state: 'Empty', protocolType: 'consumer', members: [] })
})

t.test('five members that join and leave under load lose nothing', async (t) => {
  const topic = await topicOf('five', 10)
  const received = new Map<string, number>()
  const take = async ({ message }: EachMessagePayload) => {
    const value = message.value!.toString()
    received.set(value, (received.get(value) ?? 0) + 1)
  }
  const members: Member[] = []
  let sent = 0
  let isLoading = true
  const load = (async () => {
    for (; isLoading; sent += 20) await send(topic, sent, 20)
  })()
  for (let i = 0; i < 5; i++) members.push(await join('five', topic, take))
  await until(() => isShared(members, 10))
  const [first, ...others] = members as [Member, ...Member[]]
  await first.consumer.disconnect()
  await until(() => isShared(others, 10))
  const late = await join('five', topic, take)
  const all = [...others, late]
  await until(() => isShared(all, 10))
  t.same(
    all.map(({ assignments }) => assignments.at(-1)!.length),
    [2, 2, 2, 2, 2],
  )
  isLoading = false
  await load
  await until(() => received.size === sent)
  t.equal(received.size, sent, `all ${sent} records`)
  await disconnectAll(all)
})

t.test('ten members that start at the same time rebalance a few times only', async (t) => {
  const topic = await topicOf('crowd', 10)
  const idle = async () => {}
  const members = await Promise.all(
    Array.from({ length: 10 }, () => join('crowd', topic, idle, { rebalanceTimeout: 10_000 })),
  )
  await until(() => isShared(members, 10))
  const rebalances = await metric('millrace_rebalances_total{group="crowd",reason="join"}')
  t.ok(rebalances <= 10, `${rebalances} rebalances for 10 joins`)
  await disconnectAll(members)
})

t.test('a consumer whose fetch waits disconnects all the same', async (t) => {
  const topic = await topicOf('quiet', 1)
  const config = { maxWaitTimeInMs: 100_000 }
  const { consumer } = await join('quiet', topic, async () => {}, config)
  await until(async () => (await metric('millrace_fetches_waiting')) > 0)
  await consumer.disconnect() // or the test would run into its time limit
  t.match(await admin.describeGroups(['quiet']), { groups: [{ state: 'Empty' }] })
})

t.test('a slow handler keeps its member, as long as it sends heartbeats', async (t) => {
  const topic = await topicOf('slow', 1)
  await send(topic, 0, 3)
  const received: string[] = []
  const slow = async (payload: EachMessagePayload) => {
    received.push(payload.message.offset)
    for (let i = 0; i < 6; i++) {
      await new Promise((resolve) => setTimeout(resolve, 50))
      await payload.heartbeat()
    }
  }
  const member = await join('slow', topic, slow, { sessionTimeout: 6000 })
  await until(() => received.length === 3)
  t.same(received, ['0', '1', '2'])
  t.equal(member.assignments.length, 1)
  await member.consumer.disconnect()
})

t.test('eachBatch resolves and commits what it has done, and no more', async (t) => {
  const topic = await topicOf('batches', 1)
  await send(topic, 0, 10)
  const consumer = kafka.consumer({ groupId: 'batches' })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  const done = new Promise<void>((resolve) => {
    void consumer.run({
      eachBatchAutoResolve: false,
      eachBatch: async (payload) => {
        for (const { offset } of payload.batch.messages.slice(0, 4)) payload.resolveOffset(offset)
        await payload.commitOffsetsIfNecessary(payload.uncommittedOffsets())
        resolve()
        await new Promise((later) => setTimeout(later, 20))
      },
    })
  })
  await done
  const [offset] = await committedOffsets('batches', topic)
  t.ok(Number(offset) >= 4 && Number(offset) % 2 === 0, `${offset}`)
  await consumer.disconnect()
})

t.test('seek, pause and resume', async (t) => {
  const topic = await topicOf('seeking', 1)
  await send(topic, 0, 10)
  const received: number[] = []
  const take = async ({ message }: EachMessagePayload) => {
    received.push(Number(message.offset))
  }
  // While all is paused, kafkajs sleeps for so long before it looks again.
  const { consumer } = await join('seeking', topic, take, { maxWaitTimeInMs: 50 })
  await until(() => received.length === 10)
  consumer.seek({ topic, partition: 0, offset: '7' })
  await until(() => received.length === 13)
  t.same(received.slice(10), [7, 8, 9])
  consumer.pause([{ topic }])
  t.equal(consumer.paused()[0]?.topic, topic)
  await send(topic, 10, 5)
  let fetchCount = 0
  consumer.on('consumer.fetch', () => fetchCount++)
  await until(() => fetchCount >= 3)
  t.equal(received.length, 13)
  consumer.resume([{ topic }])
  await until(() => received.length === 18)
  t.same(received.slice(13), [10, 11, 12, 13, 14])
  await consumer.disconnect()
})

t.test('what is written beside a commit comes back', async (t) => {
  const topic = await topicOf('noted', 1)
  await send(topic, 0, 1)
  const { consumer } = await join('noted', topic, async () => {})
  await consumer.commitOffsets([{ topic, partition: 0, offset: '1', metadata: 'naïve ✓' }])
  await consumer.disconnect()
  const partitions = [{ partition: 0, offset: '1', metadata: 'naïve ✓' }]
  t.match(await admin.fetchOffsets({ groupId: 'noted', topics: [topic] }), [{ topic, partitions }])
})

t.test('an admin reads, sets and resets offsets of groups', async (t) => {
  await settingOffsets
  t.same(await committedOffsets('set', 'administered'), ['3', '5'])
  const start = ['-2', '-2'] // what kafkajs means by it
  t.same(await committedOffsets('reset', 'administered'), start)
  t.same(await committedOffsets('neither', 'administered'), ['-1', '-1'])
  t.match(await admin.fetchOffsets({ groupId: 'set' }), [{ topic: 'administered' }])
})

t.test('an admin lists, describes and deletes groups', async (t) => {
  const topic = await topicOf('listed', 2)
  const member = await join('listed', topic, async () => {})
  const isListed = async () =>
    (await admin.listGroups()).groups.some(
      ({ groupId, protocolType }) => groupId === 'listed' && protocolType === 'consumer',
    )
  t.ok(await isListed())
  t.match((await admin.describeGroups(['listed'])).groups, [
    {
      state: 'Stable',
      protocol: 'RoundRobinAssigner',
      members: [{ clientId: 'conformance', clientHost: '/127.0.0.1' }],
    },
  ])
  const partitions = [{ partition: 0, offset: '3' }]
  await t.rejects(admin.setOffsets({ groupId: 'listed', topic, partitions }), /Stable/)
  await t.rejects(admin.deleteGroups(['listed']), { name: 'KafkaJSDeleteGroupsError' })
  await member.consumer.disconnect()
  t.same(await admin.deleteGroups(['listed']), [{ groupId: 'listed', errorCode: 0 }])
  t.notOk(await isListed())
})

t.test(
  'a restart of the broker neither skips a record nor repeats one that was committed',
  async (t) => {
    const dataDir = t.testdir()
    // kafkajs may come back as another member: its former self then holds the group up for a session.
    const config = { 'group.min.session.timeout.ms': 500 }
    let restarting = await Broker.start({ dataDir, config })
    const port = Number(restarting.bootstrap.split(':')[1])
    const client = connect(restarting.bootstrap)
    const topic = 'restarted'
    const loader = client.producer()
    await loader.connect()
    const received: string[] = []
    /** Acknowledged commits, by partition. */
    const committed = new Map<number, number>()
    const tooOld: string[] = []
    const consumer = client.consumer({
      groupId: 'restarted',
      sessionTimeout: 1000,
      heartbeatInterval: 100,
    })
    await consumer.connect()
    const admins = client.admin()
    await admins.connect()
    await admins.createTopics({ topics: [{ topic, numPartitions: 3 }] })
    await consumer.subscribe({ topic, fromBeginning: true })
    await consumer.run({
      autoCommit: false,
      eachMessage: async ({ partition, message }) => {
        const offset = Number(message.offset)
        if (offset < (committed.get(partition) ?? 0)) tooOld.push(`${partition}: ${offset}`)
        received.push(message.value!.toString())
        if (offset % 5 !== 4) return
        await consumer.commitOffsets([{ topic, partition, offset: `${offset + 1}` }])
        committed.set(partition, offset + 1)
      },
    })
    let sent = 0
    for (let round = 0; round < 3; round++) {
      if (round > 0) {
        await restarting.close()
        restarting = await Broker.start({ dataDir, port, config })
      }
      const messages = Array.from({ length: 60 }, (_, i) => ({ value: `${sent + i}` }))
      await loader.send({ topic, messages })
      sent += messages.length
      await until(() => new Set(received).size === sent)
    }
    t.equal(new Set(received).size, sent)
    t.same(tooOld, [], 'nothing comes again that was committed')
    await consumer.disconnect()
    const found = await admins.fetchOffsets({ groupId: 'restarted', topics: [topic] })
    for (const { partition, offset } of found[0]!.partitions)
      t.equal(Number(offset), committed.get(partition), 'commits survive')
    await Promise.all([loader.disconnect(), admins.disconnect()])
    await restarting.close()
  },
)
