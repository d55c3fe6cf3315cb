// TransactionRequests: what a transactional producer asks of the broker that keeps its transactional id, and what it
// knows of itself by that: producer id, epoch, and which dialect of transactions the cluster speaks.
// Source: KIP-98, KIP-360 (epochs go on after errors), KIP-447 (offsets with the member's generation), KIP-890.

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
 * 1: partitions and groups are added by requests of their own, the epoch stays. 2 (KIP-890): the broker adds what is
 * written to, and every end of a transaction raises the epoch.
 */
export type TransactionVersion = 1 | 2

/** Newest versions that version 1 speaks; the next ones are version 2. */
const VERSION_1_MAX = { produce: 11, endTxn: 4, txnOffsetCommit: 4 } as const

/** From here on a producer may go on after an error (KIP-360): Apache Kafka 2.5. */
const INIT_VERSION_MIN = 3

/** Somebody else has our transactional id, or the broker has given this producer up. */
const FENCED: ReadonlySet<ErrorName> = new Set(['PRODUCER_FENCED', 'INVALID_PRODUCER_EPOCH'])

/** No answer to an abort can be better: nothing is open. */
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
  /** undefined until the first transaction. Another object whenever id or epoch have changed. */
  identity: Identity | undefined
  version: TransactionVersion = 1
  readonly #cluster: Cluster
  readonly #options: TransactionRequestsOptions
  readonly #node: CoordinatorNode
  readonly #lane: Lane
  /** The broker may have a transaction of ours open. */
  #isOpen = false
  /** The end that was asked for last and not answered. */
  #unanswered: 'commit' | 'abort' | undefined
  /** Go on under a new epoch. */
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

  /** Makes ready for a transaction: what went before is ended, older producers of this id are fenced. */
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

  /** The last end was asked for, and may have been carried out. */
  get isUnsure(): boolean {
    return this.#unanswered !== undefined
  }

  /** Something of it is being written. */
  opened(): void {
    this.#isOpen = true
  }

  /**
   * Version 1: before the first record of each partition.
   *
   * @param assertWanted throws once the transaction is being aborted: an attempt after that would open another one
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
      // When one is refused the others are not attempted: that one says why.
      const because = refused.find(({ errorCode }) => isReason(errorCode)) ?? refused[0]
      if (because !== undefined)
        this.#node.check(because.errorCode, `${because.where} cannot join the transaction`)
    })
  }

  /** @throws {KafkaError} ILLEGAL_GENERATION and others that say that the group has gone on without the member */
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
   * Commits or aborts, as often as it takes to get an answer: it may have been carried out although none came.
   *
   * @throws {KafkaError} of a commit: what the broker says, it is then not committed; or that the call is over
   */
  async end(how: 'commit' | 'abort', call: Call): Promise<void> {
    if (!this.#isOpen) return
    this.#unanswered = how
    try {
      await this.#retrying(call, () => this.#askEnd(how, call))
    } catch (error) {
      if (call.isOver || !(error instanceof KafkaError)) throw error // it is asked again before the next one
      this.#unanswered = undefined
      this.#mustIdentify = true
      if (how === 'commit' && error.code === 'TRANSACTION_ABORTABLE') throw error
      this.#isOpen = false
      if (how === 'commit' || !NOTHING_TO_ABORT.has(error.code)) throw error
    }
  }

  /** What was fenced says who and what to do. */
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
    else if (how === 'abort') this.#mustIdentify = true // what was refused in it has left gaps in the sequences
  }

  #ended(): void {
    this.#isOpen = false
    this.#unanswered = undefined
  }

  /** Its caller was told that the outcome is not known: only what bars the next transaction is of interest. */
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

/** As Java's client decides: by the feature alone, which brokers announce when they can. */
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
