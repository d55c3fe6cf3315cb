// Transaction: what the function given to `producer.transaction` sends and commits with. One attempt at one transaction.

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
  /** For what goes on beside the function. */
  readonly call: Call
}

export class Transaction {
  readonly #deps: TransactionDeps
  readonly #offsets = new Map<GroupConsumer<any>, OffsetsInTransaction>()
  /** Sends without an outcome. */
  readonly #unsettled = new Set<Promise<void>>()
  /** Version 1: partitions that the broker counts to the transaction. */
  readonly #added = new Set<PartitionQueue>()
  /** Those, and what is being added. */
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
   * Sends records, one or several. Consumers see them once the transaction commits, which waits for all of them and
   * throws what failed.
   *
   * @returns when they are buffered
   * @throws {KafkaError} what this or an earlier record of the transaction failed with: it can only be aborted
   */
  send<T extends TopicLike>(
    topic: T,
    records: ProducerRecord<T> | readonly ProducerRecord<T>[],
  ): Promise<void> {
    const buffered = this.#send(topic, records)
    buffered.catch(() => {}) // who does not wait for it hears of it from the transaction
    return buffered
  }

  /**
   * Moves the consumer's group, when the transaction commits: past `lastRecord` and past whatever was given with it
   * (the same batch) before it, in all their partitions.
   *
   * @param consumer with `commit: 'manual'`
   * @throws {KafkaError} ILLEGAL_GENERATION when the partition was taken away from it: another member reads it by now
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

  /** What it can only be aborted for. @internal */
  get failure(): KafkaError | undefined {
    return this.#failure
  }

  /** @internal */
  get isOver(): boolean {
    return this.#isOver
  }

  /** The function has ended, or is not waited for any more. @internal */
  finish(): void {
    this.#isOver = true
  }

  /** @internal */
  fail(error: unknown): void {
    const cause = error instanceof PartialError ? error.cause : error
    this.#failure ??= this.#deps.requests.explained(cause) as KafkaError
    this.#deps.producer.discard(this.#failure)
  }

  /** Waits until all that was sent is written. @internal */
  async flush(call: Call): Promise<void> {
    await this.#deps.producer.flush({ signal: call.signal, timeoutMs: call.remainingMs })
    await Promise.all(this.#unsettled)
    this.#assertNotFailed()
  }

  /** It has failed: resolves when nothing of it is under way any more, so that its end comes last. @internal */
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

  /** May the partition be written now? If not, the producer is woken when it may. @internal */
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

  /** One request at a time, for all that are wanted by then. */
  async #add(): Promise<void> {
    const { requests, call, producer } = this.#deps
    try {
      while (this.#wanted.length > 0 && this.#failure === undefined) {
        await Promise.resolve() // what comes in one turn goes together
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

/** Resolves when its records are all in batches, or have failed. */
function taken(send: Send): Promise<void> {
  return new Promise((resolve) => (send.onTaken = resolve))
}
