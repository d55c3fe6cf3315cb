// Consumer groups: the duration of a rebalance, the cost of commits and heartbeats, and the time until many groups resume.
// Members and broker run on one machine; the members' own CPU is not counted.

import { join } from 'node:path'
import { offsetCommit } from '../protocol/api/08_offset_commit.ts'
import { BrokerProcess } from './broker-process.ts'
import { GroupMember } from './group-member.ts'
import { median, type Bench, type Figure, type Row } from './report.ts'
import { WireClient } from './wire-client.ts'

const SECONDS = 3
const HEARTBEAT_MS = 100
const joiningAtOnce = [2, 10, 50]
const committing = [1, 16, 128]
const PARTITIONS = 10
const MEMBERS = 1000
const MEMBERS_A_GROUP = 100
/** The clients' default. */
const USUAL_HEARTBEAT_MS = 3000
const GROUPS = 1000
const RESTARTS = 5

export const groups: Bench = {
  name: 'groups',
  title: `members and commits over sockets of their own, commits of ${PARTITIONS} partitions, synced`,

  async *run(dir) {
    await using broker = await BrokerProcess.start(join(dir, 'groups'))
    for (const memberCount of joiningAtOnce) yield await rebalance(broker, memberCount)
    for (const count of committing) yield await commits(broker, count)
    yield* heartbeats(join(dir, 'heartbeats'))
    yield* restarts(join(dir, 'restarts'))
  },
}

async function connectAll(bootstrap: string, count: number): Promise<WireClient[]> {
  return Promise.all(Array.from({ length: count }, () => WireClient.connect(bootstrap)))
}

function disposeAll(clients: readonly WireClient[]): void {
  for (const client of clients) client[Symbol.dispose]()
}

/** From the first request until all members are in one generation; heartbeats are a tenth of a second apart. */
async function rebalance({ bootstrap }: BrokerProcess, memberCount: number): Promise<Row> {
  const clients = await connectAll(bootstrap, memberCount)
  const members = clients.map((client) => new GroupMember(client, `rebalance-${memberCount}`))
  const started = performance.now()
  let sharedMs = 0
  let isShared = false
  const lives = members.map(async (member) => {
    await member.join()
    while (!isShared) {
      isShared = members.every(({ generationId }) => generationId === member.generationId)
      if (isShared) sharedMs = performance.now() - started
      else if (await member.heartbeat()) await member.join()
      else await new Promise((resolve) => setTimeout(resolve, HEARTBEAT_MS))
    }
  })
  await Promise.all(lives)
  disposeAll(clients)
  return {
    title: `${memberCount} members join at once`,
    figures: [
      { name: '', value: sharedMs, unit: 'ms' },
      { name: '', value: members[0]!.generationId, unit: 'generations' },
    ],
  }
}

/** Each connection commits again as soon as it has its answer. */
async function commits(broker: BrokerProcess, connectionCount: number): Promise<Row> {
  const clients = await connectAll(broker.bootstrap, connectionCount)
  if (connectionCount === committing[0]) await clients[0]!.createTopic('t', {}, PARTITIONS)
  const { count, figures } = await countFor(broker, async (until, done) => {
    await Promise.all(
      clients.map(async (client, i) => {
        for (let offset = 1; performance.now() < until; offset++) {
          await commit(client, `commits-${i}`, offset)
          done()
        }
      }),
    )
  })
  disposeAll(clients)
  return {
    title: `${connectionCount} connections commit`,
    figures: [{ name: '', value: count / SECONDS, unit: 'commits/s' }, ...figures],
  }
}

async function commit(client: WireClient, groupId: string, offset: number): Promise<void> {
  const partitions = Array.from({ length: PARTITIONS }, (_, partitionIndex) => ({
    partitionIndex,
    committedOffset: offset,
  }))
  const answer = await client.call(offsetCommit, 8, {
    groupId,
    topics: [{ name: 't', partitions }],
  })
  const refused = answer.topics[0]!.partitions.find(({ errorCode }) => errorCode !== 0)
  if (refused !== undefined) throw new Error(`commit: error ${refused.errorCode}`)
}

/** Repeats `work` for a while. @returns the number of times, and its cost for the broker */
async function countFor(
  broker: BrokerProcess,
  work: (until: number, done: (times?: number) => void) => Promise<void>,
): Promise<{ count: number; figures: Figure[] }> {
  let count = 0
  const before = broker.usage()
  await work(performance.now() + SECONDS * 1000, (times = 1) => void (count += times))
  const cpuSeconds = broker.usage().cpuSeconds - before.cpuSeconds
  return {
    count,
    figures: [
      { name: 'each', value: (cpuSeconds * 1e6) / count, unit: 'CPU-µs' },
      { name: 'broker', value: cpuSeconds / SECONDS, unit: 'cores' },
    ],
  }
}

/** On a new broker: the other one may still be compacting the commits. */
async function* heartbeats(dir: string): AsyncGenerator<Row> {
  await using broker = await BrokerProcess.start(dir)
  const clients = await connectAll(broker.bootstrap, MEMBERS)
  const members = clients.map(
    (client, i) => new GroupMember(client, `heartbeats-${i % (MEMBERS / MEMBERS_A_GROUP)}`),
  )
  await Promise.all(members.map((member) => stayUntilStable(member)))
  const fast = await countFor(broker, async (until, done) => {
    await Promise.all(
      members.map(async (member) => {
        for (; performance.now() < until; done()) await member.heartbeat()
      }),
    )
  })
  yield {
    title: `${MEMBERS} members, without a pause`,
    figures: [{ name: '', value: fast.count / SECONDS, unit: 'heartbeats/s' }, ...fast.figures],
  }
  const usual = await countFor(broker, async (until, done) => {
    const started = performance.now()
    const beating: Promise<unknown>[] = []
    for (let now = started; now < until; now = performance.now()) {
      const due = ((now - started) / USUAL_HEARTBEAT_MS) * MEMBERS
      while (beating.length < due) beating.push(members[beating.length % MEMBERS]!.heartbeat())
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
    await Promise.all(beating)
    done(beating.length)
  })
  yield {
    title: `${MEMBERS} members, each every ${USUAL_HEARTBEAT_MS} ms`,
    figures: [{ name: '', value: usual.count / SECONDS, unit: 'heartbeats/s' }, ...usual.figures],
  }
  disposeAll(clients)
}

/** Joins, and joins again until no other member joins for a while. */
async function stayUntilStable(member: GroupMember): Promise<void> {
  await member.join()
  for (let quiet = 0; quiet < 5; quiet++) {
    await new Promise((resolve) => setTimeout(resolve, HEARTBEAT_MS))
    if (!(await member.heartbeat())) continue
    await member.join()
    quiet = 0
  }
}

/** Every group has one member and its commits. */
async function* restarts(dir: string): AsyncGenerator<Row> {
  {
    await using broker = await BrokerProcess.start(dir)
    using client = await WireClient.connect(broker.bootstrap)
    await client.createTopic('t', {}, PARTITIONS)
    for (let i = 0; i < GROUPS; i++) {
      await commit(client, `restart-${i}`, 1)
      await new GroupMember(client, `restart-${i}`).join()
    }
  }
  yield {
    title: `restart with ${GROUPS} groups`,
    figures: [
      { name: '', value: await readyMs(dir, 'stopped'), unit: 'ms' },
      { name: 'after a kill', value: await readyMs(dir, 'killed'), unit: 'ms' },
      { name: 'with none', value: await readyMs(`${dir}-empty`, 'stopped'), unit: 'ms' },
    ],
  }
}

/** The median of some starts, each after the broker was ended in this way. */
async function readyMs(dir: string, end: 'stopped' | 'killed'): Promise<number> {
  const startsMs: number[] = []
  for (let i = 0; i <= RESTARTS; i++) {
    await using broker = await BrokerProcess.start(dir)
    if (i > 0) startsMs.push(broker.readyMs)
    if (end === 'killed') await broker.kill()
  }
  return median(startsMs)
}
