// Kafka's own ProducerPerformance, ConsumerPerformance and EndToEndLatency: their arguments and their output.

import { kafkaTool } from './kafka.ts'

export interface ProducerPerformance {
  readonly recordsPerSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
}

function asArguments(flags: Readonly<Record<string, string | number>>): string[] {
  return Object.entries(flags).flatMap(([name, value]) => [`--${name}`, `${value}`])
}

/** With the client's own defaults, except for `settings`. The first tenth warms up and is not counted. */
export async function producerPerformance(
  bootstrap: string,
  topic: string,
  { recordCount, recordBytes }: { recordCount: number; recordBytes: number },
  settings: Readonly<Record<string, string | number>>,
): Promise<ProducerPerformance> {
  const flags = {
    'bootstrap-server': bootstrap,
    topic,
    'num-records': recordCount,
    'record-size': recordBytes,
    throughput: -1,
    'warmup-records': Math.floor(recordCount / 10),
  }
  const properties = Object.entries(settings).map(([name, value]) => `${name}=${value}`)
  const output = await kafkaTool('org.apache.kafka.tools.ProducerPerformance', [
    ...asArguments(flags),
    '--command-property',
    ...properties,
  ])
  return parseProducerPerformance(output)
}

/** `N steady state records sent, 149080.6 records/sec (14.22 MB/sec), ..., 1562 ms 50th, 2513 ms 95th, 2767 ms 99th, ...` */
export function parseProducerPerformance(output: string): ProducerPerformance {
  const summary = output.split('\n').findLast((line) => / 99th/.test(line)) ?? ''
  const number = (pattern: RegExp) => Number(pattern.exec(summary)?.[1])
  const found = {
    recordsPerSecond: number(/([\d.]+) records\/sec/),
    p50Ms: number(/([\d.]+) ms 50th/),
    p99Ms: number(/([\d.]+) ms 99th/),
  }
  if (Object.values(found).some(Number.isNaN))
    throw new Error(`ProducerPerformance printed: ${output}`)
  return found
}

/** @returns records/s, without the time for joining the group */
export async function consumerPerformance(
  bootstrap: string,
  topic: string,
  recordCount: number,
): Promise<number> {
  const flags = {
    'bootstrap-server': bootstrap,
    topic,
    'num-records': recordCount,
    timeout: 60_000,
  }
  const output = await kafkaTool('org.apache.kafka.tools.ConsumerPerformance', asArguments(flags))
  return parseConsumerPerformance(output)
}

/** A line of names, then a line of values. */
export function parseConsumerPerformance(output: string): number {
  const [values, names] = output
    .trim()
    .split('\n')
    .map((line) => line.split(',').map((cell) => cell.trim()))
    .toReversed()
  const recordsPerSecond = Number(values?.[names?.indexOf('fetch.nMsg.sec') ?? -1])
  if (Number.isNaN(recordsPerSecond)) throw new Error(`ConsumerPerformance printed: ${output}`)
  return recordsPerSecond
}

/** One record at a time through broker and consumer; each is sent when the last one has come back. */
export async function endToEndLatency(
  bootstrap: string,
  topic: string,
  { recordCount, recordBytes }: { recordCount: number; recordBytes: number },
): Promise<number> {
  const load = [`${recordCount}`, 'all', `${recordBytes}`]
  const args = [bootstrap, topic, ...load]
  const output = await kafkaTool('org.apache.kafka.tools.EndToEndLatency', args)
  return parseEndToEndLatency(output)
}

/** Its percentiles are whole milliseconds, so only the mean is precise enough. */
export function parseEndToEndLatency(output: string): number {
  const mean = Number(/Avg latency: ([\d.]+) ms/.exec(output)?.[1])
  if (Number.isNaN(mean)) throw new Error(`EndToEndLatency printed: ${output}`)
  return mean
}
