// Recorder: sends the requests of a workload, and notes each in the history with its outcome. Tests only.

import { fetch } from '../../../protocol/api/01_fetch.ts'
import { offsetCommit } from '../../../protocol/api/08_offset_commit.ts'
import { offsetFetch } from '../../../protocol/api/09_offset_fetch.ts'
import { initProducerId } from '../../../protocol/api/22_init_producer_id.ts'
import { endTxn } from '../../../protocol/api/26_end_txn.ts'
import { txnOffsetCommit } from '../../../protocol/api/28_txn_offset_commit.ts'
import { produce } from '../../../protocol/api/00_produce.ts'
import { errorName, type ErrorName } from '../../../protocol/errors.ts'
import type { Answer, Asked, Isolation, Kind, Operation } from '../checker/history.ts'
import { History } from '../checker/history.ts'
import { batchOf } from '../world.ts'
import { Gone, type MortalBroker } from './mortal-broker.ts'
import { readBatches, visibleRecords } from './reading.ts'

/** After these errors it is unknown whether the request had an effect. */
const uncertain: ReadonlySet<ErrorName> = new Set([
  'KAFKA_STORAGE_ERROR',
  'COORDINATOR_NOT_AVAILABLE',
  'CONCURRENT_TRANSACTIONS',
  'UNKNOWN_SERVER_ERROR',
])
const TRANSACTION_TIMEOUT_MS = 60_000

/** The sender of a transactional request. */
export interface Sender {
  readonly transactionalId: string
  readonly instance: string
  readonly producerId: number
  readonly producerEpoch: number
  /** The newest versions of APIs before KIP-890 part 2, or since. */
  readonly kind: 'TV1' | 'TV2'
}

export class Recorder {
  readonly broker: MortalBroker
  readonly history: History

  constructor(broker: MortalBroker, history = new History()) {
    this.broker = broker
    this.history = history
  }

  init(transactionalId: string | null, instance: string) {
    return this.#record('init', { transactionalId, instance }, async () => {
      const request = { transactionalId, transactionTimeoutMs: TRANSACTION_TIMEOUT_MS }
      const { errorCode, producerId, producerEpoch } = await this.broker.send(
        initProducerId,
        request,
      )
      return [errorCode, { producerId, producerEpoch }]
    })
  }

  send(asked: Asked<'send'>, sender?: Sender) {
    return this.#record('send', asked, async () => {
      const { partition, values, producer, transaction } = asked
      const isTransactional = transaction !== null
      const records = batchOf(values, { ...producer, isTransactional })
      const { name, index } = partitionOf(partition)
      const topics = [{ name, partitions: [{ index, records }] }]
      const transactionalId = sender?.transactionalId ?? null
      const request = { transactionalId, acks: -1, timeoutMs: 1000, topics }
      const version = sender?.kind === 'TV2' ? 12 : 11
      const answer = await this.broker.send(produce, request, version)
      const { errorCode, baseOffset } = answer.topics[0]!.partitions[0]!
      return [errorCode, { baseOffset }]
    })
  }

  end(sender: Sender, transaction: string, isCommit: boolean) {
    const { instance, kind, transactionalId, producerId, producerEpoch } = sender
    return this.#record('end', { instance, transaction, isCommit }, async () => {
      const request = { transactionalId, producerId, producerEpoch, committed: isCommit }
      const answer = await this.broker.send(endTxn, request, kind === 'TV2' ? 5 : 4)
      const next = kind === 'TV2' ? answer : sender
      const { producerId: id, producerEpoch: epoch } = next
      return [answer.errorCode, { producerId: id, producerEpoch: epoch }]
    })
  }

  commit(asked: Asked<'commit'>, sender?: Sender) {
    return this.#record('commit', asked, async () => {
      const { group: groupId, partition, offset: committedOffset, tag } = asked
      const { name, index } = partitionOf(partition)
      const committed = { partitionIndex: index, committedOffset, committedMetadata: tag }
      const topics = [{ name, partitions: [committed] }]
      if (sender === undefined) {
        const answer = await this.broker.send(offsetCommit, { groupId, topics })
        return [answer.topics[0]!.partitions[0]!.errorCode, {}]
      }
      const { transactionalId, producerId, producerEpoch, kind } = sender
      const request = { transactionalId, producerId, producerEpoch, groupId, topics }
      const answer = await this.broker.send(txnOffsetCommit, request, kind === 'TV2' ? 5 : 4)
      return [answer.topics[0]!.partitions[0]!.errorCode, {}]
    })
  }

  committed(group: string, partition: string) {
    return this.#record('committed', { group, partition }, async () => {
      const { name, index } = partitionOf(partition)
      const topics = [{ name, partitionIndexes: [index] }]
      const answer = await this.broker.send(offsetFetch, { groups: [{ groupId: group, topics }] })
      const { errorCode, committedOffset, metadata } = answer.groups[0]!.topics[0]!.partitions[0]!
      const found = committedOffset === -1 ? null : { offset: committedOffset, tag: metadata! }
      return [errorCode, found]
    })
  }

  poll(partition: string, isolation: Isolation, from: number, bytesMax: number, isFinal = false) {
    return this.#record('poll', { partition, isolation, from, isFinal }, async () => {
      const { name, index } = partitionOf(partition)
      const at = { partition: index, fetchOffset: from, partitionMaxBytes: bytesMax }
      const isolationLevel = isolation === 'read_committed' ? 1 : 0
      const topics = [{ topic: name, partitions: [at] }]
      const answer = await this.broker.send(
        fetch,
        { maxWaitMs: 0, minBytes: 1, isolationLevel, topics },
        11,
      )
      const found = answer.responses[0]!.partitions[0]!
      const { errorCode, highWatermark, lastStableOffset, abortedTransactions: aborted } = found
      const batches = readBatches(found.records)
      const records = visibleRecords(
        batches,
        isolation === 'read_committed' ? (aborted ?? []) : [],
        from,
      )
      const next = Math.max(from, (batches.at(-1)?.lastOffset ?? -1) + 1)
      return [errorCode, { batches, records, next, highWatermark, lastStableOffset }]
    })
  }

  /** @param ask a SyncGroup */
  own(asked: Asked<'own'>, ask: () => Promise<[errorCode: number, answer: Answer<'own'>]>) {
    return this.#record('own', asked, ask)
  }

  async #record<K extends Kind>(
    kind: K,
    asked: Asked<K>,
    ask: () => Promise<[errorCode: number, answer: Answer<K>]>,
  ) {
    const operation = this.history.invoke(kind, asked)
    try {
      const [code, answer] = await ask()
      const error = errorName(code)
      if (error === undefined) this.history.ok(operation, answer)
      else if (uncertain.has(error)) operation.error = error
      else this.history.fail(operation as Operation, error)
    } catch (error) {
      if (!(error instanceof Gone)) throw error
      operation.error = error.message
    }
    return operation
  }
}

export function partitionOf(partition: string): { readonly name: string; readonly index: number } {
  const at = partition.lastIndexOf('-')
  return { name: partition.slice(0, at), index: Number(partition.slice(at + 1)) }
}
