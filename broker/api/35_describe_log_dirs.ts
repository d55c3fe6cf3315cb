// DescribeLogDirs: the bytes that each partition takes, and those of the disk (KIP-113, KIP-827).
// Versions: 1-4
// Behaviour: there is one directory. The answer has each existing partition of the request once, and the broker's metadata topic
// only where the request names it.

import { resolve } from 'node:path'
import {
  describeLogDirs,
  type DescribeLogDirsRequest,
} from '../../protocol/api/35_describe_log_dirs.ts'
import type { Store } from '../../storage/store.ts'
import { METADATA_TOPIC } from '../../storage/topic-name.ts'
import { byTopic } from '../by-topic.ts'
import type { Handler } from '../handler.ts'

/** Older versions have no place for an error of the whole request (KIP-784). */
const ERROR_VERSION_MIN = 3
const NOTHING = { errorCode: 0, results: [] }

export function describeLogDirsHandler({
  store,
}: {
  readonly store: Store
}): Handler<typeof describeLogDirs> {
  return {
    api: describeLogDirs,
    async handle({ topics }, context) {
      const { work, version } = context
      if (version < ERROR_VERSION_MIN && !context.allowsOnCluster('Describe')) return NOTHING
      if (version >= ERROR_VERSION_MIN) context.requireOnCluster('Describe')
      const { freeBytes, totalBytes } = await store.disk.space()
      const exists = (topic: string, partition: number) =>
        store.logs.get(topic, partition) !== undefined
      const shown: Iterable<ShownTopic> =
        topics === null ? everything(store) : await byTopic(partitionsOf(topics), exists, work)
      const dir = {
        errorCode: 0,
        logDir: resolve(store.dataDir),
        topics: await work.each(shown, async ([name, partitions]) => ({
          name,
          partitions: await work.each(partitions, (index) => partitionOf(store, name, index)),
        })),
        totalBytes,
        usableBytes: freeBytes,
      }
      return { results: [dir] }
    },
    refuse: (_, code) => ({ errorCode: code, results: [] }),
  }
}

/** The partitions of a topic that the answer has. */
type ShownTopic = readonly [topic: string, partitions: Iterable<number>]

function* everything({ topics }: Store): Iterable<ShownTopic> {
  for (const { name, partitionCount } of topics.list()) {
    if (name !== METADATA_TOPIC) yield [name, Array(partitionCount).keys()]
  }
}

function* partitionsOf(
  topics: NonNullable<DescribeLogDirsRequest['topics']>,
): Iterable<[topic: string, partition: number]> {
  for (const { topic, partitions } of topics) {
    for (const partition of partitions) yield [topic, partition]
  }
}

function partitionOf(store: Store, topic: string, partitionIndex: number) {
  const partitionSize = store.logs.get(topic, partitionIndex)?.sizeBytes ?? 0
  return { partitionIndex, partitionSize, offsetLag: 0, isFutureKey: false }
}
