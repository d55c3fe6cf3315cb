// Admission: decides whether a produced batch may go to a log. The client must have the permission to write to the
// topic, the batch must be one that clients may write, a transactional batch must belong to its producer's open
// transaction, and the disk must have room. Every append for a client passes it. Network thread.

import {
  attributesOf,
  BATCH_OVERHEAD_BYTES,
  producerEpochOf,
  producerIdOf,
  TRANSACTIONAL_BIT,
} from '../../protocol/batch/header.ts'
import type { ErrorName } from '../../protocol/errors.ts'
import { UUID_ZERO, type Uuid } from '../../protocol/ids.ts'
import type { Log, Store, Topic } from '../../storage/store.ts'
import type { RequestContext } from '../handler.ts'
import { refusalOfInternal } from '../internal-topics.ts'
import type { ProducerRequest } from '../txn/messages.ts'
import type { ProduceGate } from '../txn/produce-gate.ts'
import { refusalOfBatch, type Refusal } from './batch-check.ts'
import type { DiskGuard } from './disk-guard.ts'

interface AdmissionDeps {
  readonly store: Pick<Store, 'topics' | 'logs'>
  readonly disk: DiskGuard
  readonly gate: ProduceGate
}

/** How a client appends: the same for all batches of one request. */
export interface AppendTerms {
  readonly context: Pick<RequestContext, 'session' | 'allows'>
  /** Null: outside of transactions. */
  readonly transactionalId: string | null
  /** Does the client's protocol know zstd? */
  readonly takesZstd: boolean
  /** Does the client's protocol know TRANSACTION_ABORTABLE? */
  readonly takesAbortable: boolean
  /** Do its partitions join a transaction by the batch itself (KIP-890)? */
  readonly isTransactionV2: boolean
  /** The reason why partitions could not join the transaction. */
  readonly joinError?: ErrorName | undefined
}

export class Admission {
  readonly #deps: AdmissionDeps

  constructor(deps: AdmissionDeps) {
    this.#deps = deps
  }

  /**
   * The topic that a client names by id, or by name with a zero id.
   *
   * @returns an error when the client may not write to it; without the permission the client does not learn whether a
   *   name exists
   */
  topicFor({ context }: AppendTerms, name: string, topicId: Uuid): Topic | ErrorName {
    const { topics } = this.#deps.store
    if (topicId === UUID_ZERO) {
      if (!context.allows('Write', 'Topic', name)) return 'TOPIC_AUTHORIZATION_FAILED'
      return topics.get(name) ?? 'UNKNOWN_TOPIC_OR_PARTITION'
    }
    const topic = topics.getById(topicId)
    if (topic === undefined) return 'UNKNOWN_TOPIC_ID'
    return context.allows('Write', 'Topic', topic.name) ? topic : 'TOPIC_AUTHORIZATION_FAILED'
  }

  /** May the partition join the open transaction of this producer (KIP-890)? */
  mayJoin({ name }: Topic, partition: number, producer: ProducerRequest): boolean {
    const { store, gate } = this.#deps
    if (refusalOfInternal('Produce', name) || store.logs.get(name, partition) === undefined)
      return false
    return gate.refusalOf(producer, name, partition) === 'INVALID_TXN_STATE'
  }

  /**
   * Checks one batch, and claims room on the disk for it.
   *
   * @param batch borrowed
   * @returns the log for the batch, or the reason of the refusal
   */
  admit(
    terms: AppendTerms,
    topic: Topic,
    partition: number,
    batch: Uint8Array | null,
  ): Log | Refusal {
    const log = this.#deps.store.logs.get(topic.name, partition)
    if (log === undefined) return { error: 'UNKNOWN_TOPIC_OR_PARTITION' }
    const internal = topic.isInternal ? refusalOfInternal('Produce', topic.name) : undefined
    if (internal) return { error: internal, message: 'the topic is internal' }
    const refusal = refusalOfBatch(batch, terms.takesZstd, log.config['max.message.bytes'])
    if (refusal !== undefined) return refusal
    const outside = this.#outsideTransaction(terms, batch!, log)
    if (outside !== undefined) return { error: outside }
    const shortage = this.#deps.disk.claim(batch!.length) // last: a batch that is refused claims nothing
    return shortage === undefined ? log : { error: 'KAFKA_STORAGE_ERROR', message: shortage }
  }

  /** Request and batch must belong to one transaction, or both to none. @returns the refusal */
  #outsideTransaction(
    { transactionalId, takesAbortable, joinError }: AppendTerms,
    batch: Uint8Array,
    { topic, partition }: Log,
  ): ErrorName | undefined {
    if (transactionalId === null) {
      return isTransactional(batch) ? 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED' : undefined
    }
    if (!isTransactional(batch)) return 'INVALID_TXN_STATE'
    const producer = producerOf(batch, transactionalId)
    const refusal = this.#deps.gate.refusalOf(producer, topic.name, partition)
    // A fenced producer gets INVALID_PRODUCER_EPOCH from Produce, and the reason from its coordinator (KIP-588).
    if (refusal === 'PRODUCER_FENCED') return 'INVALID_PRODUCER_EPOCH'
    if (refusal !== 'INVALID_TXN_STATE') return refusal
    return joinError ?? (takesAbortable ? 'TRANSACTION_ABORTABLE' : refusal)
  }
}

export function isTransactional(batch: Uint8Array | null): batch is Uint8Array {
  if (batch === null || batch.length < BATCH_OVERHEAD_BYTES) return false
  return (attributesOf(batch) & TRANSACTIONAL_BIT) !== 0
}

export function producerOf(batch: Uint8Array, transactionalId: string): ProducerRequest {
  return {
    transactionalId,
    producerId: producerIdOf(batch),
    producerEpoch: producerEpochOf(batch),
  }
}
