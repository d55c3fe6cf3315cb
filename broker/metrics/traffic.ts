// TopicTraffic: records and bytes in and out per topic. Plain counters, summed when metrics are read. Network thread.

/** The label of all topics beyond `metrics.topics.max`. */
export const OTHER_TOPICS = 'other'

export interface TopicCounts {
  bytesIn: number
  bytesOut: number
  recordsIn: number
  recordsOut: number
  /** Fetches below the log start. */
  overtakenReads: number
}

export class TopicTraffic {
  readonly #topicsMax: number
  readonly #countsByTopic = new Map<string, TopicCounts>()

  /** @param topicsMax topics beyond this number are counted together */
  constructor(topicsMax: number) {
    this.#topicsMax = topicsMax
  }

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

  overtaken(topic: string): void {
    this.#of(topic).overtakenReads++
  }

  [Symbol.iterator](): IterableIterator<[topic: string, counts: Readonly<TopicCounts>]> {
    return this.#countsByTopic.entries()
  }

  #of(topic: string): TopicCounts {
    const known = this.#countsByTopic.get(topic)
    if (known !== undefined) return known
    if (this.#countsByTopic.size >= this.#topicsMax && topic !== OTHER_TOPICS)
      return this.#of(OTHER_TOPICS)
    const counts = { bytesIn: 0, bytesOut: 0, recordsIn: 0, recordsOut: 0, overtakenReads: 0 }
    this.#countsByTopic.set(topic, counts)
    return counts
  }
}
