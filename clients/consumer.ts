// Consumer: reads whole partitions in order, without a group. Fetches ahead; never waits on user code.

import type { CallOptions } from './call.ts'
import type { Cluster } from './cluster.ts'
import type { ConsumerRecord, TopicLike, TopicPartition } from './topic.ts'

/** An offset, a time (first record at or after it), or an end of the log. Negative: so many before the end. */
export type StartAt = 'earliest' | 'latest' | number | Date

/** The end as it is at the start, an offset (not read any more), or the first record at or after a time. */
export type StopAt = 'end' | number | Date

export interface ConsumerOptions<T extends readonly TopicLike[] = readonly TopicLike[]> {
  readonly topics: T
  /** Only these partitions, of each topic. Default: all, new ones included. */
  readonly partitions?: readonly number[] | undefined
  /** Where each partition begins. Default `latest`. New partitions begin at their start. */
  readonly from?: StartAt | ((partition: TopicPartition) => StartAt) | undefined
  /** Where each partition ends; the iteration is over when all have. Default: never. */
  readonly until?: StopAt | ((partition: TopicPartition) => StopAt) | undefined
  /** When a position is not in the log any more: go on there (and tell the logger), or throw. Default `earliest`. */
  readonly outOfRange?: 'earliest' | 'latest' | 'error' | undefined
  /** Bytes fetched ahead of the reader, at most. Default 16 MiB. */
  readonly prefetchBytes?: number | undefined
  /** Bytes of one partition in one fetch; a larger batch still comes whole. Default 1 MiB. */
  readonly partitionBytesMax?: number | undefined
  /** The broker waits up to `fetchWaitMs` for this many. Default 1. */
  readonly fetchBytesMin?: number | undefined
  /** Default 500. */
  readonly fetchWaitMs?: number | undefined
  /** Ends the iteration, without an error. */
  readonly signal?: AbortSignal | undefined
}

export interface BatchOptions {
  /** Default 500. */
  readonly maxRecords?: number | undefined
  /** How long a batch with fewer records waits for more. Default 50. */
  readonly maxWaitMs?: number | undefined
}

/** Records of any of the topics and partitions, in order within each partition. Never empty. */
export interface ConsumerBatch<R> {
  readonly records: readonly R[]
}

/**
 * Iterate it: `for await (const record of consumer)`.
 *
 * It connects when the iteration begins. Leaving the loop keeps the positions: another loop goes on from there.
 */
export class Consumer<R extends ConsumerRecord<string, any, any> = ConsumerRecord>
  implements AsyncIterable<R>, AsyncDisposable
{
  constructor(cluster: Cluster, options: ConsumerOptions, onClose: (self: Consumer<R>) => void) {
    void [cluster, options, onClose]
  }

  /** @throws {KafkaError} from `next()`; iterating again tries again */
  [Symbol.asyncIterator](): AsyncIterableIterator<R> {
    throw new Error('not built yet')
  }

  batches(options: BatchOptions = {}): AsyncIterableIterator<ConsumerBatch<R>> {
    void options
    throw new Error('not built yet')
  }

  /** Looks the partitions and start positions up now rather than at the first record. */
  async start(options: CallOptions = {}): Promise<void> {
    void options
  }

  /** Offset of the next record of each partition. Empty before the start. */
  positions(): (TopicPartition & { readonly offset: number })[] {
    return []
  }

  /** Goes on at `offset` in that partition. Records fetched ahead of it are dropped. */
  seek(partition: TopicPartition, offset: number): void {
    void [partition, offset]
  }

  /** Gives no more records of these partitions (default: of all) until `resume`. */
  pause(partitions?: readonly TopicPartition[]): void {
    void partitions
  }

  resume(partitions?: readonly TopicPartition[]): void {
    void partitions
  }

  /** Ends a running iteration. */
  async close(): Promise<void> {}

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}
