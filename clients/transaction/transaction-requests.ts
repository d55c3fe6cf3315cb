// TransactionRequests: the requests of a transactional producer to its coordinator, and the state that their answers
// give: producer id, epoch, and the version of transactions that the cluster speaks.
// Source: KIP-98, KIP-360 (new epoch after an error), KIP-447 (offsets with the member's generation), KIP-890.

import { initProducerId } from '../../protocol/api/22_init_producer_id.ts'
import { addPartitionsToTxn } from '../../protocol/api/24_add_partitions_to_txn.ts'
import { addOffsetsToTxn } from '../../protocol/api/25_add_offsets_to_txn.ts'
import { endTxn } from '../../protocol/api/26_end_txn.ts'
import { txnOffsetCommit } from '../../protocol/api/28_txn_offset_commit.ts'
import { errorName, KafkaError, type ErrorName } from '../../protocol/errors.ts'
import type { Identity } from '../producer/batch.ts'
import type { Call } from '../call.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { CoordinatorNode } from '../cluster/coordinator-node.ts'
import { commitOf } from '../cluster/offset-to-commit.ts'
import { byTopic } from '../cluster/leaders.ts'
import type { Connection } from '../net/connection.ts'
import type { Lane } from '../net/lane.ts'
import { partitionText, type TopicPartition } from '../topic.ts'
import type { OffsetsInTransaction } from '../group/offsets-in-transaction.ts'

/**
 * 1: the producer adds partitions and groups with requests of their own, and keeps its epoch. 2 (KIP-890): the broker
 * adds what a request writes to, and raises the epoch at the end of each transaction.
 */
export type TransactionVersion = 1 | 2

/** The newest API versions of transaction version 1; newer ones belong to version 2. */
const VERSION_1_MAX = { produce: 11, endTxn: 4, txnOffsetCommit: 4 } as const

/** From this version of InitProducerId on, a producer can go on after an error (KIP-360): Apache Kafka 2.5. */
const INIT_VERSION_MIN = 3

/** Another producer uses the transactional id, or the broker has given this producer up. */
const FENCED: ReadonlySet<ErrorName> = new Set(['PRODUCER_FENCED', 'INVALID_PRODUCER_EPOCH'])

/** Answers to an abort that are as good as success: no transaction is open. */
const NOTHING_TO_ABORT: ReadonlySet<ErrorName> = new Set([
  'INVALID_TXN_STATE',
  'INVALID_PRODUCER_ID_MAPPING',
  'UNKNOWN_PRODUCER_ID',
])

export interface TransactionRequestsOptions {
  readonly transactionalId: string
  readonly transactionTimeoutMs: number
}

export class TransactionRequests {
  /** undefined before the first transaction. A new object after each change of id or epoch. */
  identity: Identity | undefined
  version: TransactionVersion = 1
  readonly #cluster: Cluster
  readonly #options: TransactionRequestsOptions
  readonly #node: CoordinatorNode
  readonly #lane: Lane
  /** The broker may have a transaction of this producer open. */
  #isOpen = false
  /** The last end whose answer is missing. */
  #unanswered: 'commit' | 'abort' | undefined
  /** The next transaction needs a new epoch. */
  #mustIdentify = true

  constructor(cluster: Cluster, options: TransactionRequestsOptions) {
    this.#cluster = cluster
    this.#options = options
    this.#node = new CoordinatorNode(cluster, 'transactional id', options.transactionalId)
    this.#lane = cluster.newLane()
  }

  close(): void {
    this.#cluster.closeLane(this.#lane)
  }

  get produceVersionMax(): number {
    return this.version === 2 ? Infinity : VERSION_1_MAX.produce
  }

  /** Prepares a transaction: ends the previous one, and fences older producers with this id. */
  async begin(call: Call): Promise<void> {
    if (this.#unanswered !== undefined) await this.#endAgain(this.#unanswered, call)
    if (this.#isOpen) await this.#endAgain('abort', call)
    const connection = await this.#cluster.retrying(call, () =>
      this.#node.connection(this.#lane, call),
    )
    const version = versionOf(connection)
    if (!this.#mustIdentify && version === this.version) return
    await this.#identify(call)
    this.version = version
  }

  /** An end was sent without an answer: it may have taken effect. */
  get isUnsure(): boolean {
    return this.#unanswered !== undefined
  }

  /** A record or offset of the transaction is being written. */
  opened(): void {
    this.#isOpen = true
  }

  /**
   * Version 1: adds partitions before the first record of each.
   *
   * @param assertWanted throws once the transaction is being aborted, because a further attempt would open another
   *   transaction
   */
  async addPartitions(
    partitions: readonly TopicPartition[],
    call: Call,
    assertWanted: () => void,
  ): Promise<void> {
    const topics = byTopic(partitions, ({ partition }) => partition)
    await this.#retrying(call, async () => {
      assertWanted()
      this.#isOpen = true
      const request = { ...this.#self(), topics }
      const answer = await this.#node.ask(this.#lane, addPartitionsToTxn, request, call)
      const refused = answer.topics.flatMap(({ name, partitions: results }) =>
        results.map(({ partitionIndex: partition, errorCode }) => {
          return { where: partitionText({ topic: name, partition }), errorCode }
        }),
      )
      // The broker attempts none of the partitions if it refuses one: the error of that one is the reason.
      const because = refused.find(({ errorCode }) => isReason(errorCode)) ?? refused[0]
      if (because !== undefined)
        this.#node.check(because.errorCode, `${because.where} cannot join the transaction`)
    })
  }

  /** @throws {KafkaError} ILLEGAL_GENERATION and others, when the group has continued without the member */
  async commitOffsets(offsets: OffsetsInTransaction, call: Call): Promise<void> {
    const { groupId } = offsets.coordinator
    this.#isOpen = true
    if (this.version === 1) await this.#addGroup(groupId, call)
    await this.#retrying(call, async () => {
      const { generationId, memberId, groupInstanceId } = offsets.member
      const answer = await offsets.coordinator.askAside(
        txnOffsetCommit,
        {
          ...this.#self(),
          groupId,
          generationIdOrMemberEpoch: generationId,
          memberId,
          groupInstanceId,
          topics: byTopic(offsets.offsets, commitOf),
        },
        call,
        { versionMax: this.version === 2 ? Infinity : VERSION_1_MAX.txnOffsetCommit },
      )
      for (const { name, partitions } of answer.topics) {
        for (const { partitionIndex, errorCode } of partitions) {
          const where = partitionText({ topic: name, partition: partitionIndex })
          offsets.coordinator.check(errorCode, `commit of ${where} in a transaction`)
        }
      }
    })
  }

  /**
   * Commits or aborts, and repeats the request until an answer comes: a request without an answer may have taken
   * effect.
   *
   * @throws {KafkaError} of a commit: the broker's refusal, so it is not committed; or the call has ended
   */
  async end(how: 'commit' | 'abort', call: Call): Promise<void> {
    if (!this.#isOpen) return
    this.#unanswered = how
    try {
      await this.#retrying(call, () => this.#askEnd(how, call))
    } catch (error) {
      if (call.isOver || !(error instanceof KafkaError)) throw error // the next transaction sends it again
      this.#unanswered = undefined
      this.#mustIdentify = true
      if (how === 'commit' && error.code === 'TRANSACTION_ABORTABLE') throw error
      this.#isOpen = false
      if (how === 'commit' || !NOTHING_TO_ABORT.has(error.code)) throw error
    }
  }

  /** Adds to a fencing error which producer is meant and what to do. */
  explained(error: unknown): unknown {
    if (!(error instanceof KafkaError) || error.fatal || !FENCED.has(error.code)) return error
    const { transactionalId, transactionTimeoutMs } = this.#options
    const { producerId = -1, epoch = -1 } = this.identity ?? {}
    const what =
      `transactional id ${transactionalId}, producer ${producerId} of epoch ${epoch} is fenced (${error.reason}): ` +
      'another producer with this transactional id has begun since, or a transaction took longer than ' +
      `transactionTimeoutMs (${transactionTimeoutMs}) and the broker has aborted it. ` +
      'Close this producer; only one at a time can use the id'
    return new KafkaError(error.code, what, { cause: error, fatal: true })
  }

  async #identify(call: Call): Promise<void> {
    const { transactionalId, transactionTimeoutMs } = this.#options
    const { producerId = -1, epoch = -1 } = this.identity ?? {}
    await this.#retrying(call, async () => {
      const connection = await this.#node.connection(this.#lane, call)
      if (connection.version(initProducerId) < INIT_VERSION_MIN) throw tooOld()
      const request = { transactionalId, transactionTimeoutMs, producerId, producerEpoch: epoch }
      const answer = await this.#node.ask(this.#lane, initProducerId, request, call)
      this.#node.check(answer.errorCode, 'InitProducerId')
      this.#become(answer.producerId, answer.producerEpoch)
    })
    this.#mustIdentify = false
  }

  #become(producerId: number, epoch: number): void {
    this.identity = { producerId, epoch, isTransactional: true }
  }

  async #addGroup(groupId: string, call: Call): Promise<void> {
    await this.#retrying(call, async () => {
      const request = { ...this.#self(), groupId }
      const { errorCode } = await this.#node.ask(this.#lane, addOffsetsToTxn, request, call)
      this.#node.check(errorCode, `group ${groupId} cannot join the transaction`)
    })
  }

  async #askEnd(how: 'commit' | 'abort', call: Call): Promise<void> {
    const request = { ...this.#self(), committed: how === 'commit' }
    const versionMax = this.version === 2 ? Infinity : VERSION_1_MAX.endTxn
    const answer = await this.#node.ask(this.#lane, endTxn, request, call, { versionMax })
    this.#node.check(answer.errorCode, how)
    this.#ended()
    if (answer.producerId >= 0) this.#become(answer.producerId, answer.producerEpoch)
    else if (how === 'abort') this.#mustIdentify = true // refused batches of the aborted transaction have left gaps in the sequences
  }

  #ended(): void {
    this.#isOpen = false
    this.#unanswered = undefined
  }

  /**
   * Repeats an end whose caller already got "outcome unknown": it throws only errors that prevent the next
   * transaction.
   */
  async #endAgain(how: 'commit' | 'abort', call: Call): Promise<void> {
    try {
      await this.end(how, call)
    } catch (error) {
      if (call.isOver || (error instanceof KafkaError && error.fatal)) throw error
      this.#cluster.options.logger?.warn({ error }, `the ${how} of a transaction was refused`)
    }
  }

  #self() {
    const { producerId, epoch } = this.identity!
    return {
      transactionalId: this.#options.transactionalId,
      producerId,
      producerEpoch: epoch,
    }
  }

  async #retrying<T>(call: Call, attempt: () => Promise<T>): Promise<T> {
    try {
      return await this.#cluster.retrying(call, attempt)
    } catch (error) {
      throw this.explained(error)
    }
  }
}

/** Decides as Java's client: by the finalized feature `transaction.version` alone (KIP-584). */
function versionOf(connection: Connection): TransactionVersion {
  return connection.feature('transaction.version') >= 2 ? 2 : 1
}

function isReason(errorCode: number): boolean {
  const error = errorName(errorCode)
  return error !== undefined && error !== 'OPERATION_NOT_ATTEMPTED'
}

function tooOld(): KafkaError {
  return new KafkaError(
    'UNSUPPORTED_VERSION',
    'transactions need Apache Kafka 2.5 or newer: this broker offers an older InitProducerId',
    { fatal: true },
  )
}
