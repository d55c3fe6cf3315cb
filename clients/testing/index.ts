// The test kit, package export `millrace/testing`: a test waits for what it expects, instead of sleeping.

import type { Client } from '../client.ts'
import { startAt, type StartAt } from '../consumer/bounds.ts'
import { checked, milliseconds, shape } from '../options.ts'
import { topicOf, type RecordOf, type TopicLike } from '../topic.ts'

export interface ReceiveOptions {
  /** Default `earliest`. */
  readonly from?: StartAt | undefined
  /** Default 5 s. */
  readonly timeoutMs?: number | undefined
}

const receiveOptions = shape<ReceiveOptions>({ from: startAt, timeoutMs: milliseconds() })

/**
 * Waits until the topic has `count` records.
 *
 * @returns the records, in order within each partition
 * @throws {Error} when time runs out; the message has the number of records so far
 */
export async function receive<const T extends TopicLike>(
  client: Client,
  topic: T,
  count: number,
  options: ReceiveOptions = {},
): Promise<RecordOf<T>[]> {
  const { from = 'earliest', timeoutMs = 5000 } = checked('receive', receiveOptions, options)
  const signal = AbortSignal.timeout(timeoutMs)
  await using consumer = client.consumer({ topics: [topic], from, signal })
  const records: RecordOf<T>[] = []
  for await (const record of consumer) {
    records.push(record)
    if (records.length === count) return records
  }
  const { name } = topicOf(topic)
  throw new Error(`${records.length} of ${count} records of ${name} within ${timeoutMs} ms`)
}

/** All records that the topic has now, in order within each partition. */
export async function contents<const T extends TopicLike>(
  client: Client,
  topic: T,
): Promise<RecordOf<T>[]> {
  await using consumer = client.consumer({ topics: [topic], from: 'earliest', until: 'end' })
  const records: RecordOf<T>[] = []
  for await (const record of consumer) records.push(record)
  return records
}
