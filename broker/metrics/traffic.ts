// TopicTraffic: records and bytes in and out by topic. Plain counters, added up when metrics are read. Network thread.

export interface TopicCounts {
  bytesIn: number
  bytesOut: number
  recordsIn: number
  recordsOut: number
}

export class TopicTraffic {
  readonly #countsByTopic = new Map<string, TopicCounts>()

  produced(topic: string, recordCount: number, byteCount: number): void {
    const counts = this.#of(topic)
    counts.recordsIn += recordCount
    counts.bytesIn += byteCount
  }

  fetched(topic: string, recordCount: number, byteCount: number): void {
    const counts = this.#of(topic)
    counts.recordsOut += recordCount
    counts.bytesOut += byteCount
  }

  [Symbol.iterator](): IterableIterator<[topic: string, counts: Readonly<TopicCounts>]> {
    return this.#countsByTopic.entries()
  }

  #of(topic: string): TopicCounts {
    let counts = this.#countsByTopic.get(topic)
    if (counts === undefined) {
      counts = { bytesIn: 0, bytesOut: 0, recordsIn: 0, recordsOut: 0 }
      this.#countsByTopic.set(topic, counts)
    }
    return counts
  }
}
