// Latency: from producer to consumer at steady rates, and one record at a time to all servers.

import { build as histogram, type Histogram } from 'hdr-histogram-js'
import { setTimeout } from 'node:timers/promises'
import { latenciesAt } from '../../end-to-end.ts'
import type { Case, Metric, RatioWanted, Sample, World } from '../case.ts'
import { endToEndLatency } from '../java-tools.ts'
import { kafkaPublisher } from '../kafka-channel.ts'
import { withTopic } from '../kafka-wire.ts'
import { kafka, kafkaSynced } from '../kafka.ts'
import { costOf, cpuPerMillion, p50, p99, recordsPerSecond } from '../measuring.ts'
import { millrace, millraceUnsynced } from '../millrace.ts'
import { nats, natsChannel } from '../nats.ts'
import type { Peer, Setting } from '../peer.ts'
import type { Channel, Publisher } from '../publisher.ts'
import { redis, redisChannel } from '../redis.ts'
import { settings as allSettings } from './produce.ts'

const SECONDS = 5
const RECORD_BYTES = 100
const JAVA_RECORDS = 2000

const latencyRatios: RatioWanted[] = ['p50', 'p99'].flatMap((metric) => [
  { metric, of: millrace, to: kafkaSynced, atMost: 0.5 },
  { metric, of: millraceUnsynced, to: kafka, atMost: 0.5 },
  { metric, of: millrace, to: kafka, atMost: 0.5 },
])

const cores: Metric = { name: 'CPU', unit: 'cores', better: 'less' }

export const latencyCases: Case[] = [
  ...[1000, 10_000, 50_000].map(endToEndCase),
  javaCase(),
  publishCase('one-at-a-time', { connections: 16 }),
  publishCase('small-records-10k', { connections: 16, rate: 10_000 }),
]

function endToEndCase(rate: number): Case {
  return {
    name: `end-to-end-${rate / 1000}k`,
    title: `producer to consumer, ${rate} records/s of ${RECORD_BYTES} bytes, a batch every ms, acks=all, 1 partition`,
    settings: allSettings,
    metrics: [p50, p99, cores],
    ratios: latencyRatios,
    async measure(setting, world) {
      const peer = await world.peerOf(setting)
      const seconds = SECONDS * world.scale
      return onTopic(setting, world, async (topic) => {
        const started = performance.now()
        const { result, cpuSeconds } = await costOf(peer, () =>
          latenciesAt(peer.address, topic, { rate, seconds }),
        )
        const tookSeconds = (performance.now() - started) / 1000
        return { ...percentiles(result), CPU: cpuSeconds / tookSeconds }
      })
    },
  }
}

function javaCase(): Case {
  const mean: Metric = { name: 'mean', unit: 'ms', better: 'less' }
  return {
    name: 'end-to-end-java',
    title: `EndToEndLatency, ${JAVA_RECORDS} records of ${RECORD_BYTES} bytes one after the other, acks=all`,
    settings: allSettings,
    metrics: [mean],
    ratios: latencyRatios
      .filter(({ metric }) => metric === 'p50')
      .map((ratio) => ({ ...ratio, metric: 'mean' })),
    async measure(setting, world) {
      const peer = await world.peerOf(setting)
      const load = { recordCount: JAVA_RECORDS, recordBytes: RECORD_BYTES }
      return onTopic(setting, world, async (topic) => ({
        mean: await endToEndLatency(peer.address, topic, load),
      }))
    },
  }
}

interface PublishLoad {
  readonly connections: number
  /** Records per second of all connections together; without it each connection sends as soon as it has its answer. */
  readonly rate?: number
}

function publishCase(name: string, load: PublishLoad): Case {
  const { connections, rate } = load
  const pace = rate === undefined ? 'each when the last is answered' : `${rate} records/s`
  return {
    name,
    title: `${connections} connections, records of ${RECORD_BYTES} bytes, one per request, ${pace}`,
    settings: [...allSettings, nats, redis],
    metrics: [recordsPerSecond, p50, p99, cpuPerMillion],
    ratios: [
      { metric: 'rate', of: millrace, to: kafkaSynced, atLeast: rate === undefined ? 1.3 : 1 },
      { metric: 'CPU', of: millrace, to: kafkaSynced, atMost: 0.5 },
      { metric: 'CPU', of: millrace, to: kafka, atMost: 0.5 },
      { metric: 'p50', of: millrace, to: kafkaSynced, atMost: 0.5 },
      { metric: 'rate', of: millrace, to: redis },
      { metric: 'rate', of: millraceUnsynced, to: nats },
    ],
    async measure(setting, world) {
      const peer = await world.peerOf(setting)
      return onChannel(setting, peer, world, (channel) =>
        publishing(channel, peer, load, SECONDS * world.scale),
      )
    },
  }
}

async function publishing(
  channel: Channel,
  peer: Peer,
  { connections, rate }: PublishLoad,
  seconds: number,
): Promise<Sample> {
  const publishers = await Promise.all(Array.from({ length: connections }, () => channel.connect()))
  const latencies = histogram({ lowestDiscernibleValue: 1, highestTrackableValue: 60e9 })
  const publish = async (publisher: Publisher) => {
    const sent = performance.now()
    await publisher.publish()
    latencies.recordValue(Math.max(1, Math.round((performance.now() - sent) * 1e6)))
  }
  const started = performance.now()
  const { cpuSeconds } = await costOf(peer, () =>
    rate === undefined
      ? closedLoop(publishers, seconds, publish)
      : openLoop(publishers, seconds, rate, publish),
  )
  const tookSeconds = (performance.now() - started) / 1000 // a server that is too slow answers after the end of the load
  for (const publisher of publishers) publisher[Symbol.dispose]()
  const count = latencies.totalCount
  return { rate: count / tookSeconds, ...percentiles(latencies), CPU: (cpuSeconds * 1e6) / count }
}

async function closedLoop(
  publishers: readonly Publisher[],
  seconds: number,
  publish: (publisher: Publisher) => Promise<void>,
): Promise<void> {
  const end = performance.now() + seconds * 1000
  await Promise.all(
    publishers.map(async (publisher) => {
      while (performance.now() < end) await publish(publisher)
    }),
  )
}

/** Sends records when they are due, whether earlier ones are answered or not. */
async function openLoop(
  publishers: readonly Publisher[],
  seconds: number,
  rate: number,
  publish: (publisher: Publisher) => Promise<void>,
): Promise<void> {
  const answers: Promise<void>[] = []
  const start = performance.now()
  for (let sent = 0; sent < rate * seconds;) {
    await setTimeout(1)
    const due = Math.min(rate * seconds, ((performance.now() - start) * rate) / 1000)
    for (; sent < due; sent++) answers.push(publish(publishers[sent % publishers.length]!))
  }
  await Promise.all(answers)
}

function percentiles(latencies: Histogram): { p50: number; p99: number } {
  const ms = (percentile: number) => latencies.getValueAtPercentile(percentile) / 1e6
  return { p50: ms(50), p99: ms(99) }
}

async function onTopic<T>(
  setting: Setting,
  world: World,
  work: (topic: string) => Promise<T>,
): Promise<T> {
  const name = world.topicName()
  const shape = { name, partitions: 1, config: setting.topicConfig }
  return withTopic(await world.peerOf(setting), shape, () => work(name))
}

/** A topic or a stream, in the server's words. */
async function onChannel<T>(
  setting: Setting,
  { address }: Peer,
  world: World,
  work: (channel: Channel) => Promise<T>,
): Promise<T> {
  const value = Buffer.alloc(RECORD_BYTES, 'the quick brown fox ')
  if (setting === nats || setting === redis) {
    const open = setting === nats ? natsChannel : redisChannel
    await using channel = await open(address, value)
    return await work(channel)
  }
  return onTopic(setting, world, (topic) =>
    work({
      connect: () => kafkaPublisher(address, topic, value),
      [Symbol.asyncDispose]: async () => {},
    }),
  )
}
