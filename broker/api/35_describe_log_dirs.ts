// DescribeLogDirs: how many bytes each partition takes, and how many there are.
// Versions: 1-4
// Behaviour: one directory. Topics and partitions that do not exist are left out; the broker's own topic is told to who names it.

import { resolve } from 'node:path'
import {
  describeLogDirs,
  type DescribeLogDirsRequest,
  type DescribeLogDirsResponse,
} from '../../protocol/api/35_describe_log_dirs.ts'
import type { Store } from '../../storage/store.ts'
import { METADATA_TOPIC } from '../../storage/topic-name.ts'
import type { Handler } from '../net/handler.ts'

type TopicAnswer = DescribeLogDirsResponse['results'][number]['topics'][number]

export function describeLogDirsHandler({
  store,
}: {
  readonly store: Store
}): Handler<typeof describeLogDirs> {
  return {
    api: describeLogDirs,
    async handle({ topics }) {
      const { freeBytes, totalBytes } = await store.diskSpace()
      const dir = {
        errorCode: 0,
        logDir: resolve(store.dataDir),
        topics: topics === null ? allTopics(store) : namedTopics(store, topics),
        totalBytes,
        usableBytes: freeBytes,
      }
      return { results: [dir] }
    },
    refuse: (_, code) => ({ errorCode: code, results: [] }),
  }
}

function allTopics(store: Store): TopicAnswer[] {
  return Array.from(store.topics.list())
    .filter(({ name }) => name !== METADATA_TOPIC)
    .map(({ name, partitionCount }) => {
      const indexes = Array.from({ length: partitionCount }, (_, index) => index)
      return answerFor(store, name, indexes)
    })
}

function namedTopics(
  store: Store,
  topics: NonNullable<DescribeLogDirsRequest['topics']>,
): TopicAnswer[] {
  return topics
    .map(({ topic, partitions }) => answerFor(store, topic, partitions))
    .filter(({ partitions }) => partitions.length > 0)
}

function answerFor(store: Store, name: string, indexes: readonly number[]): TopicAnswer {
  const partitions = indexes.flatMap((partitionIndex) => {
    const log = store.log(name, partitionIndex)
    if (log === undefined) return []
    return [{ partitionIndex, partitionSize: log.sizeBytes, offsetLag: 0, isFutureKey: false }]
  })
  return { name, partitions }
}
