// Transaction: the object with which the function of `producer.transaction` sends records and commits offsets. One
// attempt at one transaction.

import { KafkaError } from '../../protocol/errors.ts'
import type { PartitionQueue, Send } from '../producer/batch.ts'
import type { Call } from '../call.ts'
import type { GroupConsumer } from '../group/group-consumer.ts'
import { checked, rule } from '../options.ts'
import { PartialError } from '../partial-error.ts'
import type { Producer } from '../producer/producer.ts'
import { recordPlace, type ProducerRecord, type TopicLike, type TopicPartition } from '../topic.ts'
import type { TransactionRequests } from './transaction-requests.ts'
import type { OffsetsInTransaction } from '../group/offsets-in-transaction.ts'

const groupConsumer = rule<GroupConsumer<any>>(
  'a consumer with a group',
  ({ offsetsInTransaction }) => typeof offsetsInTransaction === 'function',
)

export interface TransactionDeps {
  readonly producer: Producer
  readonly requests: TransactionRequests
  /** For requests beside the function. */
  readonly call: Call
}

export class Transaction {
  readonly #deps: TransactionDeps
  readonly #offsets = new Map<GroupConsumer<any>, OffsetsInTransaction>()
  /** Sends without an outcome. */
  readonly #unsettled = new Set<Promise<void>>()
  /** Version 1: partitions that the broker has added to the transaction. */
  readonly #added = new Set<PartitionQueue>()
  /** These partitions, and those that are being added. */
  readonly #asked = new Set<PartitionQueue>()
  readonly #wanted: PartitionQueue[] = []
  #adding: Promise<void> | undefined
  #isOver = false
  #failure: KafkaError | undefined

  /** @internal */
  constructor(deps: TransactionDeps) {
    this.#deps = deps
  }

  /**
   * Sends one record or several. Consumers see them once the transaction commits; the commit waits for all sends, and
   * fails if one failed.
   *
   * @returns when the records are buffered
   * @throws {KafkaError} the error of this or an earlier record: the transaction can then only abort
   */
  send<T extends TopicLike>(
    topic: T,
    records: ProducerRecord<T> | readonly ProducerRecord<T>[],
  ): Promise<void> {
    const buffered = this.#send(topic, records)
    buffered.catch(() => {}) // a caller that ignores the promise gets the error from the transaction
    return buffered
  }

  /**
   * When the transaction commits, moves the group of the consumer past `lastRecord` and all records given before it
   * in the same batch, in all their partitions (KIP-447).
   *
   * @param consumer with `commit: 'manual'`
   * @throws {KafkaError} ILLEGAL_GENERATION when the member has lost the partition: another member reads it now
   */
  commitOffsetsOf(
    consumer: GroupConsumer<any>,
    lastRecord: TopicPartition & { readonly offset: number },
  ): void {
    checked('transaction.commitOffsetsOf', groupConsumer, consumer, 'consumer')
    checked('transaction.commitOffsetsOf', recordPlace, lastRecord, 'lastRecord')
    this.#assertOpen()
    let offsets = this.#offsets.get(consumer)
    if (offsets === undefined)
      this.#offsets.set(consumer, (offsets = consumer.offsetsInTransaction()))
    offsets.moveThrough(lastRecord)
    offsets.assertOurs()
  }

  /** The error for which the transaction can only abort. @internal */
  get failure(): KafkaError | undefined {
    return this.#failure
  }

  /** @internal */
  get isOver(): boolean {
    return this.#isOver
  }

  /** The function has ended, or its call has. @internal */
  finish(): void {
    this.#isOver = true
  }

  /** @internal */
  fail(error: unknown): void {
    const cause = error instanceof PartialError ? error.cause : error
    this.#failure ??= this.#deps.requests.explained(cause) as KafkaError
    this.#deps.producer.discard(this.#failure)
  }

  /** Waits until every record sent is written. @internal */
  async flush(call: Call): Promise<void> {
    await this.#deps.producer.flush({ signal: call.signal, timeoutMs: call.remainingMs })
    await Promise.all(this.#unsettled)
    this.#assertNotFailed()
  }

  /**
   * After a failure: resolves when no request of the transaction is in flight, so that its end comes last. @internal
   */
  async idle(): Promise<void> {
    await this.#deps.producer.flush()
    await this.#adding
  }

  /** @internal */
  async commitOffsets(call: Call): Promise<void> {
    for (const offsets of this.#offsets.values()) {
      offsets.assertOurs()
      try {
        await this.#deps.requests.commitOffsets(offsets, call)
      } catch (error) {
        if (error instanceof KafkaError) this.fail(error)
        throw error
      }
    }
  }

  /** The broker has committed. @internal */
  committed(): void {
    for (const offsets of this.#offsets.values()) offsets.committed()
  }

  /** May the partition be written now? If not, the producer is woken once it may. @internal */
  admits(partition: PartitionQueue): boolean {
    const { requests } = this.#deps
    if (requests.version === 2) {
      requests.opened()
      return true
    }
    if (this.#added.has(partition)) return true
    if (this.#asked.has(partition)) return false
    this.#asked.add(partition)
    this.#wanted.push(partition)
    this.#adding ??= this.#add()
    return false
  }

  async #send(
    topic: TopicLike,
    records: ProducerRecord | readonly ProducerRecord[],
  ): Promise<void> {
    this.#assertOpen()
    const send = this.#deps.producer.begin(topic, records)
    this.#watch(send)
    if (send.next < send.recordCount) await taken(send)
    if (send.failure !== undefined) this.fail(send.failure)
    this.#assertNotFailed()
  }

  #watch(send: Send): void {
    const settled: Promise<void> = send.settled
      .then(
        () => {},
        (error: unknown) => this.fail(error),
      )
      .finally(() => this.#unsettled.delete(settled))
    this.#unsettled.add(settled)
  }

  #assertNotFailed(): void {
    if (this.#failure !== undefined) throw this.#failure
  }

  #assertOpen(): void {
    this.#assertNotFailed()
    if (this.#isOver) throw new KafkaError('INVALID_TXN_STATE', 'the transaction is over')
  }

  /** Adds partitions with one request at a time, each for all partitions wanted by then. */
  async #add(): Promise<void> {
    const { requests, call, producer } = this.#deps
    try {
      while (this.#wanted.length > 0 && this.#failure === undefined) {
        await Promise.resolve() // all partitions of one turn go together
        const wanted = this.#wanted.splice(0)
        const places = wanted.map(({ topic, partition }) => ({ topic: topic.name, partition }))
        await requests.addPartitions(places, call, () => this.#assertNotFailed())
        for (const each of wanted) this.#added.add(each)
        producer.pump()
      }
    } catch (error) {
      this.fail(error)
    } finally {
      this.#adding = undefined
    }
  }
}

/** Resolves when the send's records are all in batches or have failed. */
function taken(send: Send): Promise<void> {
  return new Promise((resolve) => (send.onTaken = resolve))
}
