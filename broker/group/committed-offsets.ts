// CommittedOffsets: one group's commits in memory; __consumer_offsets has them on disk. Network thread.

export interface CommittedOffset {
  readonly offset: number
  /** Leader epoch of the record before `offset`, by the client; -1: not told. */
  readonly leaderEpoch: number
  readonly metadata: string
  /** ms since the epoch. */
  readonly committedMs: number
  /** ms since the epoch, if the client asked for a retention of its own (OffsetCommit v2 to v4); else null. */
  readonly expiresMs: number | null
}

export interface PartitionOffset {
  readonly topic: string
  readonly partition: number
  readonly committed: CommittedOffset
}

export class CommittedOffsets {
  readonly #byTopic = new Map<string, Map<number, CommittedOffset>>()

  get isEmpty(): boolean {
    return this.#byTopic.size === 0
  }

  get(topic: string, partition: number): CommittedOffset | undefined {
    return this.#byTopic.get(topic)?.get(partition)
  }

  set(topic: string, partition: number, committed: CommittedOffset): void {
    const partitions = this.#byTopic.get(topic)
    if (partitions === undefined) this.#byTopic.set(topic, new Map([[partition, committed]]))
    else partitions.set(partition, committed)
  }

  delete(topic: string, partition: number): void {
    const partitions = this.#byTopic.get(topic)
    partitions?.delete(partition)
    if (partitions?.size === 0) this.#byTopic.delete(topic)
  }

  *partitionsByTopic(): Iterable<[topic: string, partitions: Iterable<number>]> {
    for (const [topic, partitions] of this.#byTopic) yield [topic, partitions.keys()]
  }

  *list(): Iterable<PartitionOffset> {
    for (const [topic, partitions] of this.#byTopic) {
      for (const [partition, committed] of partitions) yield { topic, partition, committed }
    }
  }
}
