// Sends requests about partitions to each partition's leader, and again when a leader has moved.

import { KafkaError } from '../../protocol/errors.ts'
import type { Call } from '../call.ts'
import type { Cluster } from './cluster.ts'
import { groupBy } from '../group-by.ts'
import { wholeOrPartial } from '../partial-error.ts'
import { partitionText, topicOf, type TopicLike, type TopicPartition } from '../topic.ts'

/** The outcome for one partition. */
export type Outcome<Result> = readonly [where: TopicPartition, result: Result | KafkaError]

/**
 * @param ask sends one request to one leader
 * @returns one outcome per item, in that order; retriable ones have been retried
 * @throws {KafkaError} if the call is over before every leader has answered
 */
export async function askLeaders<Item extends TopicPartition, Result>(
  cluster: Cluster,
  items: readonly Item[],
  call: Call,
  ask: (leader: number, items: readonly Item[]) => Promise<Outcome<Result>[]>,
): Promise<(Result | KafkaError)[]> {
  const results = new Map<string, Result | KafkaError>()
  const isOpen = (item: Item): boolean => {
    const result = results.get(partitionText(item))
    return result === undefined || (result instanceof KafkaError && result.retriable)
  }
  await cluster.retrying(call, async () => {
    const open = items.filter(isOpen)
    const rounds = [...groupBy(open, (item) => leaderOf(cluster, item))].map(
      async ([leader, group]) => {
        for (const [where, result] of await askOrFail(leader, group, ask))
          results.set(partitionText(where), result)
      },
    )
    await Promise.all(rounds)
    const again = items.find(isOpen)
    if (again === undefined) return
    for (const topic of new Set(items.filter(isOpen).map((item) => item.topic)))
      await call.wait(cluster.refresh(topic))
    throw results.get(partitionText(again)) as KafkaError
  })
  return items.map((item) => results.get(partitionText(item))!)
}

/** @returns the leader's node id; undefined if the partition or its leader is not known */
function leaderOf(cluster: Cluster, { topic, partition }: TopicPartition): number | undefined {
  const leader = cluster.topic(topic)?.partitions[partition]?.leader
  return leader === -1 ? undefined : leader
}

async function askOrFail<Item extends TopicPartition, Result>(
  leader: number | undefined,
  group: readonly Item[],
  ask: (leader: number, items: readonly Item[]) => Promise<Outcome<Result>[]>,
): Promise<Outcome<Result>[]> {
  if (leader === undefined) {
    return group.map((item) => [
      item,
      new KafkaError('UNKNOWN_TOPIC_OR_PARTITION', partitionText(item)),
    ])
  }
  try {
    return await ask(leader, group)
  } catch (error) {
    if (!(error instanceof KafkaError)) throw error
    return group.map((item) => [item, error])
  }
}

/** The items of a request, as most requests nest them: by topic name. */
export function byTopic<Item extends TopicPartition, P>(
  items: readonly Item[],
  partitionOf: (item: Item) => P,
): { name: string; partitions: P[] }[] {
  const groups = groupBy(items, (item) => item.topic)
  return [...groups].map(([name, group]) => ({ name, partitions: group.map(partitionOf) }))
}

/** @param of topics (all their partitions) or single partitions; @throws {PartialError} for a topic that does not exist */
export async function partitionsOf(
  cluster: Cluster,
  of: readonly (TopicLike | TopicPartition)[],
  call: Call,
): Promise<TopicPartition[]> {
  const isOne = (each: TopicLike | TopicPartition): each is TopicPartition =>
    typeof each === 'object' && 'partition' in each
  const names = of.flatMap((each) => (isOne(each) ? [] : [topicOf(each).name]))
  if (names.length === 0) return of.filter(isOne)
  const view = await cluster.retrying(call, () => cluster.describe(names, call))
  const topics = new Map(wholeOrPartial(view.topics).map((topic) => [topic.name, topic]))
  return of.flatMap((each) => {
    if (isOne(each)) return [each]
    const { name, partitions } = topics.get(topicOf(each).name)!
    return partitions.map(({ partition }) => ({ topic: name, partition }))
  })
}
