// Growth: the cost of produces and fetches with a large log, with many partitions and with many connections.
// Each should be constant. Every round has a server of its own.

import { metadata } from '../../../protocol/api/03_metadata.ts'
import { WireClient } from '../../wire-client.ts'
import type { Case, Metric, Sample, World } from '../case.ts'
import { createTopic } from '../kafka-wire.ts'
import { kafka } from '../kafka.ts'
import { costOf, GIB, kcatFollow, kcatProduce, MIB } from '../measuring.ts'
import { millraceUnsynced } from '../millrace.ts'
import type { Peer } from '../peer.ts'

const KIB = 1024
const RECORD_BYTES = KIB
const PAYLOAD_BYTES = 256 * MIB
const BATCH_BYTES = 64 * KIB

const settings = [millraceUnsynced, kafka]
const produceCpu: Metric = { name: 'produce', unit: 'CPU-s/GiB', better: 'less' }
const fetchCpu: Metric = { name: 'fetch', unit: 'CPU-s/GiB', better: 'less' }
const rss: Metric = { name: 'RSS', unit: 'MiB', better: 'less' }
const between = (metric: string) => ({ metric, of: millraceUnsynced, to: kafka })

export const growthCases: Case[] = [
  ...[1, 10, 50].map(logSizeCase),
  ...[1, 100, 1000, 10_000].map(partitionsCase),
  ...[1, 100, 1000, 5000].map(connectionsCase),
]

/** Fills a log on a server of its own, appends and reads a little more, and starts the server again. */
function logSizeCase(gib: number): Case {
  return {
    name: `log-size-${gib}g`,
    title: `with ${gib} GiB in one partition: producing and fetching 256 MiB more, memory, a start`,
    settings,
    metrics: [produceCpu, fetchCpu, rss, { name: 'start', unit: 'ms', better: 'less' }],
    ratios: ['produce', 'fetch', 'RSS', 'start'].map(between),
    isLong: true,
    async measure({ kind, topicConfig }, world) {
      const dir = world.emptyDir()
      let sample: Sample
      {
        await using peer = await kind.start(dir)
        using client = await WireClient.connect(peer.address)
        await createTopic(client, { name: 'size', partitions: 1, config: topicConfig })
        const bytes = gib * GIB * world.scale
        for (let filled = 0; filled < bytes; filled += PAYLOAD_BYTES)
          await fill(peer, 'size', world)
        sample = await costs(peer, 'size', world)
      }
      await using peer = await kind.start(dir)
      return { ...sample, start: peer.readyMs }
    },
  }
}

function partitionsCase(count: number): Case {
  return {
    name: `partitions-${count}`,
    title: `one topic of ${count} partitions: creating it, producing and fetching 256 MiB spread over it`,
    settings,
    metrics: [{ name: 'create', unit: 'ms', better: 'less' }, produceCpu, fetchCpu, rss],
    ratios: ['create', 'produce', 'fetch', 'RSS'].map(between),
    ...(count > 1000 && { isLong: true }),
    async measure({ kind, topicConfig }, world) {
      await using peer = await kind.start(world.emptyDir())
      using client = await WireClient.connect(peer.address)
      const started = performance.now()
      await createTopic(client, { name: 'many', partitions: count, config: topicConfig })
      const create = performance.now() - started
      await fill(peer, 'many', world) // for the compilers to warm up
      return { create, ...(await costs(peer, 'many', world)) }
    },
  }
}

function connectionsCase(count: number): Case {
  return {
    name: `connections-${count}`,
    title: `with ${count} idle connections that have asked once: producing and fetching 256 MiB`,
    settings,
    metrics: [produceCpu, fetchCpu, rss],
    ratios: ['produce', 'fetch', 'RSS'].map(between),
    ...(count > 1000 && { isLong: true }),
    async measure({ kind, topicConfig }, world) {
      await using peer = await kind.start(world.emptyDir())
      const idle = await connectMany(peer, count)
      await createTopic(idle[0]!, { name: 'connections', partitions: 1, config: topicConfig })
      await fill(peer, 'connections', world) // for the compilers to warm up
      const sample = await costs(peer, 'connections', world)
      for (const client of idle) client[Symbol.dispose]()
      return sample
    },
  }
}

async function connectMany({ address }: Peer, count: number): Promise<WireClient[]> {
  const clients: WireClient[] = []
  for (let i = 0; i < count; i++) {
    const client = await WireClient.connect(address)
    await client.call(metadata, 9, { topics: [] })
    clients.push(client)
  }
  return clients
}

/** The cost of writing one more payload, and of reading as much from the beginning. */
async function costs(peer: Peer, topic: string, world: World): Promise<Sample> {
  const gib = (PAYLOAD_BYTES * world.scale) / GIB
  const produced = await costOf(peer, () => fill(peer, topic, world))
  const fetched = await costOf(peer, () => kcatFollow(peer.address, topic, recordsIn(world)))
  return {
    produce: produced.cpuSeconds / gib,
    fetch: fetched.cpuSeconds / gib,
    RSS: peer.usage().rssBytes / MIB,
  }
}

const recordsIn = ({ scale }: World) => Math.floor((PAYLOAD_BYTES * scale) / RECORD_BYTES)

function fill(peer: Peer, topic: string, world: World): Promise<number> {
  const linesPath = world.linesFile(recordsIn(world), RECORD_BYTES)
  return kcatProduce(peer.address, { topic, linesPath, batchBytes: BATCH_BYTES })
}
