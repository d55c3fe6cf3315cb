// FakeTransactions: the coordinator of transactional ids for a FakeBroker, in both dialects (docs: KIP-98, KIP-890).
// It refuses the same requests as Apache Kafka, so that it detects a client with a wrong order or epoch.

import { produce } from '../../protocol/api/00_produce.ts'
import { findCoordinator } from '../../protocol/api/10_find_coordinator.ts'
import { initProducerId } from '../../protocol/api/22_init_producer_id.ts'
import { addPartitionsToTxn } from '../../protocol/api/24_add_partitions_to_txn.ts'
import { addOffsetsToTxn } from '../../protocol/api/25_add_offsets_to_txn.ts'
import { endTxn } from '../../protocol/api/26_end_txn.ts'
import { txnOffsetCommit } from '../../protocol/api/28_txn_offset_commit.ts'
import { readBatchHeader } from '../../protocol/batch/header.ts'
import { errorCode, type ErrorName } from '../../protocol/errors.ts'
import type { RequestOf, ResponseInput } from '../../protocol/schema.ts'
import { endTransaction, NODE_ID, refusal, type FakeBroker } from './fake-broker.ts'

interface FakeProducer {
  readonly producerId: number
  epoch: number
  /** `topic partition` of the open transaction. */
  readonly partitions: Set<string>
  readonly groups: Set<string>
  /** `group topic partition` -> offset, until the end. */
  readonly pending: Map<string, number>
  last: 'commit' | 'abort' | undefined
}

interface Claim {
  readonly transactionalId: string | null
  readonly producerId: number
  readonly producerEpoch: number
}

export class FakeTransactions {
  readonly producers = new Map<string, FakeProducer>()
  /** `group topic partition` -> offset. */
  readonly committed = new Map<string, number>()
  readonly #broker: FakeBroker

  /** @param version 2: the cluster announces `transaction.version` 2 */
  constructor(broker: FakeBroker, version: 1 | 2) {
    this.#broker = broker
    const level = { maxVersionLevel: version, minVersionLevel: version }
    broker.features = [{ name: 'transaction.version', ...level }]
    broker.always(findCoordinator, (request) => this.#find(request))
    broker.always(initProducerId, (request) => this.#identify(request))
    broker.always(addPartitionsToTxn, (request) => this.#addPartitions(request))
    broker.always(addOffsetsToTxn, (request) => this.#addOffsets(request))
    broker.always(produce, (request, version) => this.produce(request, version))
    broker.always(txnOffsetCommit, (request, version) => this.#commitOffsets(request, version))
    broker.always(endTxn, (request, version) => this.end(request, version))
  }

  /** Acts as if another producer with the same transactional id began, or the transaction timed out. */
  fence(transactionalId: string): void {
    const known = this.producers.get(transactionalId)!
    known.epoch++
    this.#finish(known, 'abort')
  }

  produce(request: RequestOf<typeof produce>, version: number): ResponseInput<typeof produce> {
    const { transactionalId } = request
    const known = transactionalId === null ? undefined : this.producers.get(transactionalId)
    for (const { name, topicId, partitions } of request.topics) {
      const topic = version >= 13 ? this.#nameOf(topicId) : name
      for (const { index, records } of partitions) {
        if (known !== undefined && readBatchHeader(records!).producerEpoch < known.epoch)
          return refuseAll(request, 'INVALID_PRODUCER_EPOCH')
        if (version >= 12) known?.partitions.add(`${topic} ${index}`)
        else if (known?.partitions.has(`${topic} ${index}`) === false)
          return refuseAll(request, 'INVALID_TXN_STATE')
      }
    }
    return this.#broker.produce(request, version)
  }

  end(request: RequestOf<typeof endTxn>, version: number): ResponseInput<typeof endTxn> {
    const how = request.committed ? 'commit' : 'abort'
    const known = this.producers.get(request.transactionalId)
    if (known === undefined) return { errorCode: errorCode('INVALID_PRODUCER_ID_MAPPING') }
    const isRepeated =
      version >= 5 && known.epoch === request.producerEpoch + 1 && known.last === how
    const refused = isRepeated ? undefined : this.#refusalOf(request)
    if (refused !== undefined) return { errorCode: errorCode(refused) }
    const isOpen = known.partitions.size + known.groups.size > 0
    if (!isOpen && known.last !== how && !(version >= 5 && how === 'abort'))
      return { errorCode: errorCode('INVALID_TXN_STATE') }
    if (version >= 5 && !isRepeated) known.epoch++
    if (isOpen) this.#finish(known, how)
    if (version < 5) return { errorCode: 0 }
    return { errorCode: 0, producerId: known.producerId, producerEpoch: known.epoch }
  }

  #finish(known: FakeProducer, how: 'commit' | 'abort'): void {
    for (const place of known.partitions) {
      const [topic, partition] = place.split(' ')
      const log = this.#broker.topics.get(topic!)![Number(partition)]!
      endTransaction(log, known.producerId, known.epoch, how)
      const counted = log.producers.get(known.producerId)
      if (counted !== undefined && counted.epoch < known.epoch)
        log.producers.set(known.producerId, { epoch: known.epoch, nextSequence: 0, recent: [] })
    }
    if (how === 'commit')
      for (const [place, offset] of known.pending) this.committed.set(place, offset)
    known.partitions.clear()
    known.groups.clear()
    known.pending.clear()
    known.last = how
  }

  #find({ coordinatorKeys }: RequestOf<typeof findCoordinator>) {
    const place = { nodeId: NODE_ID, host: '127.0.0.1', port: this.#broker.port, errorCode: 0 }
    return { coordinators: coordinatorKeys.map((key) => ({ key, ...place })) }
  }

  #identify(request: RequestOf<typeof initProducerId>): ResponseInput<typeof initProducerId> {
    const { transactionalId } = request
    if (transactionalId === null)
      return { errorCode: 0, producerId: this.#broker.producerIds++, producerEpoch: 0 }
    const known = this.producers.get(transactionalId)
    if (known === undefined) {
      const producerId = this.#broker.producerIds++
      const [partitions, groups, pending] = [new Set<string>(), new Set<string>(), new Map()]
      const fresh = { producerId, epoch: 0, partitions, groups, pending, last: undefined }
      this.producers.set(transactionalId, fresh)
      return { errorCode: 0, producerId, producerEpoch: 0 }
    }
    const refused = request.producerId < 0 ? undefined : this.#refusalOf(request)
    if (refused !== undefined) return { errorCode: errorCode(refused), producerEpoch: -1 }
    known.epoch++
    this.#finish(known, 'abort')
    return { errorCode: 0, producerId: known.producerId, producerEpoch: known.epoch }
  }

  #addPartitions(
    request: RequestOf<typeof addPartitionsToTxn>,
  ): ResponseInput<typeof addPartitionsToTxn> {
    const refused = this.#refusalOf(request)
    const known = this.producers.get(request.transactionalId)
    const places = request.topics.flatMap(({ name, partitions }) =>
      partitions.map((partition) => `${name} ${partition}`),
    )
    if (refused === undefined) for (const place of places) known!.partitions.add(place)
    const topics = request.topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map((partitionIndex) => ({
        partitionIndex,
        errorCode: errorCode(refused),
      })),
    }))
    return { topics }
  }

  #addOffsets(request: RequestOf<typeof addOffsetsToTxn>): ResponseInput<typeof addOffsetsToTxn> {
    const refused = this.#refusalOf(request)
    if (refused === undefined)
      this.producers.get(request.transactionalId)!.groups.add(request.groupId)
    return { errorCode: errorCode(refused) }
  }

  #commitOffsets(
    request: RequestOf<typeof txnOffsetCommit>,
    version: number,
  ): ResponseInput<typeof txnOffsetCommit> {
    const known = this.producers.get(request.transactionalId)
    if (version >= 5) known?.groups.add(request.groupId)
    const isMember = known?.groups.has(request.groupId)
    const refused = this.#refusalOf(request) ?? (isMember ? undefined : 'INVALID_TXN_STATE')
    const topics = request.topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex, committedOffset }) => {
        const place = `${request.groupId} ${name} ${partitionIndex}`
        if (refused === undefined) known!.pending.set(place, committedOffset)
        return { partitionIndex, errorCode: errorCode(refused) }
      }),
    }))
    return { topics }
  }

  #refusalOf({ transactionalId, producerId, producerEpoch }: Claim): ErrorName | undefined {
    const known = this.producers.get(transactionalId!)
    if (known?.producerId !== producerId) return 'INVALID_PRODUCER_ID_MAPPING'
    return known.epoch === producerEpoch ? undefined : 'PRODUCER_FENCED'
  }

  #nameOf(id: string): string {
    return [...this.#broker.ids].find(([, each]) => each === id)![0]
  }
}

/** Answers a whole Produce request with one error. */
export function refuseAll(
  request: RequestOf<typeof produce>,
  name: ErrorName,
): ResponseInput<typeof produce> {
  return {
    topics: request.topics.map((topic) => ({
      ...topic,
      partitions: topic.partitions.map(({ index }) => refusal(index, name)),
    })),
  }
}
