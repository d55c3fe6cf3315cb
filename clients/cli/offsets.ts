// Offsets: asks the broker for the ends of partitions, for `tail` and `topic`.

import type { Admin, TopicDescription } from '../admin/admin.ts'
import { KafkaError } from '../../protocol/errors.ts'
import type { Isolation } from '../cluster/offsets.ts'
import { PartialError } from '../partial-error.ts'
import { CliError } from './exit.ts'
import type { Bounds } from './offset-range.ts'

/** @throws {CliError} notFound, with the name of the first topic that does not exist */
export async function describe(
  admin: Admin,
  names: readonly string[],
): Promise<TopicDescription[]> {
  try {
    return await admin.describeTopics(names)
  } catch (error) {
    if (!(error instanceof PartialError)) throw error
    const missing = error.results.findIndex(
      (result) => result instanceof KafkaError && result.code === 'UNKNOWN_TOPIC_OR_PARTITION',
    )
    if (missing === -1) throw error
    throw new CliError(
      'notFound',
      `no topic '${names[missing]}'; millrace topic ls lists those that exist`,
      { cause: error },
    )
  }
}

/** Bounds of every partition of these topics: topic -> by partition. */
export type BoundsByTopic = ReadonlyMap<string, readonly Bounds[]>

/** @param isolation `committed`: the end is before the first open transaction */
export async function boundsOf(
  admin: Admin,
  topics: readonly string[],
  isolation?: Isolation,
): Promise<BoundsByTopic> {
  if (topics.length === 0) return new Map()
  const [starts, ends] = await Promise.all([
    admin.listOffsets(topics, 'earliest'),
    admin.listOffsets(topics, 'latest', { isolation }),
  ])
  const bounds = new Map<string, { start: number; end: number }[]>(
    topics.map((topic) => [topic, []]),
  )
  for (const { topic, partition, offset } of starts)
    bounds.get(topic)![partition] = { start: offset, end: offset }
  for (const { topic, partition, offset } of ends) bounds.get(topic)![partition]!.end = offset
  return bounds
}

/** The number of offsets: that of records, unless compaction has removed some. */
export function recordCount(bounds: readonly Bounds[]): number {
  return bounds.reduce((sum, { start, end }) => sum + end - start, 0)
}

/** The first offset with `timestamp` (ms) or a later one; undefined if all are earlier. */
export async function offsetForTime(
  admin: Admin,
  topic: string,
  partition: number,
  timestamp: number,
): Promise<number | undefined> {
  const [found] = await admin.listOffsets([{ topic, partition }], new Date(timestamp))
  return found === undefined || found.offset < 0 ? undefined : found.offset
}

/** @throws {CliError} notFound, for a partition that the topic does not have */
export function choosePartitions(
  { topic, partitions }: TopicDescription,
  wanted?: readonly number[],
): number[] {
  const all = partitions.map(({ partition }) => partition)
  const missing = wanted?.find((partition) => !all.includes(partition))
  if (missing !== undefined)
    throw new CliError(
      'notFound',
      `${topic} has no partition ${missing}, only 0 to ${all.length - 1}`,
    )
  return wanted === undefined ? all : [...new Set(wanted)]
}
