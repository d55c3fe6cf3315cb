// Appender: checks a produced batch and gives it to the writer. The client must have the permission to write to the topic, the
// batch must be one that clients may write, the disk must have room, and a transactional batch must belong to the open
// transaction of its producer. Everything that appends for a client uses it. Network thread.

import {
  attributesOf,
  BATCH_OVERHEAD_BYTES,
  producerEpochOf,
  producerIdOf,
  recordCountOf,
  TRANSACTIONAL_BIT,
} from '../../protocol/batch/header.ts'
import type { ErrorName } from '../../protocol/errors.ts'
import { UUID_ZERO, type Uuid } from '../../protocol/ids.ts'
import type { AppendOutcome, Log, Store, Topic } from '../../storage/store.ts'
import type { RequestContext } from '../handler.ts'
import { refusalOfInternal } from '../internal-topics.ts'
import type { TopicTraffic } from '../metrics/traffic.ts'
import type { ProducerRequest } from '../txn/messages.ts'
import type { ProduceGate } from '../txn/produce-gate.ts'
import { refusalOfBatch, type Refusal } from './batch-check.ts'
import type { DiskGuard } from './disk-guard.ts'

interface AppenderDeps {
  readonly store: Store
  readonly traffic: TopicTraffic
  readonly disk: DiskGuard
  readonly gate: ProduceGate
}

/** How a client appends: the same for all batches of one request. */
export interface AppendTerms {
  /** Batches of one session keep their order. */
  readonly context: Pick<RequestContext, 'session' | 'allows'>
  /** Null: outside of transactions. */
  readonly transactionalId: string | null
  /** Does the client's protocol know zstd? */
  readonly takesZstd: boolean
  /** Does it know TRANSACTION_ABORTABLE? */
  readonly takesAbortable: boolean
  /** Do its partitions join a transaction by the batch itself (KIP-890)? */
  readonly isTransactionV2: boolean
  /** Why partitions could not join the transaction. */
  readonly joinError?: ErrorName | undefined
}

const NOWHERE = { baseOffset: -1, logAppendTimeMs: -1 }

/** Makes an answer of the outcome of one batch. @param log undefined when there is no such partition */
export type AnswerAppend<Answer> = (outcome: AppendOutcome, log: Log | undefined) => Answer

export class Appender {
  readonly #deps: AppenderDeps

  constructor(deps: AppenderDeps) {
    this.#deps = deps
  }

  /**
   * The topic that a client names by id, or by name with a zero id.
   *
   * @returns an error when the client may not write to it; without the permission the client does not learn whether a name exists
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
   * Checks one batch and hands it to the writer.
   *
   * @param batch borrowed
   * @returns what `answer` makes of the outcome; a promise when the batch went to the writer
   */
  append<Answer>(
    terms: AppendTerms,
    topic: Topic,
    partition: number,
    batch: Uint8Array | null,
    answer: AnswerAppend<Answer>,
  ): Answer | Promise<Answer> {
    const { store, traffic } = this.#deps
    const log = store.logs.get(topic.name, partition)
    const refusal = this.#refusalOf(terms, topic, log, batch)
    if (refusal !== undefined) return answer({ ...refusal, ...NOWHERE }, log)
    const recordCount = recordCountOf(batch!)
    const byteCount = batch!.length
    const { session: source } = terms.context
    const isTransactionV2 = terms.isTransactionV2 && terms.transactionalId !== null
    return store.writer.append(log!, batch!, { source, isTransactionV2 }).then((outcome) => {
      if (outcome.error === undefined) traffic.produced(topic.name, recordCount, byteCount)
      return answer(outcome, log)
    })
  }

  #refusalOf(
    terms: AppendTerms,
    topic: Topic,
    log: Log | undefined,
    batch: Uint8Array | null,
  ): Refusal | undefined {
    if (log === undefined) return { error: 'UNKNOWN_TOPIC_OR_PARTITION' }
    const internal = topic.isInternal ? refusalOfInternal('Produce', topic.name) : undefined
    if (internal) return { error: internal, message: 'the topic is internal' }
    const refusal = refusalOfBatch(batch, terms.takesZstd, log.config['max.message.bytes'])
    if (refusal !== undefined) return refusal
    const shortage = this.#deps.disk.claim(batch!.length)
    if (shortage !== undefined) return { error: 'KAFKA_STORAGE_ERROR', message: shortage }
    const outside = this.#outsideTransaction(terms, batch!, log)
    return outside && { error: outside }
  }

  /** Why a batch may not be written: request and batch must be of one transaction, or both of none. */
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
    // KIP-588: a fenced producer hears INVALID_PRODUCER_EPOCH from Produce, and what became of it from the coordinator
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
