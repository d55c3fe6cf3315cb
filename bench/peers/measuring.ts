// What the cases have in common: the broker's costs while something is done, and the load that librdkafka makes.

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

/** What `work` costs the server. */
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
}

/** To all partitions by turns. @returns seconds from kcat's start to the last acknowledgement */
export function kcatProduce(
  bootstrap: string,
  { topic, linesPath, batchBytes, codec = 'none' }: KcatProduce,
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
  })
}

/** Everything that is there. @returns seconds from kcat's start to its end */
export function kcatConsume(bootstrap: string, topic: string): Promise<number> {
  return kcat(bootstrap, ['-C', '-t', topic, '-o', 'beginning', '-e', '-f', ''], consumerSettings)
}

/** The next `count` records of a topic that is written to meanwhile. */
export function kcatFollow(bootstrap: string, topic: string, count: number): Promise<number> {
  const args = ['-C', '-t', topic, '-o', 'beginning', '-c', `${count}`, '-f', '']
  return kcat(bootstrap, args, consumerSettings)
}

const consumerSettings = {
  'queued.min.messages': 1_000_000,
  'queued.max.messages.kbytes': 256 * 1024,
}
