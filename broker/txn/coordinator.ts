// TransactionCoordinator: every transactional id of this broker, from the epoch of its producer to the end of its
// transaction everywhere. Network thread; knows no sockets and no wire format. Its answers are durable, or follow
// from durable state.
// A decided transaction (Prepare...) whose markers could not all be written is finished at the next request of its
// producer, the next sweep or the next start.
// Source: KIP-98, KIP-360, KIP-890; docs/formats/transactions.md

import type { ErrorName } from '../../protocol/errors.ts'
import type { Clock, Timer } from '../../storage/clock.ts'
import type { ConfigTable, ConfigView } from '../config-view.ts'
import {
  offsetsPartition,
  type EndRequest,
  type InitRequest,
  type ProducerIdentity,
  type ProducerRequest,
  type TopicPartitions,
  type TransactionRecord,
  type TransactionResult,
} from './messages.ts'
import { TransactionalId } from './transactional-id.ts'
import {
  added,
  completed,
  decideEnd,
  initialised,
  isEnding,
  isExhausted,
  isInitRepeated,
  newRecord,
  prepared,
  refusalOfInit,
  refusalOfOlder,
  refusalOfProducer,
} from './transitions.ts'

/** The table of transactional ids, in __transaction_state. */
export interface TransactionTable {
  entries(): Iterable<[transactionalId: string, record: TransactionRecord]>
  /** In call order; undefined deletes. Resolves when durable, or with the error that prevents it. */
  put(
    transactionalId: string,
    record: TransactionRecord | undefined,
  ): Promise<ErrorName | undefined>
}

/**
 * Writes the markers of an ended transaction into the logs of the record's partitions; may write them twice. Durable when it
 * resolves.
 *
 * @returns the partitions whose log refused for now
 */
export type WriteMarkers = (record: TransactionRecord) => Promise<readonly TopicPartitions[]>

export const transactionConfigs = {
  timeoutMsMax: 'transaction.max.timeout.ms',
  timeoutCheckMs: 'transaction.abort.timed.out.transaction.cleanup.interval.ms',
  idExpirationMs: 'transactional.id.expiration.ms',
  idExpirationCheckMs: 'transaction.remove.expired.transaction.cleanup.interval.ms',
} as const satisfies ConfigTable

export type TransactionConfig = ConfigView<typeof transactionConfigs>

export interface TransactionCoordinatorDeps {
  readonly clock: Clock
  readonly table: TransactionTable
  readonly writeMarkers: WriteMarkers
  /** An id that was never given out, or the error that prevents it. */
  readonly newProducerId: () => Promise<number | ErrorName>
  readonly config: TransactionConfig
  readonly onEnd: (result: TransactionResult) => void
}

/** An error, or the producer's identity from now on. */
export type ProducerAnswer = ErrorName | ProducerIdentity

export class TransactionCoordinator {
  readonly #deps: TransactionCoordinatorDeps
  readonly #ids = new Map<string, TransactionalId>()
  readonly #timers: Timer[]

  constructor(deps: TransactionCoordinatorDeps) {
    this.#deps = deps
    for (const [id, record] of deps.table.entries()) this.#add(id, record)
    const { timeoutCheckMs, idExpirationCheckMs } = deps.config
    this.#timers = [
      this.#every(0, timeoutCheckMs, () => this.sweep()),
      this.#every(1, idExpirationCheckMs, () => this.expire()),
    ]
  }

  /** InitProducerId: fences the producer that had the transactional id before, and aborts its open transaction. */
  async initProducer(request: InitRequest): Promise<ProducerAnswer> {
    const { transactionalId, timeoutMs } = request
    if (transactionalId === '') return 'INVALID_REQUEST'
    if (timeoutMs <= 0 || timeoutMs > this.#deps.config.timeoutMsMax) {
      return 'INVALID_TRANSACTION_TIMEOUT'
    }
    if (!this.#ids.has(transactionalId)) {
      const producerId = await this.#deps.newProducerId()
      if (typeof producerId === 'string') return producerId
      this.#add(transactionalId, newRecord(producerId, this.#deps.clock.now()))
    }
    const id = this.#ids.get(transactionalId)!
    return id.inTurn(() => (id.isDead ? this.initProducer(request) : this.#init(id, request)))
  }

  /** AddPartitionsToTxn, AddOffsetsToTxn, and the additions that newer clients leave to Produce (KIP-890). */
  add(
    request: ProducerRequest,
    partitions: readonly TopicPartitions[],
  ): Promise<ErrorName | undefined> {
    return this.#ofProducer(request, (id) => this.#extend(id, partitions))
  }

  /**
   * TxnOffsetCommit: `write` stores the pending offsets, while the transaction can neither end nor time out.
   *
   * @param isImplicit the offsets join the transaction by this request (KIP-890); otherwise they must have been added
   */
  commitOffsets(
    request: ProducerRequest,
    isImplicit: boolean,
    write: () => Promise<ErrorName | undefined>,
  ): Promise<ErrorName | undefined> {
    return this.#ofProducer(request, async (id) => {
      const { topic, partitions } = offsetsPartition
      const isMember = id.includes(topic, partitions[0]!)
      if (!isMember && !isImplicit) return 'INVALID_TXN_STATE'
      const error = isMember ? undefined : await this.#extend(id, [offsetsPartition])
      return error ?? write()
    })
  }

  /** EndTxn. The decision is durable when it resolves, and all markers are written unless a disk refused one. */
  async end(request: EndRequest): Promise<ProducerAnswer> {
    return this.#inTurn(request, async (id) => {
      const decision = decideEnd(id.record, request)
      if (decision === 'repeat') return identityOf(id.record)
      if (decision !== 'end') return decision
      const { isCommit, bumpsEpoch } = request
      const error = await this.#end(
        id,
        isCommit,
        bumpsEpoch ? 'bumped' : 'kept',
        isCommit ? 'commit' : 'abort',
      )
      return error ?? identityOf(id.record)
    })
  }

  /**
   * Aborts a producer's open transaction for an administrator, if it is a transaction of this coordinator.
   *
   * @param isOlder the transaction's epoch is older than the given one (KIP-1228)
   * @returns 'unknown' when no transactional id has this transaction open
   */
  async abort(
    producer: ProducerIdentity,
    isOlder = false,
  ): Promise<ErrorName | 'unknown' | undefined> {
    for (const id of this.#ids.values()) {
      if (id.record.producerId !== producer.producerId) continue
      return id.inTurn(async () => {
        if (id.record.state !== 'Ongoing') return 'unknown'
        const refusal = isOlder
          ? refusalOfOlder(id.record, producer)
          : refusalOfProducer(id.record, producer)
        return refusal ?? this.#end(id, false, 'bumped', 'abort')
      })
    }
    return 'unknown'
  }

  get(transactionalId: string): TransactionalId | undefined {
    return this.#ids.get(transactionalId)
  }

  list(): Iterable<TransactionalId> {
    return this.#ids.values()
  }

  /** Aborts overdue transactions, and finishes decided ones that a crash or a full disk interrupted. */
  async sweep(): Promise<void> {
    const nowMs = this.#deps.clock.now()
    const due = [...this.#ids.values()].filter(
      ({ record }) => isEnding(record) || isOverdue(record, nowMs),
    )
    await Promise.all(
      due.map((id) =>
        id.inTurn(async () => {
          await this.#finish(id)
          if (isOverdue(id.record, nowMs)) await this.#end(id, false, 'bumped', 'timeout')
        }),
      ),
    )
  }

  /** Forgets transactional ids that no producer has used for `idExpirationMs`. */
  async expire(): Promise<void> {
    const beforeMs = this.#deps.clock.now() - this.#deps.config.idExpirationMs
    for (const id of this.#ids.values()) {
      if (id.isBusy || id.isOpen || id.record.updateMs > beforeMs) continue
      await id.inTurn(async () => {
        if (id.isOpen || id.record.updateMs > beforeMs) return
        const error = await this.#deps.table.put(id.id, undefined)
        if (error !== undefined) return
        id.isDead = true
        this.#ids.delete(id.id)
      })
    }
  }

  close(): void {
    for (const timer of this.#timers) timer.cancel()
  }

  async #init(id: TransactionalId, request: InitRequest): Promise<ProducerAnswer> {
    await this.#finish(id)
    if (isEnding(id.record)) return 'CONCURRENT_TRANSACTIONS'
    if (isInitRepeated(id.record, request)) return identityOf(id.record)
    const refusal = refusalOfInit(id.record, request)
    if (refusal !== undefined) return refusal
    if (id.record.state === 'Ongoing') {
      const error = await this.#end(id, false, 'fenced', 'fenced')
      if (error !== undefined) return error
      if (isEnding(id.record)) return 'CONCURRENT_TRANSACTIONS'
    }
    const nextProducerId = isExhausted(id.record) ? await this.#deps.newProducerId() : null
    if (typeof nextProducerId === 'string') return nextProducerId
    const next = initialised(id.record, request, nextProducerId, this.#deps.clock.now())
    return (await this.#keep(id, next)) ?? identityOf(next)
  }

  #ofProducer(
    request: ProducerRequest,
    act: (id: TransactionalId) => Promise<ErrorName | undefined>,
  ): Promise<ErrorName | undefined> {
    return this.#inTurn(request, async (id) => {
      const refusal = refusalOfProducer(id.record, request)
      if (refusal !== undefined) return refusal
      return isEnding(id.record) ? 'CONCURRENT_TRANSACTIONS' : act(id)
    })
  }

  /** Runs after the id's earlier requests, and after its decided transaction is finished, if the disk allows. */
  async #inTurn<Answer>(
    { transactionalId }: ProducerRequest,
    act: (id: TransactionalId) => Promise<Answer>,
  ): Promise<Answer | ErrorName> {
    const id = this.#ids.get(transactionalId)
    if (id === undefined) return 'INVALID_PRODUCER_ID_MAPPING'
    return id.inTurn(async () => {
      if (id.isDead) return 'INVALID_PRODUCER_ID_MAPPING'
      await this.#finish(id)
      return act(id)
    })
  }

  async #extend(
    id: TransactionalId,
    partitions: readonly TopicPartitions[],
  ): Promise<ErrorName | undefined> {
    const next = added(id.record, partitions, this.#deps.clock.now())
    return next === id.record ? undefined : this.#keep(id, next)
  }

  /** Keeps the decision, then writes the markers. @returns undefined once the decision is durable */
  async #end(
    id: TransactionalId,
    isCommit: boolean,
    epoch: 'kept' | 'bumped' | 'fenced',
    result: TransactionResult,
  ): Promise<ErrorName | undefined> {
    const { record } = id
    const isUsedUp = epoch === 'bumped' && isExhausted(record)
    const nextProducerId = isUsedUp ? await this.#deps.newProducerId() : null
    if (typeof nextProducerId === 'string') return nextProducerId
    const nowMs = this.#deps.clock.now()
    const decided = prepared(record, isCommit, epoch, nextProducerId, nowMs)
    if (record.state !== 'Ongoing') return this.#keep(id, completed(decided, nowMs)) // no partition needs a marker
    const error = await this.#keep(id, decided)
    if (error !== undefined) return error
    this.#deps.onEnd(result)
    await this.#finish(id)
    return undefined
  }

  /** Writes the markers of a decided transaction. Those that a log refuses are written at the next attempt: see `sweep`. */
  async #finish(id: TransactionalId): Promise<void> {
    if (!isEnding(id.record)) return
    const { writeMarkers, clock } = this.#deps
    const { record } = id
    const partitions = await writeMarkers(record)
    id.record = { ...record, partitions } // on disk it still names all of them: a restart writes their markers again
    if (partitions.length > 0) return
    id.record = completed(id.record, clock.now())
    // Nothing waits for it: until it is durable, a restart writes all markers again, and the producer's next records
    // lie behind them in the same log.
    void this.#deps.table.put(id.id, id.record)
  }

  async #keep(id: TransactionalId, record: TransactionRecord): Promise<ErrorName | undefined> {
    const error = await this.#deps.table.put(id.id, record)
    if (error === undefined) id.record = record
    return error
  }

  #add(id: string, record: TransactionRecord): void {
    if (!this.#ids.has(id)) this.#ids.set(id, new TransactionalId(id, record))
  }

  #every(index: number, delayMs: number, act: () => Promise<void>): Timer {
    return this.#deps.clock.after(delayMs, () => {
      this.#timers[index] = this.#every(index, delayMs, act)
      void act() // the next attempt repeats it
    })
  }
}

function isOverdue({ state, startMs, timeoutMs }: TransactionRecord, nowMs: number): boolean {
  return state === 'Ongoing' && startMs !== null && nowMs - startMs > timeoutMs
}

function identityOf({ producerId, producerEpoch }: TransactionRecord): ProducerIdentity {
  return { producerId, producerEpoch }
}
