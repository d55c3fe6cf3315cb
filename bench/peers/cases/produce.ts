// Producing: librdkafka through kcat, and Kafka's own ProducerPerformance, at several sizes, codecs and numbers of
// partitions and producers.

import type { Case, RatioWanted, Sample, World } from '../case.ts'
import { producerPerformance } from '../java-tools.ts'
import { withTopic } from '../kafka-wire.ts'
import { kafka, kafkaSynced } from '../kafka.ts'
import {
  costOf,
  counted,
  cpuPerGib,
  GIB,
  kcatProduce,
  MIB,
  recordsPerSecond,
  rssPeak,
  type Cost,
} from '../measuring.ts'
import { millrace, millraceUnsynced } from '../millrace.ts'
import type { Setting } from '../peer.ts'

const KIB = 1024
const PAYLOAD_BYTES = 256 * MIB

export const settings = [millrace, kafkaSynced, millraceUnsynced, kafka]

interface Load {
  readonly recordBytes: number
  readonly batchBytes: number
  readonly partitions: number
  readonly codec?: string
  /** Concurrent producers, each with its part of the records. */
  readonly producers?: number
}

/** Two pairs of equal durability, and one of defaults. */
const ratios: RatioWanted[] = [
  { metric: 'rate', of: millrace, to: kafkaSynced, atLeast: 1.3 },
  { metric: 'rate', of: millraceUnsynced, to: kafka, atLeast: 1.3 },
  { metric: 'rate', of: millrace, to: kafka, atLeast: 1 },
  { metric: 'CPU', of: millrace, to: kafkaSynced, atMost: 0.5 },
  { metric: 'CPU', of: millraceUnsynced, to: kafka, atMost: 0.5 },
  { metric: 'CPU', of: millrace, to: kafka, atMost: 0.5 },
]

const sizes = { '100b': 100, '1k': KIB }
const batches = { '64k': 64 * KIB, '16k': 16 * KIB, '1m': MIB }

export const produceCases: Case[] = [
  ...withKcat('64k', [1, 12]),
  ...withKcat('16k', [1]),
  ...withKcat('1m', [1]),
  ...Object.entries(sizes).map(([name, recordBytes]) => javaCase(name, recordBytes)),
  ...['gzip', 'snappy', 'lz4', 'zstd'].map((codec) =>
    kcatCase(`produce-${codec}`, {
      recordBytes: KIB,
      batchBytes: 64 * KIB,
      partitions: 1,
      codec,
    }),
  ),
  kcatCase('produce-50-producers', {
    recordBytes: 100,
    batchBytes: 64 * KIB,
    partitions: 12,
    producers: 50,
  }),
]

function withKcat(batch: keyof typeof batches, partitionCounts: readonly number[]): Case[] {
  return partitionCounts.flatMap((partitions) =>
    Object.entries(sizes).map(([size, recordBytes]) =>
      kcatCase(`produce-${batch}-${size}-${partitions}p`, {
        recordBytes,
        partitions,
        batchBytes: batches[batch],
      }),
    ),
  )
}

function kcatCase(name: string, load: Load): Case {
  const { recordBytes, batchBytes, partitions, codec, producers = 1 } = load
  const parts = [
    `librdkafka produces records of ${recordBytes} bytes`,
    `batches of ${batchBytes / KIB} KiB`,
    ...(codec === undefined ? [] : [codec]),
    counted(partitions, 'partition'),
    counted(producers, 'producer'),
    'acks=all',
  ]
  return {
    name,
    title: parts.join(', '),
    settings,
    ratios,
    metrics: [recordsPerSecond, cpuPerGib, rssPeak],
    measure: (setting, world) => {
      const recordCount = Math.floor((PAYLOAD_BYTES * world.scale) / recordBytes / producers)
      const linesPath = world.linesFile(recordCount, recordBytes)
      const produce = async (bootstrap: string, topic: string) => {
        const one = () => kcatProduce(bootstrap, { topic, linesPath, ...load })
        const seconds = await Promise.all(Array.from({ length: producers }, one))
        return (recordCount * producers) / Math.max(...seconds)
      }
      return producing(setting, world, partitions, recordCount * producers * recordBytes, produce)
    },
  }
}

function javaCase(size: string, recordBytes: number): Case {
  const properties = { acks: 'all', 'batch.size': 64 * KIB, 'linger.ms': 5 }
  return {
    name: `produce-java-${size}`,
    title: `ProducerPerformance, records of ${recordBytes} bytes, batches of 64 KiB, 1 partition, acks=all`,
    settings,
    ratios,
    metrics: [recordsPerSecond, cpuPerGib, rssPeak],
    measure: (setting, world) => {
      const recordCount = Math.floor((PAYLOAD_BYTES * world.scale) / recordBytes)
      const load = { recordCount, recordBytes }
      return producing(setting, world, 1, recordCount * recordBytes, async (bootstrap, topic) => {
        const found = await producerPerformance(bootstrap, topic, load, properties)
        return found.recordsPerSecond
      })
    },
  }
}

/** @param produce returns records/s */
async function producing(
  setting: Setting,
  world: World,
  partitions: number,
  bytes: number,
  produce: (bootstrap: string, topic: string) => Promise<number>,
): Promise<Sample> {
  const peer = await world.peerOf(setting)
  const name = world.topicName()
  const config = { ...setting.topicConfig, 'max.message.bytes': `${4 * MIB}` }
  const cost: Cost<number> = await withTopic(peer, { name, partitions, config }, () =>
    costOf(peer, () => produce(peer.address, name)),
  )
  return { rate: cost.result, CPU: cost.cpuSeconds / (bytes / GIB), RSS: cost.rssPeakMib }
}
