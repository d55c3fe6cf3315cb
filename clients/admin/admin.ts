// Admin: topics, offsets and the cluster, one request per call. Configs and groups have files of their own.

import { types } from 'node:util'
import { createTopics } from '../../protocol/api/19_create_topics.ts'
import { deleteTopics } from '../../protocol/api/20_delete_topics.ts'
import { deleteRecords } from '../../protocol/api/21_delete_records.ts'
import { describeLogDirs } from '../../protocol/api/35_describe_log_dirs.ts'
import { createPartitions } from '../../protocol/api/37_create_partitions.ts'
import { errorName, KafkaError } from '../../protocol/errors.ts'
import { UUID_ZERO } from '../../protocol/ids.ts'
import { AclAdmin } from './acls.ts'
import { ConfigAdmin, configValue } from './configs.ts'
import { controllerItems } from './controller.ts'
import { GroupAdmin } from './groups.ts'
import { QuotaAdmin } from './quotas.ts'
import { TransactionAdmin } from './transactions.ts'
import { UserAdmin } from './users.ts'
import { callOptions, callRows, type Call, type CallOptions } from '../call.ts'
import type { BrokerNode, Cluster, TopicMetadata } from '../cluster/cluster.ts'
import { askLeaders, byTopic, partitionsOf, type Outcome } from '../cluster/leaders.ts'
import {
  askOffsets,
  isolation,
  EARLIEST,
  LATEST,
  MAX_TIMESTAMP,
  type Isolation,
  type PartitionOffset,
} from '../cluster/offsets.ts'
import {
  date,
  either,
  checked,
  flag,
  listOf,
  namesTo,
  oneOf,
  orElse,
  required,
  rule,
  shape,
  whole,
} from '../options.ts'
import { refusalOf, wholeOrPartial } from '../partial-error.ts'
import {
  partitionNumber,
  partitionText,
  topicLike,
  topicOf,
  topicOrPartition,
  type TopicLike,
  type TopicPartition,
} from '../topic.ts'

export interface NewTopic {
  readonly topic: TopicLike
  /** Default: the broker's `num.partitions`. */
  readonly partitions?: number | undefined
  /** Default: the broker's `default.replication.factor`. */
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
  /** Node id; -1 if the partition has no leader now. */
  readonly leader: number
  readonly leaderEpoch: number
  readonly replicas: readonly number[]
  readonly inSyncReplicas: readonly number[]
}

/** `earliest`, `latest`, the record with the largest timestamp, or the first record at or after a time. */
export type OffsetAt = 'earliest' | 'latest' | 'maxTimestamp' | Date

export interface LogStart extends TopicPartition {
  readonly logStartOffset: number
}

/** A log directory of a broker. */
export interface LogDirDescription {
  /** Node id. */
  readonly broker: number
  readonly path: string
  /** Of the directory's disk; undefined from brokers before Kafka 3.3. */
  readonly totalBytes: number | undefined
  readonly usableBytes: number | undefined
  readonly partitions: readonly (TopicPartition & { readonly sizeBytes: number })[]
}

export interface ClusterDescription {
  readonly clusterId: string | null
  /** Node id. */
  readonly controller: number
  readonly brokers: readonly BrokerNode[]
}

interface ValidatingOptions extends CallOptions {
  readonly validateOnly?: boolean | undefined
}
interface OffsetsOptions extends CallOptions {
  readonly isolation?: Isolation | undefined
}

const validatingOptions = shape<ValidatingOptions>({ ...callRows, validateOnly: flag })
const offsetsOptions = shape<OffsetsOptions>({ ...callRows, isolation })
const topicList = listOf(topicLike)
const placeList = listOf(topicOrPartition)
const offsetAt = either<OffsetAt>(
  "'earliest', 'latest', 'maxTimestamp' or a Date",
  oneOf('earliest', 'latest', 'maxTimestamp'),
  date,
)
const newTopics = listOf(
  orElse(
    topicLike,
    shape<NewTopic>({
      topic: required(topicLike),
      partitions: whole(1),
      replicationFactor: whole(1, 0x7fff),
      config: namesTo(configValue),
    }),
  ),
)
const partitionTotals = listOf(
  shape<{ readonly topic: TopicLike; readonly count: number }>({
    topic: required(topicLike),
    count: required(whole(1)),
  }),
)
/** Accepts the items that `listOffsets` returns. */
const recordBounds = listOf(
  rule<{ readonly topic: TopicLike; readonly partition: number; readonly offset: number }>(
    'a topic, a partition and an offset, or -1 for all',
    ({ topic, partition, offset }) =>
      topicLike.allows(topic) &&
      partitionNumber.allows(partition) &&
      Number.isSafeInteger(offset) &&
      offset >= -1,
  ),
)

/** Calls with several items throw a `PartialError` if some fail; the others are then done. */
export class Admin {
  readonly acls: AclAdmin
  readonly configs: ConfigAdmin
  readonly groups: GroupAdmin
  readonly quotas: QuotaAdmin
  readonly transactions: TransactionAdmin
  readonly users: UserAdmin
  readonly #cluster: Cluster

  /** @internal */
  constructor(cluster: Cluster) {
    this.acls = new AclAdmin(cluster)
    this.configs = new ConfigAdmin(cluster)
    this.groups = new GroupAdmin(cluster)
    this.quotas = new QuotaAdmin(cluster)
    this.transactions = new TransactionAdmin(cluster)
    this.users = new UserAdmin(cluster)
    this.#cluster = cluster
  }

  /** @param options.validateOnly check everything, create nothing */
  async createTopics(
    topics: readonly (NewTopic | TopicLike)[],
    options: ValidatingOptions = {},
  ): Promise<CreatedTopic[]> {
    checked('admin.createTopics', newTopics, topics, 'topics')
    const call = this.#cluster.call(checked('admin.createTopics', validatingOptions, options))
    const wanted = topics.map(newTopicOf)
    const request = {
      topics: wanted.map(topicRequest),
      timeoutMs: brokerTimeoutMs(call),
      validateOnly: options.validateOnly ?? false,
    }
    return await controllerItems(
      this.#cluster,
      call,
      createTopics,
      request,
      ({ topics: created }) => {
        const byName = new Map(created.map((each) => [each.name, each]))
        return wanted.map(({ topic }) => {
          const { name } = topicOf(topic)
          const each = byName.get(name)
          const refusal = refusalOf(name, each)
          return (
            refusal ?? { topic: name, id: idOf(each!.topicId), partitionCount: each!.numPartitions }
          )
        })
      },
    )
  }

  async deleteTopics(topics: readonly TopicLike[], options: CallOptions = {}): Promise<void> {
    checked('admin.deleteTopics', topicList, topics, 'topics')
    const call = this.#cluster.call(checked('admin.deleteTopics', callOptions, options))
    const names = topics.map((topic) => topicOf(topic).name)
    const request = {
      topics: names.map((name) => ({ name })),
      topicNames: names,
      timeoutMs: brokerTimeoutMs(call),
    }
    await controllerItems(this.#cluster, call, deleteTopics, request, ({ responses }) => {
      const byName = new Map(responses.map((each) => [each.name, each]))
      return names.map((name) => refusalOf(name, byName.get(name)))
    })
  }

  /** Every topic of the cluster, by name, internal ones included. */
  async listTopics(options: CallOptions = {}): Promise<TopicDescription[]> {
    const call = this.#cluster.call(checked('admin.listTopics', callOptions, options))
    const view = await this.#cluster.retrying(call, () => this.#cluster.describe(null, call))
    const topics = view.topics.flatMap((topic) =>
      topic instanceof KafkaError ? [] : [descriptionOf(topic)],
    )
    return topics.sort((a, b) => (a.topic < b.topic ? -1 : 1))
  }

  async describeTopics(
    topics: readonly TopicLike[],
    options: CallOptions = {},
  ): Promise<TopicDescription[]> {
    checked('admin.describeTopics', topicList, topics, 'topics')
    const call = this.#cluster.call(checked('admin.describeTopics', callOptions, options))
    const names = topics.map((topic) => topicOf(topic).name)
    const view = await this.#cluster.retrying(call, () => this.#cluster.describe(names, call))
    return wholeOrPartial(
      view.topics.map((topic) => (topic instanceof KafkaError ? topic : descriptionOf(topic))),
    )
  }

  /** @param totals the new partition count of each topic */
  async createPartitions(
    totals: readonly { readonly topic: TopicLike; readonly count: number }[],
    options: ValidatingOptions = {},
  ): Promise<void> {
    checked('admin.createPartitions', partitionTotals, totals, 'totals')
    const call = this.#cluster.call(checked('admin.createPartitions', validatingOptions, options))
    const topics = totals.map(({ topic, count }) => ({ name: topicOf(topic).name, count }))
    const request = {
      topics,
      timeoutMs: brokerTimeoutMs(call),
      validateOnly: options.validateOnly ?? false,
    }
    await controllerItems(this.#cluster, call, createPartitions, request, ({ results }) => {
      const byName = new Map(results.map((each) => [each.name, each]))
      return topics.map(({ name }) => refusalOf(name, byName.get(name)))
    })
    const known = topics.filter(({ name }) => this.#cluster.topic(name) !== undefined)
    // So this client's producers use the new partitions at once; if the refresh fails, they do once their metadata has aged.
    await Promise.allSettled(known.map(({ name }) => call.wait(this.#cluster.refresh(name))))
  }

  /**
   * Deletes every record before an offset.
   *
   * @param before offset -1: all records of the partition
   * @returns the new start of each log
   */
  async deleteRecords(
    before: readonly {
      readonly topic: TopicLike
      readonly partition: number
      readonly offset: number
    }[],
    options: CallOptions = {},
  ): Promise<LogStart[]> {
    checked('admin.deleteRecords', recordBounds, before, 'before')
    const call = this.#cluster.call(checked('admin.deleteRecords', callOptions, options))
    const wanted = before.map(({ topic, partition, offset }) => ({
      topic: topicOf(topic).name,
      partition,
      offset,
    }))
    const timeoutMs = brokerTimeoutMs(call)
    const results = await askLeaders(this.#cluster, wanted, call, async (leader, group) => {
      const topics = byTopic(group, ({ partition, offset }) => ({
        partitionIndex: partition,
        offset,
      }))
      const answer = await this.#cluster.ask(deleteRecords, { topics, timeoutMs }, leader, call)
      return answer.topics.flatMap(({ name, partitions }) =>
        partitions.map(({ partitionIndex, lowWatermark, errorCode }): Outcome<LogStart> => {
          const where = { topic: name, partition: partitionIndex }
          return [
            where,
            refusalOf(partitionText(where), { errorCode }) ?? {
              ...where,
              logStartOffset: lowWatermark,
            },
          ]
        }),
      )
    })
    return wholeOrPartial(results)
  }

  /**
   * @param of topics (all their partitions) or single partitions
   * @param options.isolation `committed`: `latest` is the first offset of the first open transaction
   */
  async listOffsets(
    of: readonly (TopicLike | TopicPartition)[],
    at: OffsetAt,
    options: OffsetsOptions = {},
  ): Promise<PartitionOffset[]> {
    checked('admin.listOffsets', placeList, of, 'of')
    checked('admin.listOffsets', offsetAt, at, 'at')
    const call = this.#cluster.call(checked('admin.listOffsets', offsetsOptions, options))
    const partitions = await partitionsOf(this.#cluster, of, call)
    const timestamp = timestampOf(at)
    const questions = partitions.map((each) => ({ ...each, timestamp }))
    return wholeOrPartial(await askOffsets(this.#cluster, questions, call, options.isolation))
  }

  /** The size of partitions on the disks of all brokers. */
  async logDirs(options: CallOptions = {}): Promise<LogDirDescription[]> {
    const call = this.#cluster.call(checked('admin.logDirs', callOptions, options))
    return await this.#cluster.retrying(call, async () => {
      const { brokers } = await this.#cluster.describe([], call)
      const dirs = await Promise.all(brokers.map(({ id }) => this.#logDirsOf(id, call)))
      return dirs.flat()
    })
  }

  async #logDirsOf(broker: number, call: Call): Promise<LogDirDescription[]> {
    const answer = await this.#cluster.ask(describeLogDirs, { topics: null }, broker, call)
    const failed = [answer, ...answer.results].find(({ errorCode }) => errorCode !== 0)
    if (failed !== undefined) {
      const what = `log directories of broker ${broker}`
      throw new KafkaError(errorName(failed.errorCode)!, what)
    }
    return answer.results.map(({ logDir, topics, totalBytes, usableBytes }) => ({
      broker,
      path: logDir,
      totalBytes: totalBytes < 0 ? undefined : totalBytes,
      usableBytes: usableBytes < 0 ? undefined : usableBytes,
      partitions: topics.flatMap(({ name, partitions }) =>
        partitions.map(({ partitionIndex, partitionSize }) => {
          return { topic: name, partition: partitionIndex, sizeBytes: partitionSize }
        }),
      ),
    }))
  }

  async cluster(options: CallOptions = {}): Promise<ClusterDescription> {
    const call = this.#cluster.call(checked('admin.cluster', callOptions, options))
    const { clusterId, controller, brokers } = await this.#cluster.retrying(call, () =>
      this.#cluster.describe([], call),
    )
    return { clusterId, controller, brokers }
  }
}

/** The broker's timeout is the time that the call has left, so that the broker answers before the client gives up. */
function brokerTimeoutMs(call: Call): number {
  return Math.min(Math.ceil(call.remainingMs), 0x7fffffff)
}

function newTopicOf(given: NewTopic | TopicLike): NewTopic {
  return typeof given === 'object' && 'topic' in given ? given : { topic: given }
}

function topicRequest({ topic, partitions = -1, replicationFactor = -1, config = {} }: NewTopic) {
  const configs = Object.entries(config).map(([name, value]) => ({ name, value: String(value) }))
  return { name: topicOf(topic).name, numPartitions: partitions, replicationFactor, configs }
}

function descriptionOf({ name, id, isInternal, partitions }: TopicMetadata): TopicDescription {
  return { topic: name, id: idOf(id), isInternal, partitions }
}

function idOf(id: string): string | undefined {
  return id === UUID_ZERO ? undefined : id
}

function timestampOf(at: OffsetAt): number {
  if (types.isDate(at)) return at.getTime()
  return { earliest: EARLIEST, latest: LATEST, maxTimestamp: MAX_TIMESTAMP }[at]
}
