// Requests to both brokers with Kafka's protocol, through the minimal client.

import { readdirSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { listOffsets } from '../../protocol/api/02_list_offsets.ts'
import { metadata } from '../../protocol/api/03_metadata.ts'
import { createPartitions } from '../../protocol/api/37_create_partitions.ts'
import { WireClient } from '../wire-client.ts'
import type { Peer } from './peer.ts'

const PROBE_MS_MAX = 1000
/** Kafka's controller refuses many more in one request. */
const CREATED_AT_ONCE_MAX = 1000
const CREATED_MS_MAX = 120_000
const DELETED_MS_MAX = 60_000
/** The timestamp for the end of the log. */
const LATEST = -1
const POLL_MS = 20

/** Resolves once the broker answers, and lists itself as a broker. */
export async function probeKafka(address: string): Promise<void> {
  using client = await WireClient.connect(address)
  const late = setTimeout(PROBE_MS_MAX, undefined, { ref: false })
  const answer = await Promise.race([client.call(metadata, 9, { topics: [] }), late])
  if (answer === undefined || answer.brokers.length === 0) throw new Error('no broker yet')
}

interface TopicShape {
  readonly name: string
  readonly partitions: number
  readonly config: Readonly<Record<string, string>>
}

/** Resolves when all of the topic's partitions can be used, some time after Kafka has answered CreateTopics. */
export async function createTopic(client: WireClient, topic: TopicShape): Promise<void> {
  const { name, partitions, config } = topic
  await client.createTopic(name, config, Math.min(partitions, CREATED_AT_ONCE_MAX))
  for (let count = CREATED_AT_ONCE_MAX; count < partitions;)
    await addPartitions(client, name, (count = Math.min(partitions, count + CREATED_AT_ONCE_MAX)))
  const asked = Array.from({ length: partitions }, (_, partitionIndex) => ({
    partitionIndex,
    timestamp: LATEST,
  }))
  const deadline = performance.now() + CREATED_MS_MAX
  for (;;) {
    const { topics } = await client.call(listOffsets, 5, { topics: [{ name, partitions: asked }] })
    if (topics[0]!.partitions.every(({ errorCode }) => errorCode === 0)) return
    if (performance.now() > deadline) throw new Error(`topic ${name} cannot be used`)
    await setTimeout(POLL_MS)
  }
}

async function addPartitions(client: WireClient, name: string, count: number): Promise<void> {
  const request = { topics: [{ name, count }], timeoutMs: CREATED_MS_MAX }
  const [topic] = (await client.call(createPartitions, 2, request)).results
  if (topic?.errorCode !== 0) throw new Error(`partitions of ${name}: ${topic?.errorMessage}`)
}

/**
 * Runs `work` on a topic of its own, and then deletes the topic, so that the next topic reuses its memory
 * (docs/decisions/0006). The cost of deleting is not counted.
 */
export async function withTopic<T>(
  peer: Peer,
  topic: TopicShape,
  work: () => Promise<T>,
): Promise<T> {
  using client = await WireClient.connect(peer.address)
  await createTopic(client, topic)
  try {
    return await work()
  } finally {
    await client.deleteTopic(topic.name)
    await untilFilesAreGone(peer.dataDir, topic.name)
  }
}

/** Both brokers delete a topic's files some time after they have answered. */
async function untilFilesAreGone(dataDir: string, topic: string): Promise<void> {
  const deadline = performance.now() + DELETED_MS_MAX
  const isOfTopic = (name: string) => name.startsWith(`${topic}-`) || name.startsWith(`${topic}.`)
  while (readdirSync(dataDir).some(isOfTopic)) {
    if (performance.now() > deadline) throw new Error(`the files of ${topic} are still there`)
    await setTimeout(POLL_MS)
  }
}
