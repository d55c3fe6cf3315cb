// Groups the partitions of a request by topic, each partition once. Network thread.

import type { Work } from './work.ts'

type TopicPartition = readonly [topic: string, partition: number]

export async function byTopic(
  named: Iterable<TopicPartition>,
  isWanted: (topic: string, partition: number) => boolean,
  work: Work,
): Promise<Map<string, Set<number>>> {
  const wanted = new Map<string, Set<number>>()
  await work.forEach(named, ([topic, partition]) => {
    if (!isWanted(topic, partition)) return
    const partitions = wanted.get(topic)
    if (partitions === undefined) wanted.set(topic, new Set([partition]))
    else partitions.add(partition)
  })
  return wanted
}
