// Admin: topics, offsets, configs and the cluster, one request each.

import type { CallOptions } from './call.ts'
import type { TopicLike, TopicPartition } from './topic.ts'

export interface NewTopic {
  readonly topic: TopicLike
  /** Default: the broker's `num.partitions`. */
  readonly partitions?: number | undefined
  /** Default: the broker's. */
  readonly replicationFactor?: number | undefined
  /** By Kafka's property names. */
  readonly config?: Readonly<Record<string, string | number | boolean>> | undefined
}

export interface CreatedTopic {
  readonly topic: string
  /** undefined from brokers before Kafka 2.8. */
  readonly id: string | undefined
  /** -1 from brokers before Kafka 2.4. */
  readonly partitionCount: number
}

export interface TopicDescription {
  readonly topic: string
  /** undefined from brokers before Kafka 2.8. */
  readonly id: string | undefined
  readonly isInternal: boolean
  readonly partitions: readonly PartitionDescription[]
}

export interface PartitionDescription {
  readonly partition: number
  /** Node id; -1 when there is no leader now. */
  readonly leader: number
  readonly leaderEpoch: number
  readonly replicas: readonly number[]
  readonly inSyncReplicas: readonly number[]
}

/** `earliest`, `latest`, the record with the largest timestamp, or the first record at or after a time. */
export type OffsetAt = 'earliest' | 'latest' | 'maxTimestamp' | Date

export interface PartitionOffset extends TopicPartition {
  /** -1: there is no such record. */
  readonly offset: number
  /** Of that record, ms; -1 for `earliest` and `latest`. */
  readonly timestamp: number
  readonly leaderEpoch: number
}

export type ConfigResource = { readonly topic: TopicLike } | { readonly broker: number }

export interface ConfigDescription {
  readonly resource: ConfigResource
  readonly entries: readonly ConfigEntry[]
}

export interface ConfigEntry {
  readonly name: string
  /** null when it is secret. */
  readonly value: string | null
  readonly source: ConfigSource
  readonly isReadOnly: boolean
  readonly isSensitive: boolean
}

export type ConfigSource =
  | 'unknown'
  | 'topic'
  | 'dynamicBroker'
  | 'dynamicDefaultBroker'
  | 'staticBroker'
  | 'default'
  | 'other'

export interface ClusterDescription {
  readonly clusterId: string | null
  /** Node id. */
  readonly controller: number
  readonly brokers: readonly {
    readonly id: number
    readonly host: string
    readonly port: number
    readonly rack: string | null
  }[]
}

/** @throws {PartialError} from calls about several items, with each one's outcome */
export class Admin {
  async createTopics(
    topics: readonly (NewTopic | TopicLike)[],
    options: CallOptions & { readonly validateOnly?: boolean | undefined } = {},
  ): Promise<CreatedTopic[]> {
    void [topics, options]
    throw new Error('not built yet')
  }

  async deleteTopics(topics: readonly TopicLike[], options: CallOptions = {}): Promise<void> {
    void [topics, options]
  }

  /** Every topic of the cluster, by name. */
  async listTopics(options: CallOptions = {}): Promise<TopicDescription[]> {
    void options
    throw new Error('not built yet')
  }

  async describeTopics(
    topics: readonly TopicLike[],
    options: CallOptions = {},
  ): Promise<TopicDescription[]> {
    void [topics, options]
    throw new Error('not built yet')
  }

  /** @param counts the new total of each topic */
  async createPartitions(
    counts: readonly { readonly topic: TopicLike; readonly count: number }[],
    options: CallOptions & { readonly validateOnly?: boolean | undefined } = {},
  ): Promise<void> {
    void [counts, options]
  }

  /**
   * Drops every record before `offset`.
   *
   * @param before -1: everything there is
   * @returns the new start of each log
   */
  async deleteRecords(
    before: readonly {
      readonly topic: TopicLike
      readonly partition: number
      readonly offset: number
    }[],
    options: CallOptions = {},
  ): Promise<PartitionOffset[]> {
    void [before, options]
    throw new Error('not built yet')
  }

  /** @param of topics (all their partitions) or single partitions */
  async listOffsets(
    of: readonly (TopicLike | TopicPartition)[],
    at: OffsetAt,
    options: CallOptions = {},
  ): Promise<PartitionOffset[]> {
    void [of, at, options]
    throw new Error('not built yet')
  }

  async describeConfigs(
    resources: readonly ConfigResource[],
    options: CallOptions = {},
  ): Promise<ConfigDescription[]> {
    void [resources, options]
    throw new Error('not built yet')
  }

  async cluster(options: CallOptions = {}): Promise<ClusterDescription> {
    void options
    throw new Error('not built yet')
  }
}
