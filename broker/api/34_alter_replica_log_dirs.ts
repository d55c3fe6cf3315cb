// AlterReplicaLogDirs: every partition is in the one log directory already (KIP-113).
// Versions: 1-2
// Behaviour: a move into that directory succeeds, one into any other is refused. Of several directories for the same partition
// the last one counts, as in Apache Kafka.

import { resolve } from 'node:path'
import {
  alterReplicaLogDirs,
  type AlterReplicaLogDirsRequest,
} from '../../protocol/api/34_alter_replica_log_dirs.ts'
import { errorCode } from '../../protocol/errors.ts'
import type { Store } from '../../storage/store.ts'
import type { Handler } from '../handler.ts'
import type { Work } from '../work.ts'

export function alterReplicaLogDirsHandler({
  store,
}: {
  readonly store: Store
}): Handler<typeof alterReplicaLogDirs> {
  const logDir = resolve(store.dataDir)
  const codeOf = (topic: string, partition: number, path: string): number => {
    if (path !== logDir) return errorCode('LOG_DIR_NOT_FOUND')
    const exists = store.logs.get(topic, partition) !== undefined
    return errorCode(exists ? undefined : 'UNKNOWN_TOPIC_OR_PARTITION')
  }
  return {
    api: alterReplicaLogDirs,
    async handle({ dirs }, context) {
      const { work } = context
      context.requireOnCluster('Alter')
      const wanted = await pathsByTopic(dirs, work)
      const results = await work.each(wanted, async ([topicName, paths]) => ({
        topicName,
        partitions: await work.each(paths, ([partitionIndex, path]) => ({
          partitionIndex,
          errorCode: codeOf(topicName, partitionIndex, path),
        })),
      }))
      return { results }
    },
    refuse: ({ dirs }, code) => ({
      results: dirs.flatMap(({ topics }) =>
        topics.map(({ name, partitions }) => ({
          topicName: name,
          partitions: partitions.map((partitionIndex) => ({ partitionIndex, errorCode: code })),
        })),
      ),
    }),
  }
}

/** Each partition once. @returns path by partition by topic */
async function pathsByTopic(
  dirs: AlterReplicaLogDirsRequest['dirs'],
  work: Work,
): Promise<Map<string, Map<number, string>>> {
  const wanted = new Map<string, Map<number, string>>()
  await work.forEach(partitionsOf(dirs), ({ topic, partition, path }) => {
    const paths = wanted.get(topic)
    if (paths === undefined) wanted.set(topic, new Map([[partition, path]]))
    else paths.set(partition, path)
  })
  return wanted
}

function* partitionsOf(dirs: AlterReplicaLogDirsRequest['dirs']) {
  for (const { path, topics } of dirs) {
    for (const { name, partitions } of topics)
      for (const partition of partitions) yield { topic: name, partition, path }
  }
}
