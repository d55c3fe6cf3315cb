// Functions that the cases share: the broker's costs during some work, and the load of librdkafka.

import { kcat } from '../kcat.ts'
import type { Metric } from './case.ts'
import type { Peer } from './peer.ts'

export const MIB = 2 ** 20
export const GIB = 2 ** 30

export const recordsPerSecond: Metric = { name: 'rate', unit: 'records/s', better: 'more' }
export const cpuPerGib: Metric = { name: 'CPU', unit: 'CPU-s/GiB', better: 'less' }
export const cpuPerMillion: Metric = { name: 'CPU', unit: 'CPU-s/M records', better: 'less' }
export const rssPeak: Metric = { name: 'RSS', unit: 'MiB at most', better: 'less' }
export const p50: Metric = { name: 'p50', unit: 'ms', better: 'less' }
export const p99: Metric = { name: 'p99', unit: 'ms', better: 'less' }

/** `1 reader`, `10 readers`. */
export const counted = (count: number, noun: string) => `${count} ${noun}${count === 1 ? '' : 's'}`

export interface Cost<T> {
  readonly result: T
  readonly cpuSeconds: number
  readonly rssPeakMib: number
}

/** The server's costs during `work`. */
export async function costOf<T>(peer: Peer, work: () => Promise<T>): Promise<Cost<T>> {
  peer.forgetPeak()
  const before = peer.usage()
  const result = await work()
  const { cpuSeconds, rssPeakBytes } = peer.usage()
  return {
    result,
    cpuSeconds: cpuSeconds - before.cpuSeconds,
    rssPeakMib: rssPeakBytes / MIB,
  }
}

export interface KcatProduce {
  readonly topic: string
  readonly linesPath: string
  readonly batchBytes: number
  readonly codec?: string
  /** How to reach a listener that is not plaintext. */
  readonly security?: Settings
}

type Settings = Readonly<Record<string, string>>

/** Writes to all partitions in turn. @returns seconds from kcat's start to the last acknowledgement */
export function kcatProduce(
  bootstrap: string,
  { topic, linesPath, batchBytes, codec = 'none', security = {} }: KcatProduce,
): Promise<number> {
  return kcat(bootstrap, ['-P', '-t', topic, '-l', linesPath], {
    acks: 'all',
    'batch.size': batchBytes,
    'batch.num.messages': 1_000_000,
    'message.max.bytes': Math.max(1_000_000, 2 * batchBytes),
    'linger.ms': 20,
    'queue.buffering.max.messages': 1_000_000,
    'queue.buffering.max.kbytes': 256 * 1024,
    'compression.codec': codec,
    ...security,
  })
}

/** Reads all records. @returns seconds from kcat's start to its end */
export function kcatConsume(
  bootstrap: string,
  topic: string,
  security: Settings = {},
): Promise<number> {
  const args = ['-C', '-t', topic, '-o', 'beginning', '-e', '-f', '']
  return kcat(bootstrap, args, { ...consumerSettings, ...security })
}

/** Reads the next `count` records of a topic while a producer writes to it. */
export function kcatFollow(bootstrap: string, topic: string, count: number): Promise<number> {
  const args = ['-C', '-t', topic, '-o', 'beginning', '-c', `${count}`, '-f', '']
  return kcat(bootstrap, args, consumerSettings)
}

const consumerSettings = {
  'queued.min.messages': 1_000_000,
  'queued.max.messages.kbytes': 256 * 1024,
}
