// Assignors of the user's own, through the public API: user data from members to the leader and back, beside kafkajs
// in one group, and assignors that throw, answer nonsense or never answer.

import kafkajs, { type PartitionAssigner } from 'kafkajs'
import t from '../../protocol/testing/tap.ts'
import {
  GroupWorld,
  numbers,
  read,
  readAll,
  texts,
  until,
  type Texted,
} from '../testing/group-world.ts'
import {
  KafkaError,
  type Assignor,
  type GroupAssignment,
  type GroupSubscription,
  type MemberAssignment,
  type OwnAssignment,
} from '../index.ts'

/** The members' user data, as text. */
const told = (userData: Uint8Array | null): string => Buffer.from(userData ?? []).toString()

/** Each member tells its capacity, gets partitions by it, and hears the capacity of the whole group. */
class ByCapacity implements Assignor {
  readonly name = 'by-capacity'
  capacity: number
  assignCount = 0
  readonly heard: string[] = []

  constructor(capacity: number) {
    this.capacity = capacity
  }

  subscriptionUserData(): Buffer {
    return Buffer.from(`${this.capacity}`)
  }

  async assign({ members, partitionCounts }: GroupSubscription): Promise<GroupAssignment> {
    this.assignCount++
    const slots = members.flatMap(({ memberId, userData }) =>
      Array.from({ length: Number(told(userData)) }, () => memberId),
    )
    const assignment = new Map<string, MemberAssignment & { partitions: any[] }>()
    for (const { memberId } of members)
      assignment.set(memberId, { partitions: [], userData: Buffer.from(`${slots.length}`) })
    for (const [topic, count] of partitionCounts) {
      for (let partition = 0; partition < count; partition++)
        assignment.get(slots[partition % slots.length]!)!.partitions.push({ topic, partition })
    }
    return assignment
  }

  async onAssignment({ userData, partitions }: OwnAssignment): Promise<void> {
    this.heard.push(`${partitions.length} of ${told(userData)}`)
  }
}

/** Reads until the consumer closes. */
const reading = (consumer: Texted): Promise<void> => read(consumer).done

t.test(
  'user data of members reaches the assignor of the leader, and its own reaches them',
  async (t) => {
    await using w = await GroupWorld.open(12)
    const assignors = [new ByCapacity(1), new ByCapacity(2)]
    const [small, large] = assignors.map((each) => w.consumer({ assignors: [each] }))
    const runs = [reading(small!), reading(large!)]
    await until(() => small!.assignment().length === 4 && large!.assignment().length === 8)
    t.equal(assignors[0]!.heard.at(-1), '4 of 3')
    t.equal(assignors[1]!.heard.at(-1), '8 of 3')

    assignors[0]!.capacity = 2
    small!.rejoin()
    await until(() => small!.assignment().length === 6 && large!.assignment().length === 6)
    t.equal(
      assignors[1]!.heard.at(-1),
      '6 of 4',
      'a member that has news makes the group share out',
    )
    t.ok(assignors.some(({ assignCount }) => assignCount > 1))
    await Promise.all([small!.close(), large!.close(), ...runs])
  },
)

t.test('a cooperative assignor of the user’s own moves only what it moves', async (t) => {
  await using w = await GroupWorld.open(2)
  await w.send(20)
  /** The first member keeps everything; others wait. */
  const firstComes: Assignor = {
    name: 'first-comes',
    rebalanceProtocols: ['cooperative', 'eager'],
    assign({ members, partitionCounts }) {
      const holder = members.find(({ owned }) => owned.length > 0) ?? members[0]!
      const places = [...partitionCounts].flatMap(([topic, count]) =>
        Array.from({ length: count }, (_, partition) => ({ topic, partition })),
      )
      return new Map([[holder.memberId, { partitions: places }]])
    },
  }
  const first = w.consumer({ assignors: [firstComes] })
  const signals = new Set<AbortSignal>()
  const run = first.run((record) => signals.add(record.signal))
  await until(() => first.assignment().length === 2 && signals.size === 2)
  const second = w.consumer({ assignors: [firstComes, 'cooperative-sticky'] })
  const joined = reading(second)
  await until(async () => (await w.memberCount()) === 2)
  await w.send(20)
  await until(async () => (await w.committed()) === 40)
  t.equal(signals.size, 2)
  t.ok(
    [...signals].every(({ aborted }) => !aborted),
    'no partition was taken away meanwhile',
  )
  await Promise.all([first.close(), second.close(), run, joined])
})

t.test('our bytes are those of kafkajs: one group, whichever of both leads', async (t) => {
  for (const leader of ['ours', 'kafkajs'] as const) {
    await using w = await GroupWorld.open(6)
    const ours = new ByCapacity(1)
    let theirs: readonly number[] = []
    const { Kafka, logLevel } = kafkajs
    const kafka = new Kafka({ brokers: [w.broker.bootstrap], logLevel: logLevel.NOTHING })
    const foreign = kafka.consumer({
      groupId: 'g',
      heartbeatInterval: 20,
      partitionAssigners: [kafkajsByCapacity(2, ours)],
    })
    foreign.on('consumer.group_join', ({ payload }) => {
      theirs = payload.memberAssignment[texts.name] ?? []
    })
    const start = async (): Promise<void> => {
      await foreign.connect()
      await foreign.subscribe({ topic: texts.name, fromBeginning: true })
      await foreign.run({ eachMessage: async () => {} })
    }
    if (leader === 'kafkajs') {
      await start()
      await until(async () => (await w.memberCount()) === 1)
    }
    const consumer = w.consumer({ assignors: [ours] })
    const run = reading(consumer)
    if (leader === 'ours') {
      await until(() => consumer.assignment().length === 6)
      await start()
    }
    await until(() => consumer.assignment().length === 2 && theirs.length === 4)
    t.equal(ours.heard.at(-1), '2 of 3', `${leader} led`)
    await foreign.disconnect()
    await consumer.close()
    await run
  }
})

/** The same assignor as kafkajs has it: written and read by its own encoders. */
function kafkajsByCapacity(capacity: number, ours: ByCapacity): PartitionAssigner {
  const { MemberAssignment, MemberMetadata } = kafkajs.AssignerProtocol
  return ({ cluster }) => ({
    name: ours.name,
    version: 1,
    protocol({ topics }) {
      const userData = Buffer.from(`${capacity}`)
      return { name: ours.name, metadata: MemberMetadata.encode({ version: 1, topics, userData }) }
    },
    async assign({ members, topics }) {
      const partitionCounts = new Map(
        topics.map((each) => [each, cluster.findTopicPartitionMetadata(each).length]),
      )
      const described = members.map(({ memberId, memberMetadata }) => {
        const { topics: subscribed, userData } = MemberMetadata.decode(memberMetadata)!
        const usual = { groupInstanceId: null, owned: [], generationId: -1 }
        return { memberId, topics: subscribed, userData, ...usual }
      })
      const assignment = await ours.assign({ members: described, partitionCounts })
      return Array.from(assignment, ([memberId, { partitions, userData }]) => {
        const numbers = partitions.map(({ partition }) => partition)
        const shares = { version: 1, assignment: { [texts.name]: numbers } }
        const memberAssignment = MemberAssignment.encode({
          ...shares,
          userData: Buffer.from(userData!),
        })
        return { memberId, memberAssignment }
      })
    },
  })
}

/** `assign` of the only member of a group. */
const answering = (assign: (group: GroupSubscription) => unknown): Assignor => ({
  name: 'bad',
  assign: assign as Assignor['assign'],
})
const only = ({ members }: GroupSubscription, share: unknown) =>
  new Map([[members[0]!.memberId, share]])
const place = { topic: texts.name, partition: 0 }

const failing: [name: string, assignor: Assignor, words: RegExp][] = [
  [
    'throws',
    answering(() => {
      throw new Error('no idea')
    }),
    /assignor bad: assign: no idea/,
  ],
  [
    'rejects with no error',
    answering(async () => {
      const odd: unknown = 7
      throw odd
    }),
    /assign: it threw 7/,
  ],
  ['gives no map', answering(() => ({})), /assign: gave an object, expected a Map/],
  [
    'knows a stranger',
    answering(() => new Map([['you', { partitions: [] }]])),
    /to "you", which is no member/,
  ],
  [
    'gives no partitions',
    answering((g) => only(g, [place])),
    /expected \{ partitions: \[\.\.\.\] \}/,
  ],
  [
    'gives no places',
    answering((g) => only(g, { partitions: [0] })),
    /gave 0, expected a topic and a partition/,
  ],
  [
    'gives what is not there',
    answering((g) => only(g, { partitions: [{ ...place, partition: 9 }] })),
    /texts\[9\]: there is none/,
  ],
  [
    'gives twice',
    answering((g) => only(g, { partitions: [place, place] })),
    /gave texts\[0\] to .* and /,
  ],
  [
    'gives odd user data',
    answering((g) => only(g, { partitions: [], userData: 'text' })),
    /"text" as userData, expected bytes/,
  ],
  [
    'has a getter that throws',
    answering((g) =>
      only(g, {
        get partitions(): never {
          throw new Error('got')
        },
      }),
    ),
    /assign: got/,
  ],
  [
    'says odd user data',
    { ...answering(() => new Map()), subscriptionUserData: () => 'x' as never },
    /subscriptionUserData: gave "x"/,
  ],
  [
    'throws when it is told',
    {
      ...answering((g) => only(g, { partitions: [place] })),
      onAssignment: () => {
        throw new Error('deaf')
      },
    },
    /onAssignment: deaf/,
  ],
]

for (const [name, assignor, words] of failing) {
  t.test(`an assignor that ${name} fails its own consumer, in words`, async (t) => {
    await using w = await GroupWorld.open(1)
    const consumer = w.consumer({ assignors: [assignor] })
    await t.rejects(reading(consumer), { code: 'INCONSISTENT_GROUP_PROTOCOL', message: words })
    await until(async () => (await w.memberCount()) === 0)
    t.pass('and the member has left its group')
  })
}

t.test(
  'an assignor that never answers is told after the time that others wait for it',
  async (t) => {
    await using w = await GroupWorld.open(1)
    const assignor = answering(() => new Promise(() => {}))
    const consumer = w.consumer({ assignors: [assignor], rebalanceTimeoutMs: 100 })
    await t.rejects(reading(consumer), { message: /assign: did not settle in 100 ms/ })
  },
)

t.test('a consumer whose assignor never answers closes all the same', async (t) => {
  await using w = await GroupWorld.open(1)
  let isAsked = false
  const assignor = answering(() => {
    isAsked = true
    return new Promise(() => {})
  })
  const consumer = w.consumer({ assignors: [assignor] })
  const run = reading(consumer)
  await until(() => isAsked)
  await consumer.close()
  await run
  t.pass('long before the rebalance timeout')
})

t.test('the others go on when the assignor of their leader fails', async (t) => {
  await using w = await GroupWorld.open(2)
  await w.send(10)
  let isBroken = false
  const fragile: Assignor = {
    name: 'fragile',
    assign({ members, partitionCounts }) {
      if (isBroken && members.length > 1) throw new Error('two are a crowd')
      const [[topic, count] = ['', 0]] = partitionCounts
      const partitions = Array.from({ length: count }, (_, partition) => ({ topic, partition }))
      return new Map([[members[0]!.memberId, { partitions }]])
    },
  }
  const leader = w.consumer({ assignors: [fragile] })
  const led = reading(leader)
  await until(() => leader.assignment().length === 2)
  isBroken = true
  const other = w.consumer({ assignors: [fragile] })
  const others = reading(other)
  await t.rejects(led, /two are a crowd/)
  await until(() => other.assignment().length === 2)
  await w.send(10)
  await until(async () => (await w.committed()) === 20)
  await Promise.all([leader.close(), other.close(), others])
})

t.test('an assignor that meets a passing error of the cluster is asked again', async (t) => {
  await using w = await GroupWorld.open(1)
  await w.send(3)
  let attempts = 0
  const patient: Assignor = {
    name: 'patient',
    async assign({ members }) {
      if (++attempts < 3) throw new KafkaError('COORDINATOR_NOT_AVAILABLE', 'not yet')
      return new Map([[members[0]!.memberId, { partitions: [place] }]])
    },
  }
  t.same(await readAll(w.consumer({ assignors: [patient], until: 'end' })), numbers(3))
  t.equal(attempts, 3)
})

t.test('what is no assignor is refused at once', async (t) => {
  await using w = await GroupWorld.open(1)
  const assign = () => new Map()
  const bad: unknown[] = [
    {},
    { name: 'x' },
    { name: '', assign },
    { name: 'x', assign, rebalanceProtocols: ['lazy'] },
    { name: 'x', assign, rebalanceProtocols: [] },
    { name: 'x', assign, onAssignment: 1 },
  ]
  for (const assignor of bad)
    t.throws(() => w.consumer({ assignors: [assignor as Assignor] }), /assignors\[0\] is an object/)
  t.throws(
    () =>
      w.consumer({
        assignors: [{ name: 'x', assign, rebalanceProtocols: ['cooperative'] }, 'range'],
      }),
    /no rebalance protocol in common: x \(cooperative\), range \(eager\)/,
  )
  t.throws(
    () => w.consumer({ assignors: [{ name: 'range', assign }, 'range'] }),
    /assignor range is named twice/,
  )
})
