// TransactionClient: a transactional producer over a socket, controlled by a test: of the version before KIP-890 part
// 2 (TV1) or since then (TV2). Tests only.

import { produce } from '../../protocol/api/00_produce.ts'
import { initProducerId } from '../../protocol/api/22_init_producer_id.ts'
import { addPartitionsToTxn } from '../../protocol/api/24_add_partitions_to_txn.ts'
import { addOffsetsToTxn } from '../../protocol/api/25_add_offsets_to_txn.ts'
import { endTxn } from '../../protocol/api/26_end_txn.ts'
import { txnOffsetCommit } from '../../protocol/api/28_txn_offset_commit.ts'
import { errorName } from '../../protocol/errors.ts'
import type { RawClient } from './raw-client.ts'
import { batchOf } from './world.ts'

/** The newest API versions of each; Produce names topics by name, so not 13. */
const versions = {
  TV1: { produce: 11, addOffsets: 4, commit: 4, end: 4 },
  TV2: { produce: 12, addOffsets: 4, commit: 5, end: 5 },
} as const

export class TransactionClient {
  readonly client: RawClient
  readonly transactionalId: string
  readonly kind: keyof typeof versions
  producerId = -1
  producerEpoch = -1
  readonly #sequences = new Map<string, number>()

  constructor(client: RawClient, transactionalId: string, kind: keyof typeof versions) {
    this.client = client
    this.transactionalId = transactionalId
    this.kind = kind
  }

  get request() {
    const { transactionalId, producerId, producerEpoch } = this
    return { transactionalId, producerId, producerEpoch }
  }

  /** Fences others. @returns the name of the error; undefined for none, as everywhere here */
  async init(transactionTimeoutMs = 60_000, version?: number) {
    const { transactionalId } = this
    const request = { transactionalId, transactionTimeoutMs }
    const answer = await this.client.send(initProducerId, request, version)
    if (answer.errorCode === 0) this.#become(answer)
    return errorName(answer.errorCode)
  }

  async add(name: string, partitions: readonly number[], version?: number) {
    const request = { ...this.request, topics: [{ name, partitions }] }
    const { topics } = await this.client.send(addPartitionsToTxn, request, version)
    return topics[0]!.partitions.map(({ errorCode }) => errorName(errorCode))
  }

  /** One record for each value, in one batch of one partition. */
  async produce(topic: string, partition: number, ...values: string[]) {
    this.write(topic, partition, values)
    return this.produced()
  }

  /** As `produce`, without waiting for the answer. */
  write(name: string, index: number, values: readonly string[]): void {
    const where = `${name}-${index}`
    const baseSequence = this.#sequences.get(where) ?? 0
    this.#sequences.set(where, baseSequence + values.length)
    const { transactionalId, producerId, producerEpoch } = this
    const sender = { producerId, producerEpoch, baseSequence }
    const timestamp = Date.now() // as the marker's, because a longer time between them would roll the segment
    const records = batchOf(values, { ...sender, timestamp, isTransactional: true })
    const topics = [{ name, partitions: [{ index, records }] }]
    const version = versions[this.kind].produce
    this.client.write(produce, { transactionalId, acks: -1, timeoutMs: 1000, topics }, version)
  }

  /** The outcome of the oldest `write` without one. */
  async produced() {
    const answer = await this.client.answerTo(produce, versions[this.kind].produce)
    return errorName(answer.topics[0]!.partitions[0]!.errorCode)
  }

  async addGroup(groupId: string) {
    const { errorCode } = await this.client.send(addOffsetsToTxn, { ...this.request, groupId })
    return errorName(errorCode)
  }

  /** Commits for partition 0. */
  async commitOffset(groupId: string, name: string, committedOffset: number, member = {}) {
    const partitions = [{ partitionIndex: 0, committedOffset }]
    const request = { ...this.request, ...member, groupId, topics: [{ name, partitions }] }
    const version = versions[this.kind].commit
    const { topics } = await this.client.send(txnOffsetCommit, request, version)
    return errorName(topics[0]!.partitions[0]!.errorCode)
  }

  commit() {
    return this.end(true)
  }

  abort() {
    return this.end(false)
  }

  async end(committed: boolean, version: number = versions[this.kind].end) {
    const answer = await this.client.send(endTxn, { ...this.request, committed }, version)
    if (answer.errorCode === 0 && version >= 5) this.#become(answer)
    return errorName(answer.errorCode)
  }

  #become(who: { readonly producerId: number; readonly producerEpoch: number }): void {
    if (who.producerEpoch !== this.producerEpoch) this.#sequences.clear()
    this.producerId = who.producerId
    this.producerEpoch = who.producerEpoch
  }
}
