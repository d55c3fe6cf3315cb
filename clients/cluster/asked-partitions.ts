// AskedPartitions: the partitions of one Produce or Fetch request. Both APIs name topics by id where cluster and broker
// tell ids (KIP-516), and by name elsewhere; their answers name them in the same way.

import { UUID_ZERO, type Uuid } from '../../protocol/ids.ts'
import type { TopicPartition } from '../topic.ts'

/** From this version on Produce and Fetch name topics by id. A broker that speaks it also tells the ids in Metadata. */
const TOPIC_ID_VERSION = 13

/** The part of the cluster that knows ids. */
interface TopicIds {
  topic(name: string): { readonly id: Uuid } | undefined
}

interface AskedTopic<Asked> {
  readonly name: string
  readonly topicId: Uuid
  /** By partition number, in the order of the request. */
  readonly partitions: Map<number, Asked>
}

export class AskedPartitions<Asked> {
  readonly #byName = new Map<string, AskedTopic<Asked>>()
  readonly #byId = new Map<Uuid, AskedTopic<Asked>>()

  /** @param asked each is of another partition. @param placeOf that partition */
  constructor(
    cluster: TopicIds,
    asked: Iterable<Asked>,
    placeOf: (asked: Asked) => TopicPartition,
  ) {
    for (const each of asked) {
      const { topic: name, partition } = placeOf(each)
      const topic = this.#byName.get(name) ?? this.#add(name, topicIdOf(cluster, name))
      topic.partitions.set(partition, each)
    }
  }

  #add(name: string, topicId: Uuid): AskedTopic<Asked> {
    const topic = { name, topicId, partitions: new Map<number, Asked>() }
    this.#byName.set(name, topic)
    this.#byId.set(topicId, topic)
    return topic
  }

  /** In the order of their first partitions. */
  get topics(): AskedTopic<Asked>[] {
    return [...this.#byName.values()]
  }

  /** The newest version that can name all topics. */
  get versionMax(): number {
    return this.#byId.has(UUID_ZERO) ? TOPIC_ID_VERSION - 1 : Infinity
  }

  /** @returns what was asked of a partition that an answer names; undefined when nothing was */
  find(version: number, name: string, topicId: Uuid, partition: number): Asked | undefined {
    const topic = version >= TOPIC_ID_VERSION ? this.#byId.get(topicId) : this.#byName.get(name)
    return topic?.partitions.get(partition)
  }
}

/** @returns `UUID_ZERO` while the topic's id is unknown, or the cluster tells none */
export function topicIdOf(cluster: TopicIds, name: string): Uuid {
  return cluster.topic(name)?.id ?? UUID_ZERO
}
