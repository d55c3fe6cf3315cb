// TransactionAdmin: lists and describes transactions and their producers, and aborts hanging ones.
// The coordinator knows a transactional id, a partition's leader the open transactions in the log. Source: KIP-664, KIP-994.

import { initProducerId } from '../../protocol/api/22_init_producer_id.ts'
import { writeTxnMarkers } from '../../protocol/api/27_write_txn_markers.ts'
import { describeProducers } from '../../protocol/api/61_describe_producers.ts'
import { describeTransactions } from '../../protocol/api/65_describe_transactions.ts'
import { listTransactions } from '../../protocol/api/66_list_transactions.ts'
import { KafkaError } from '../../protocol/errors.ts'
import type { ResponseOf } from '../../protocol/schema.ts'
import { allTransactionStates } from '../../protocol/transaction-states.ts'
import { callOptions, callRows, type Call, type CallOptions } from '../call.ts'
import { check } from './check.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { findNode } from '../cluster/coordinator-node.ts'
import { askLeaders, byTopic, partitionsOf, type Outcome } from '../cluster/leaders.ts'
import { checked, listOf, oneOf, rule, shape, text, whole } from '../options.ts'
import { forEach, refusalOf, wholeOrPartial } from '../partial-error.ts'
import {
  partitionText,
  topicOrPartition,
  topicPartition,
  type TopicLike,
  type TopicPartition,
} from '../topic.ts'

export type TransactionState =
  | 'Empty'
  | 'Ongoing'
  | 'PrepareCommit'
  | 'PrepareAbort'
  | 'CompleteCommit'
  | 'CompleteAbort'
  | 'PrepareEpochFence'
  | 'Dead'

export interface TransactionListing {
  readonly transactionalId: string
  readonly producerId: number
  readonly state: TransactionState
}

export interface TransactionFilter {
  /** Only transactional ids in one of these states. */
  readonly states?: readonly TransactionState[] | undefined
  readonly producerIds?: readonly number[] | undefined
  /** Only transactions that have been open for longer (KIP-994). */
  readonly openForMs?: number | undefined
}

export interface TransactionDescription extends TransactionListing {
  readonly producerEpoch: number
  readonly timeoutMs: number
  /** ms since the epoch; undefined: no transaction is open. */
  readonly startedAt: number | undefined
  /** The partitions of the open transaction. */
  readonly partitions: readonly TopicPartition[]
  /** Node id of the coordinator. */
  readonly coordinator: number
}

/** A producer of a partition, as the partition's leader knows it. */
export interface ActiveProducer extends TopicPartition {
  readonly producerId: number
  readonly producerEpoch: number
  /** -1: the producer has no batch in its epoch; it wrote a marker last. */
  readonly lastSequence: number
  /** Time of its last batch, ms since the epoch. */
  readonly lastTimestamp: number
  /** Of its last marker in the partition; -1: it has none. */
  readonly coordinatorEpoch: number
  /** The first offset of its open transaction; undefined: none is open. */
  readonly transactionStartOffset: number | undefined
}

/** A transaction in the log of a partition, by its producer. */
export interface HangingTransaction extends TopicPartition {
  readonly producerId: number
}

const producerId = whole(0, Number.MAX_SAFE_INTEGER)
const listOptions = shape<CallOptions & TransactionFilter>({
  ...callRows,
  states: listOf(oneOf(...allTransactionStates)),
  producerIds: listOf(producerId),
  openForMs: producerId,
})
/** Accepts the items that `producers` returns. */
const abortable = rule<string | HangingTransaction>(
  'a transactional id, or a topic, a partition and a producerId',
  (value) =>
    text().allows(value) || (topicPartition.allows(value) && producerId.allows(value.producerId)),
)

/** The transaction timeout of the producer that fences: it never begins a transaction. */
const FENCING_TIMEOUT_MS = 1

/** `admin.transactions`. Calls with several items throw a `PartialError` if some fail. */
export class TransactionAdmin {
  readonly #cluster: Cluster

  /** @internal */
  constructor(cluster: Cluster) {
    this.#cluster = cluster
  }

  /**
   * Every transactional id of the cluster, by name.
   *
   * @throws {KafkaError} UNSUPPORTED_VERSION from brokers before Kafka 3.0, for `openForMs` before 3.8
   */
  async list(options: CallOptions & TransactionFilter = {}): Promise<TransactionListing[]> {
    const taken = checked('admin.transactions.list', listOptions, options)
    const { states = [], producerIds = [], openForMs = -1 } = taken
    const call = this.#cluster.call(taken)
    const request = {
      stateFilters: states,
      producerIdFilters: producerIds,
      durationFilter: openForMs,
    }
    const versionMin = openForMs < 0 ? 0 : 1
    return await this.#cluster.retrying(call, async () => {
      const { brokers } = await this.#cluster.describe([], call)
      const answers = await Promise.all(
        brokers.map(({ id }) => this.#cluster.ask(listTransactions, request, id, call, versionMin)),
      )
      const listed = answers.flatMap(({ errorCode, transactionStates }) => {
        check(errorCode, 'ListTransactions')
        return transactionStates.map(listingOf)
      })
      return listed.sort((a, b) => (a.transactionalId < b.transactionalId ? -1 : 1))
    })
  }

  /** @throws {PartialError} with TRANSACTIONAL_ID_NOT_FOUND */
  async describe(
    transactionalIds: readonly string[],
    options: CallOptions = {},
  ): Promise<TransactionDescription[]> {
    checked('admin.transactions.describe', listOf(text()), transactionalIds, 'transactionalIds')
    const call = this.#cluster.call(checked('admin.transactions.describe', callOptions, options))
    return await forEach(transactionalIds, (id) => this.#describe(id, call))
  }

  /** The producers of these partitions, by partition and producer id. @param of topics (all their partitions) or single ones */
  async producers(
    of: readonly (TopicLike | TopicPartition)[],
    options: CallOptions = {},
  ): Promise<ActiveProducer[]> {
    checked('admin.transactions.producers', listOf(topicOrPartition), of, 'of')
    const call = this.#cluster.call(checked('admin.transactions.producers', callOptions, options))
    const partitions = await partitionsOf(this.#cluster, of, call)
    return (await this.#producers(partitions, call)).flat()
  }

  /**
   * Aborts an open transaction: by its transactional id, whose producer it fences; or in one partition only, if no
   * coordinator knows the transaction (KIP-664).
   *
   * @throws {KafkaError} TRANSACTIONAL_ID_NOT_FOUND; INVALID_TXN_STATE if the producer has no open transaction there
   */
  async abort(what: string | HangingTransaction, options: CallOptions = {}): Promise<void> {
    checked('admin.transactions.abort', abortable, what, 'what')
    const call = this.#cluster.call(checked('admin.transactions.abort', callOptions, options))
    if (typeof what === 'string') await this.#fence(what, call)
    else await this.#abortHanging(what, call)
  }

  async #describe(transactionalId: string, call: Call): Promise<TransactionDescription> {
    return await this.#askCoordinator(transactionalId, call, async (coordinator) => {
      const request = { transactionalIds: [transactionalId] }
      const answer = await this.#cluster.ask(describeTransactions, request, coordinator, call)
      const described = answer.transactionStates[0]
      const refusal = refusalOf(`transactional id ${transactionalId}`, described)
      if (refusal !== undefined) throw refusal
      return descriptionOf(described!, coordinator)
    })
  }

  /** Initialises a producer with this id, as a restarted application would, and does not use it. */
  async #fence(transactionalId: string, call: Call): Promise<void> {
    await this.#describe(transactionalId, call) // without this check InitProducerId would create the id
    const request = { transactionalId, transactionTimeoutMs: FENCING_TIMEOUT_MS }
    await this.#askCoordinator(transactionalId, call, async (coordinator) => {
      const answer = await this.#cluster.ask(initProducerId, request, coordinator, call)
      check(answer.errorCode, `transactional id ${transactionalId}`)
    })
  }

  async #abortHanging({ topic, partition, producerId }: HangingTransaction, call: Call) {
    const where = { topic, partition }
    const [producers] = await this.#producers([where], call)
    const open = producers!.find((each) => each.producerId === producerId)
    if (open?.transactionStartOffset === undefined)
      throw new KafkaError(
        'INVALID_TXN_STATE',
        `${partitionText(where)}: producer ${producerId} has no transaction open`,
      )
    const marker = {
      producerId,
      producerEpoch: open.producerEpoch,
      coordinatorEpoch: Math.max(0, open.coordinatorEpoch),
      transactionResult: false,
      topics: [{ name: topic, partitionIndexes: [partition] }],
    }
    const results = await askLeaders(this.#cluster, [where], call, async (leader) => {
      const request = { markers: [marker] }
      const answer = await this.#cluster.ask(writeTxnMarkers, request, leader, call)
      const result = answer.markers[0]?.topics[0]?.partitions[0]
      return [[where, refusalOf(partitionText(where), result) ?? where]]
    })
    wholeOrPartial(results)
  }

  /** @returns for each partition its producers, by id */
  async #producers(partitions: readonly TopicPartition[], call: Call): Promise<ActiveProducer[][]> {
    const results = await askLeaders(this.#cluster, partitions, call, async (leader, group) => {
      const topics = byTopic(group, ({ partition }) => partition).map(({ name, ...rest }) => ({
        name,
        partitionIndexes: rest.partitions,
      }))
      const answer = await this.#cluster.ask(describeProducers, { topics }, leader, call)
      return answer.topics.flatMap((topic) =>
        topic.partitions.map((each): Outcome<ActiveProducer[]> => {
          const where = { topic: topic.name, partition: each.partitionIndex }
          return [where, refusalOf(partitionText(where), each) ?? producersIn(where, each)]
        }),
      )
    })
    return wholeOrPartial(results)
  }

  /** Retries, and finds the coordinator again if it has moved or is not ready yet. */
  async #askCoordinator<R>(
    transactionalId: string,
    call: Call,
    ask: (coordinator: number) => Promise<R>,
  ): Promise<R> {
    return await this.#cluster.retrying(call, async () =>
      ask(await findNode(this.#cluster, 'transactional id', transactionalId, call)),
    )
  }
}

function listingOf(
  each: ResponseOf<typeof listTransactions>['transactionStates'][number],
): TransactionListing {
  const { transactionalId, producerId, transactionState } = each
  return { transactionalId, producerId, state: transactionState as TransactionState }
}

function descriptionOf(
  each: ResponseOf<typeof describeTransactions>['transactionStates'][number],
  coordinator: number,
): TransactionDescription {
  const { transactionTimeoutMs: timeoutMs, transactionStartTimeMs, producerEpoch } = each
  const partitions = each.topics.flatMap(({ topic, partitions: numbers }) =>
    numbers.map((partition) => ({ topic, partition })),
  )
  const startedAt = transactionStartTimeMs < 0 ? undefined : transactionStartTimeMs
  return { ...listingOf(each), producerEpoch, timeoutMs, startedAt, partitions, coordinator }
}

function producersIn(
  where: TopicPartition,
  { activeProducers }: ResponseOf<typeof describeProducers>['topics'][number]['partitions'][number],
): ActiveProducer[] {
  const producers = activeProducers.map(({ currentTxnStartOffset, ...each }) => ({
    ...where,
    ...each,
    transactionStartOffset: currentTxnStartOffset < 0 ? undefined : currentTxnStartOffset,
  }))
  return producers.sort((a, b) => a.producerId - b.producerId)
}
