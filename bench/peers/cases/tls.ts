// TLS: the server's CPU time for what it receives and sends, with TLS and without on the same server, and for handshakes.

import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect } from 'node:tls'
import type { Case, RatioWanted, Sample, World } from '../case.ts'
import { kafkaTls } from '../kafka.ts'
import { withTopic } from '../kafka-wire.ts'
import {
  costOf,
  cpuPerGib,
  GIB,
  kcatConsume,
  kcatProduce,
  MIB,
  recordsPerSecond,
} from '../measuring.ts'
import { millraceTls } from '../millrace.ts'
import type { Setting, TlsAddress } from '../peer.ts'

const KIB = 1024
const PAYLOAD_BYTES = 256 * MIB
const RECORD_BYTES = KIB
/** Reading once costs too few kernel ticks to measure. */
const PASSES = 4
const HANDSHAKES = 2_000
const HANDSHAKES_AT_ONCE = 8
const CPU_WANTED = 0.7

const millracePlain: Setting = { ...millraceTls, name: 'millrace, no TLS' }
const kafkaPlain: Setting = { ...kafkaTls, name: 'kafka, no TLS' }
const ratios: RatioWanted[] = [
  { metric: 'CPU', of: millraceTls, to: kafkaTls, atMost: CPU_WANTED },
  { metric: 'CPU', of: millraceTls, to: millracePlain },
  { metric: 'CPU', of: kafkaTls, to: kafkaPlain },
]

export const tlsCases: Case[] = [
  transferCase('produce', 'librdkafka produces, acks=all, not synced'),
  transferCase('fetch', 'librdkafka reads from the page cache'),
  handshakeCase(),
]

function transferCase(work: 'produce' | 'fetch', what: string): Case {
  return {
    name: `tls-${work}`,
    title: `${what}, records of ${RECORD_BYTES} bytes, batches of 64 KiB, 1 partition, TLS 1.3`,
    settings: [millraceTls, kafkaTls, millracePlain, kafkaPlain],
    metrics: [recordsPerSecond, cpuPerGib],
    ratios,
    measure: (setting, world) => transfer(work, setting, world),
  }
}

async function transfer(
  work: 'produce' | 'fetch',
  setting: Setting,
  world: World,
): Promise<Sample> {
  const peer = await world.peerOf(setting)
  const isPlain = setting === millracePlain || setting === kafkaPlain
  const { address, settings } = isPlain ? { ...peer, settings: {} } : peer.tls!
  const recordCount = Math.floor((PAYLOAD_BYTES * world.scale) / RECORD_BYTES)
  const linesPath = world.linesFile(recordCount, RECORD_BYTES)
  const name = world.topicName()
  const load = { topic: name, linesPath, batchBytes: 64 * KIB }
  return withTopic(peer, { name, partitions: 1, config: setting.topicConfig }, async () => {
    if (work === 'produce') {
      const produce = () => kcatProduce(address, { ...load, security: settings })
      return sampleOf(await costOf(peer, produce), recordCount)
    }
    await kcatProduce(peer.address, load)
    const read = async () => {
      let seconds = 0
      for (let pass = 0; pass < PASSES; pass++)
        seconds += await kcatConsume(address, name, settings)
      return seconds
    }
    return sampleOf(await costOf(peer, read), recordCount * PASSES)
  })
}

/** @param cost `result`: the seconds it took */
function sampleOf(cost: { result: number; cpuSeconds: number }, recordCount: number): Sample {
  const gib = (recordCount * RECORD_BYTES) / GIB
  return { rate: recordCount / cost.result, CPU: cost.cpuSeconds / gib }
}

function handshakeCase(): Case {
  return {
    name: 'tls-handshakes',
    title: `${HANDSHAKES} connections, each with a full handshake of TLS 1.3 and no request, P-256`,
    settings: [millraceTls, kafkaTls],
    metrics: [
      { name: 'rate', unit: 'handshakes/s', better: 'more' },
      { name: 'CPU', unit: 'CPU-ms/handshake', better: 'less' },
    ],
    ratios: [{ metric: 'CPU', of: millraceTls, to: kafkaTls, atMost: 1 }],
    async measure(setting, world) {
      const peer = await world.peerOf(setting)
      const count = Math.floor(HANDSHAKES * world.scale)
      const { result, cpuSeconds } = await costOf(peer, () => shakeHands(peer.tls!, count))
      return { rate: count / result, CPU: (cpuSeconds * 1000) / count }
    },
  }
}

/** @returns seconds. The client's own work is part of them */
async function shakeHands({ address, settings }: TlsAddress, count: number): Promise<number> {
  const [host, port] = address.split(':')
  const ca = readFileSync(settings['ssl.ca.location']!)
  const start = performance.now()
  let begun = 0
  const several = async () => {
    while (begun++ < count) {
      const socket = connect({ host: host!, port: Number(port), ca })
      await once(socket, 'secureConnect')
      socket.destroy()
    }
  }
  await Promise.all(Array.from({ length: HANDSHAKES_AT_ONCE }, several))
  return (performance.now() - start) / 1000
}
