// Fetching: from the page cache and from the disk, by one reader and by ten, and while a producer writes to the topic.

import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { dropFromPageCache } from '../../fetch.ts'
import type { Case, RatioWanted, Sample, World } from '../case.ts'
import { consumerPerformance } from '../java-tools.ts'
import { withTopic } from '../kafka-wire.ts'
import { kafka } from '../kafka.ts'
import {
  costOf,
  counted,
  cpuPerGib,
  GIB,
  kcatConsume,
  kcatFollow,
  kcatProduce,
  MIB,
  recordsPerSecond,
  rssPeak,
} from '../measuring.ts'
import { millrace } from '../millrace.ts'
import type { Peer, Setting } from '../peer.ts'
import { settings as allSettings } from './produce.ts'

const KIB = 1024
const PAYLOAD_BYTES = 256 * MIB
/** How many times one reader reads the page cache: once costs too few kernel ticks to measure. */
const PASSES = 4
const BATCH_BYTES = 64 * KIB

/** Whether the records were synced makes no difference for reading: each server has its default. */
const settings = [millrace, kafka]
const ratios: RatioWanted[] = [
  { metric: 'CPU', of: millrace, to: kafka, atMost: 0.5 },
  { metric: 'rate', of: millrace, to: kafka, atLeast: 1 },
]
const metrics = [recordsPerSecond, cpuPerGib, rssPeak]

interface Load {
  readonly recordBytes: number
  readonly partitions: number
  readonly readers: number
  readonly isCold?: true
}

interface Filled {
  readonly peer: Peer
  readonly topic: string
  readonly recordCount: number
}

export const fetchCases: Case[] = [
  kcatCase('fetch-100b-1p', { recordBytes: 100, partitions: 1, readers: 1 }),
  kcatCase('fetch-100b-12p', { recordBytes: 100, partitions: 12, readers: 1 }),
  kcatCase('fetch-1k-1p', { recordBytes: KIB, partitions: 1, readers: 1 }),
  kcatCase('fetch-1k-12p', { recordBytes: KIB, partitions: 12, readers: 1 }),
  kcatCase('fetch-cold-1k', { recordBytes: KIB, partitions: 1, readers: 1, isCold: true }),
  kcatCase('fetch-10-readers', { recordBytes: KIB, partitions: 1, readers: 10 }),
  javaCase('fetch-java-100b', 100),
  javaCase('fetch-java-1k', KIB),
  produceAndConsume(),
]

function kcatCase(name: string, load: Load): Case {
  const { recordBytes, partitions, readers, isCold = false } = load
  const passes = isCold || readers > 1 ? 1 : PASSES
  const readersText = `${counted(readers, 'reader')} with librdkafka`
  const from = isCold ? 'from the disk' : 'from the page cache'
  return {
    name,
    settings,
    ratios,
    metrics,
    title: `${readersText}, ${from}, records of ${recordBytes} bytes, batches of 64 KiB, ${counted(partitions, 'partition')}`,
    measure: (setting, world) =>
      filled(setting, world, load, async ({ peer, topic, recordCount }) => {
        if (isCold) dropTopicFromPageCache(peer.dataDir, topic)
        const readAll = async () => {
          let seconds = 0
          for (let pass = 0; pass < passes; pass++)
            seconds += await kcatConsume(peer.address, topic)
          return seconds
        }
        const { result, cpuSeconds, rssPeakMib } = await costOf(peer, () =>
          Promise.all(Array.from({ length: readers }, readAll)),
        )
        const read = recordCount * readers * passes
        return {
          rate: read / Math.max(...result),
          CPU: cpuSeconds / ((read * recordBytes) / GIB),
          RSS: rssPeakMib,
        }
      }),
  }
}

function javaCase(name: string, recordBytes: number): Case {
  return {
    name,
    settings,
    ratios,
    metrics,
    title: `ConsumerPerformance, from the page cache, records of ${recordBytes} bytes, batches of 64 KiB, 1 partition`,
    measure: (setting, world) =>
      filled(
        setting,
        world,
        { recordBytes, partitions: 1 },
        async ({ peer, topic, recordCount }) => {
          const { result, cpuSeconds, rssPeakMib } = await costOf(peer, () =>
            consumerPerformance(peer.address, topic, recordCount),
          )
          return {
            rate: result,
            CPU: cpuSeconds / ((recordCount * recordBytes) / GIB),
            RSS: rssPeakMib,
          }
        },
      ),
  }
}

/** Runs `read` on a topic that was just written. */
async function filled(
  setting: Setting,
  world: World,
  { recordBytes, partitions }: { recordBytes: number; partitions: number },
  read: (filled: Filled) => Promise<Sample>,
): Promise<Sample> {
  const peer = await world.peerOf(setting)
  const topic = world.topicName()
  const recordCount = Math.floor((PAYLOAD_BYTES * world.scale) / recordBytes)
  const linesPath = world.linesFile(recordCount, recordBytes)
  const shape = { name: topic, partitions, config: setting.topicConfig }
  return withTopic(peer, shape, async () => {
    await kcatProduce(peer.address, { topic, linesPath, batchBytes: BATCH_BYTES })
    return read({ peer, topic, recordCount })
  })
}

function produceAndConsume(): Case {
  const recordBytes = 100
  return {
    name: 'produce-and-consume',
    title: `librdkafka produces and consumes at once, records of ${recordBytes} bytes, batches of 64 KiB, 1 partition`,
    settings: allSettings,
    ratios,
    metrics,
    async measure(setting, world) {
      const peer = await world.peerOf(setting)
      const topic = world.topicName()
      const recordCount = Math.floor((PAYLOAD_BYTES * world.scale) / recordBytes)
      const linesPath = world.linesFile(recordCount, recordBytes)
      const shape = { name: topic, partitions: 1, config: setting.topicConfig }
      return withTopic(peer, shape, async () => {
        const { result, cpuSeconds, rssPeakMib } = await costOf(peer, () =>
          Promise.all([
            kcatFollow(peer.address, topic, recordCount),
            kcatProduce(peer.address, { topic, linesPath, batchBytes: BATCH_BYTES }),
          ]),
        )
        const gib = (recordCount * recordBytes) / GIB
        return { rate: recordCount / Math.max(...result), CPU: cpuSeconds / gib, RSS: rssPeakMib }
      })
    },
  }
}

function dropTopicFromPageCache(dataDir: string, topic: string): void {
  for (const partition of readdirSync(dataDir).filter((name) => name.startsWith(`${topic}-`)))
    dropFromPageCache(join(dataDir, partition))
}
