// The cost of large internal tables of the broker: start, memory, commits and stop with a million committed offsets
// of a hundred thousand groups; and the cost of LMDB for the same entries. It decided docs/decisions/0019-tables-are-replayed.md

import { statSync } from 'node:fs'
import { join } from 'node:path'
import { open, type RootDatabase } from 'lmdb'
import { groupFormat, GROUP_PREFIX, keyOfOffset } from '../broker/group/record-format.ts'
import { offsetCommit } from '../protocol/api/08_offset_commit.ts'
import { systemClock } from '../storage/clock.ts'
import { openStore } from '../storage/open-store.ts'
import { pack, unpack } from '../storage/packed.ts'
import type { Change } from '../storage/store.ts'
import { OFFSETS_TOPIC } from '../storage/topic-name.ts'
import { BrokerProcess } from './broker-process.ts'
import { median, type Bench, type Figure, type Row } from './report.ts'
import { WireClient } from './wire-client.ts'

const GROUPS = 100_000
const PARTITIONS = 10
/** Of the groups, those that commit again: records that compaction has not removed yet. */
const AGAIN_SHARE = 0.5
const GROUPS_A_BATCH = 100
const RUNS = 3
const COMMIT_SECONDS = 3
const PUTS = 5000
const MIB = 2 ** 20

export const tables: Bench = {
  name: 'tables',
  title: `${GROUPS} groups with ${PARTITIONS} committed offsets each; commits of ${PARTITIONS} on one connection, synced`,

  async *run(dir) {
    const dataDir = join(dir, 'tables')
    await fill(dataDir)
    for (let run = 0; run < RUNS; run++) yield await brokerWith(dataDir)
    yield* sameInLmdb(join(dir, 'lmdb'))
  },
}

type Format = ReturnType<typeof groupFormat>
type Entry = Parameters<Format['encode']>
type GroupKey = Entry[0]
type GroupValue = NonNullable<Entry[1]>
type Entries = Change<GroupKey, GroupValue>[]

/** Of some groups. */
function entriesOf(from: number, to: number): Entries {
  const entries: Entries = []
  for (let group = from; group < to; group++) {
    const groupId = `group-${group}`
    entries.push([`${GROUP_PREFIX}${groupId}`, emptyGroup])
    for (let partition = 0; partition < PARTITIONS; partition++)
      entries.push([keyOfOffset({ groupId, topic: 't', partition }), committed(group)])
  }
  return entries
}

const emptyGroup = {
  protocolType: 'consumer',
  generationId: 1,
  protocolName: null,
  leaderId: null,
  sinceMs: Date.now(),
  members: [],
}

function committed(offset: number) {
  return { offset, leaderEpoch: 0, metadata: '', committedMs: Date.now(), expiresMs: null }
}

async function fill(dataDir: string): Promise<void> {
  await using store = await openStore({ dataDir, writer: 'thread', clock: systemClock })
  await store.topics.create({ name: 't', partitionCount: PARTITIONS })
  const table = await store.tables.open(
    OFFSETS_TOPIC,
    groupFormat(() => undefined),
  )
  for (const groupCount of [GROUPS, GROUPS * AGAIN_SHARE]) {
    for (let group = 0; group < groupCount; group += GROUPS_A_BATCH)
      await table.write(entriesOf(group, group + GROUPS_A_BATCH))
  }
}

async function brokerWith(dataDir: string): Promise<Row> {
  const broker = await BrokerProcess.start(dataDir)
  const { cpuSeconds, rssBytes, rssPeakBytes } = broker.usage()
  const committing = await commitFor(broker)
  const stopping = performance.now()
  await broker[Symbol.asyncDispose]()
  return {
    title: 'broker',
    figures: [
      { name: 'to ready', value: broker.readyMs, unit: 'ms' },
      { name: '', value: cpuSeconds, unit: 'CPU-s' },
      { name: 'RSS', value: rssBytes / MIB, unit: 'MiB' },
      { name: 'at most', value: rssPeakBytes / MIB, unit: 'MiB' },
      ...committing,
      { name: 'to stop', value: performance.now() - stopping, unit: 'ms' },
    ],
  }
}

async function commitFor(broker: BrokerProcess): Promise<Figure[]> {
  using client = await WireClient.connect(broker.bootstrap)
  const latenciesMs: number[] = []
  const before = broker.usage()
  const until = performance.now() + COMMIT_SECONDS * 1000
  for (let i = 0; performance.now() < until; i++) {
    const started = performance.now()
    await commit(client, `group-${i % GROUPS}`, i)
    latenciesMs.push(performance.now() - started)
  }
  const cpuSeconds = broker.usage().cpuSeconds - before.cpuSeconds
  const ascending = latenciesMs.toSorted((a, b) => a - b)
  return [
    { name: 'a commit', value: median(latenciesMs), unit: 'ms' },
    { name: 'p99', value: ascending[Math.floor(ascending.length * 0.99)]!, unit: 'ms' },
    { name: 'each', value: (cpuSeconds * 1e6) / latenciesMs.length, unit: 'CPU-µs' },
  ]
}

async function commit(client: WireClient, groupId: string, committedOffset: number): Promise<void> {
  const partitions = Array.from({ length: PARTITIONS }, (_, partitionIndex) => ({
    partitionIndex,
    committedOffset,
  }))
  const { topics } = await client.call(offsetCommit, 8, {
    groupId,
    topics: [{ name: 't', partitions }],
  })
  const refused = topics[0]!.partitions.find(({ errorCode }) => errorCode !== 0)
  if (refused !== undefined) throw new Error(`commit: error ${refused.errorCode}`)
}

/** Like a view that every commit writes and a start loads, without syncs. */
async function* sameInLmdb(path: string): AsyncGenerator<Row> {
  const database = open<Buffer, string>({ path, noSync: true, encoding: 'binary', noSubdir: true })
  for (let group = 0; group < GROUPS; group += GROUPS_A_BATCH)
    await put(database, entriesOf(group, group + GROUPS_A_BATCH))
  const putting = process.cpuUsage()
  for (let i = 0; i < PUTS; i++) await put(database, entriesOf(i, i + 1))
  const putSeconds = cpuSecondsSince(putting)
  yield {
    title: 'LMDB beside the log, each commit',
    figures: [
      { name: 'more', value: (putSeconds * 1e6) / PUTS, unit: 'CPU-µs' },
      { name: 'its file', value: statSync(path).size / MIB, unit: 'MiB' },
    ],
  }
  const loading = process.cpuUsage()
  const started = performance.now()
  const values = new Map<string, unknown>()
  for (const { key, value } of database.getRange({ snapshot: true })) values.set(key, unpack(value))
  yield {
    title: `LMDB, ${values.size} entries into a map`,
    figures: [
      { name: '', value: performance.now() - started, unit: 'ms' },
      { name: '', value: cpuSecondsSince(loading), unit: 'CPU-s' },
    ],
  }
  await database.close()
}

async function put(database: RootDatabase<Buffer, string>, entries: Entries): Promise<void> {
  await database.batch(() => {
    for (const [key, value] of entries) void database.put(key, pack(value)) // settles with the batch
  })
}

function cpuSecondsSince(start: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(start)
  return (user + system) / 1e6
}
