// ProducerState: one partition's memory of its producers, by which it recognises repeated batches, finds gaps, and
// knows the open transactions. Kafka's rules (KIP-98, KIP-360), by batch headers alone. Writer thread.
// A staged batch counts at once; all staged ones are kept or dropped together. On disk:
// docs/formats/producer-state.md

import { NO_SEQUENCE, sequenceAfter } from '../../protocol/batch/sequence.ts'
import type { ErrorName } from '../../protocol/errors.ts'
import type { PlacedMarker, Replayed, SequencedBatch } from './producer-batch.ts'
import type { TxnEntry } from '../segment/txn-index.ts'
import type { TxnMarker, ProducerInfo } from '../log-facts.ts'

/** How many batches of a producer are remembered, and recognised when they come again. */
const WINDOW = 5
/** How often to look for producers that have long been silent. */
const EXPIRY_CHECK_MS = 600_000
/** The most unknown producers whose first batch may wait for room at the same time. */
const AWAITED_MAX = 10_000
/** No open transaction. */
const NONE = -1

export interface ProducerLimits {
  /** A producer that has not written for this long, and has no open transaction, is forgotten. */
  readonly expirationMs: number
  /**
   * The most producers to remember: the one that has been silent longest is forgotten first, but none with an open
   * transaction.
   */
  readonly producersMax: number
}

export const defaultProducerLimits: ProducerLimits = {
  expirationMs: 86_400_000,
  producersMax: 100_000,
}

type FirstBatch = Pick<SequencedBatch, 'producerId' | 'producerEpoch' | 'firstSequence'>

export type KeptBatch = Pick<
  SequencedBatch,
  'firstSequence' | 'lastSequence' | 'baseOffset' | 'lastOffset' | 'timestampMs'
>

/** Replaced by a new object with each batch. */
export interface Producer {
  readonly producerEpoch: number
  /** Its last batches in this epoch, oldest first. */
  readonly batches: readonly KeptBatch[]
  /** Coordinator epoch of its last marker; -1: none. */
  readonly coordinatorEpoch: number
  /** Timestamp of its last batch or marker. */
  readonly timestampMs: number
  /** First offset of its open transaction; -1: none. */
  readonly txnFirstOffset: number
  /** Time of its last batch by the broker's clock, because the producer chooses the timestamps. */
  seenMs: number
}

export interface ProducerRefusal {
  readonly error: ErrorName
  readonly message: string
}

export class ProducerState {
  readonly #limits: ProducerLimits
  readonly #producers: Map<number, Producer>
  /** Producer id -> first offset of its open transaction; ascending. */
  readonly #open = new Map<number, number>()
  /** Transactions ended by markers that may not be durable yet; ascending by marker. */
  #ended: TxnEntry[] = []
  readonly #staged = {
    producers: new Map<number, Producer>(),
    ended: [] as TxnEntry[],
    /** The first batches of producers that were unknown. */
    first: [] as SequencedBatch[],
  }
  /** By producer id, for unknown producers: the first batch that found no room. */
  readonly #awaited = new Map<number, FirstBatch>()
  #nextExpiryMs = 0

  constructor(limits: ProducerLimits, producers: Iterable<readonly [number, Producer]> = []) {
    this.#limits = limits
    this.#producers = new Map(producers)
    this.#noteOpened(this.#producers)
  }

  get isEmpty(): boolean {
    return this.#producers.size === 0
  }

  entries(): Iterable<[producerId: number, Producer]> {
    return this.#producers.entries()
  }

  /** The producers without staged batches. */
  describe(): ProducerInfo[] {
    return Array.from(this.#producers, ([producerId, producer]) => ({
      producerId,
      producerEpoch: producer.producerEpoch,
      lastSequence: lastSequenceOf(producer),
      lastTimestampMs: producer.timestampMs,
      coordinatorEpoch: producer.coordinatorEpoch,
      currentTxnStartOffset: producer.txnFirstOffset,
    }))
  }

  /**
   * Checks a batch, and stages it if the log may take it.
   *
   * @param isTransactionV2 as in `Append`
   * @returns undefined when it was staged; the batch that it repeats, which may itself be staged; or the reason of
   *   the refusal
   */
  take(batch: SequencedBatch, isTransactionV2 = false): KeptBatch | ProducerRefusal | undefined {
    const producer = this.#find(batch.producerId)
    const verdict = producer
      ? verdictOn(batch, producer)
      : this.#verdictOnUnknown(batch, isTransactionV2)
    if (!verdict) this.#stage(batch, producer)
    return verdict
  }

  /**
   * Retention or a long silence may have removed the producer's memory: any sequence will do. But in
   * `transaction.version` 2 (KIP-890) each transaction has its own epoch, and the log never forgets an open one.
   */
  #verdictOnUnknown(
    { producerId, producerEpoch, firstSequence }: SequencedBatch,
    isTransactionV2: boolean,
  ): ProducerRefusal | undefined {
    if (isTransactionV2 && firstSequence !== 0) {
      const message = `sequence ${firstSequence} of producer ${producerId}, which is not known here, is not 0`
      return { error: 'OUT_OF_ORDER_SEQUENCE_NUMBER', message }
    }
    const awaited = this.#awaited.get(producerId)
    if (awaited?.producerEpoch !== producerEpoch || firstSequence <= awaited.firstSequence) {
      return undefined
    }
    const message = `sequence ${firstSequence} of producer ${producerId} was sent behind ${awaited.firstSequence}, which found no room`
    return { error: 'OUT_OF_ORDER_SEQUENCE_NUMBER', message }
  }

  /** The batch found no room: no later batch of the producer may be written before it. */
  turnAway(batch: FirstBatch): void {
    const { producerId, producerEpoch, firstSequence } = batch
    if (this.#producers.has(producerId)) return // the producer's sequence already guards it
    const known = this.#awaited.get(producerId)
    if (known?.producerEpoch === producerEpoch && known.firstSequence <= firstSequence) return
    if (this.#awaited.size >= AWAITED_MAX) this.#awaited.clear()
    this.#awaited.set(producerId, { producerId, producerEpoch, firstSequence })
  }

  /** @returns the reason why the log refuses this marker; undefined: it does not */
  refusalOfMarker(marker: TxnMarker): ProducerRefusal | undefined {
    const producer = this.#find(marker.producerId)
    if (!producer) return undefined
    if (marker.producerEpoch < producer.producerEpoch) return staleEpoch(marker, producer)
    const isOpen = producer.txnFirstOffset !== NONE
    if (marker.isTransactionV2 && isOpen && marker.producerEpoch === producer.producerEpoch) {
      const message = `epoch ${marker.producerEpoch} of producer ${marker.producerId} is that of the open transaction, not a newer one`
      return { error: 'INVALID_PRODUCER_EPOCH', message }
    }
    if (marker.coordinatorEpoch < producer.coordinatorEpoch) {
      const message = `coordinator epoch ${marker.coordinatorEpoch} is older than ${producer.coordinatorEpoch}`
      return { error: 'TRANSACTION_COORDINATOR_FENCED', message }
    }
    return undefined
  }

  #stage(batch: SequencedBatch, producer: Producer | undefined): void {
    if (!producer) this.#staged.first.push(batch)
    const known = producer?.producerEpoch === batch.producerEpoch ? producer.batches : []
    const opened = batch.isTransactional ? batch.baseOffset : NONE
    const txnFirstOffset = producer?.txnFirstOffset ?? NONE
    this.#staged.producers.set(batch.producerId, {
      producerEpoch: batch.producerEpoch,
      batches: batch.firstSequence === NO_SEQUENCE ? known : withBatch(known, batch),
      coordinatorEpoch: producer?.coordinatorEpoch ?? -1,
      timestampMs: batch.timestampMs,
      txnFirstOffset: txnFirstOffset === NONE ? opened : txnFirstOffset,
      seenMs: 0,
    })
  }

  /**
   * The marker has its place in the log. The caller has checked it.
   *
   * @returns undefined when no transaction was open: the marker then ends none
   */
  stageMarker({
    producerId,
    producerEpoch,
    coordinatorEpoch,
    offset,
    timestampMs,
  }: PlacedMarker): TxnEntry | undefined {
    const producer = this.#find(producerId)
    const isSameEpoch = producer?.producerEpoch === producerEpoch
    this.#staged.producers.set(producerId, {
      producerEpoch,
      batches: isSameEpoch ? producer.batches : [],
      coordinatorEpoch,
      timestampMs,
      txnFirstOffset: NONE,
      seenMs: 0,
    })
    const firstOffset = producer?.txnFirstOffset ?? NONE
    if (firstOffset === NONE) return undefined
    const lastStableOffset = Math.min(this.#oldestOpenOffset(), offset + 1)
    const ended = { producerId, firstOffset, lastOffset: offset, lastStableOffset }
    this.#staged.ended.push(ended)
    return ended
  }

  /** Takes in a batch that is already in the log. @returns the transaction that it aborts, if any */
  replay({ sequenced, marker }: Replayed, nowMs: number): TxnEntry | undefined {
    if (sequenced) this.#stage(sequenced, this.#find(sequenced.producerId))
    const ended = marker && this.stageMarker(marker)
    this.keep(nowMs)
    this.#ended = []
    return marker?.isCommit ? undefined : ended
  }

  /** The staged batches are in the log. @param nowMs by the broker's clock */
  keep(nowMs: number): void {
    const { producers, ended } = this.#staged
    if (producers.size === 0) return
    for (const [id, producer] of producers) {
      producer.seenMs = nowMs
      this.#producers.set(id, producer)
      if (this.#awaited.size > 0) this.#awaited.delete(id)
      const wasOpen = this.#open.get(id)
      if (wasOpen !== undefined && wasOpen !== producer.txnFirstOffset) this.#open.delete(id)
    }
    this.#noteOpened(producers)
    this.#ended.push(...ended)
    this.#clearStaged()
    if (nowMs >= this.#nextExpiryMs) this.expire(nowMs)
    else if (this.#producers.size > this.#limits.producersMax) this.#forgetOldest()
  }

  /** The staged batches are not in the log: there was no room for them. */
  drop(): void {
    for (const batch of this.#staged.first) this.turnAway(batch)
    this.#clearStaged()
  }

  #clearStaged(): void {
    this.#staged.producers.clear()
    this.#staged.ended = []
    this.#staged.first = []
  }

  /**
   * First offset of the oldest transaction whose end is not final, staged batches aside.
   *
   * @param highWatermark markers from here on may still be lost
   * @returns at most the high watermark
   */
  lastStableOffset(highWatermark: number): number {
    if (this.#ended.length > 0) {
      this.#ended = this.#ended.filter(({ lastOffset }) => lastOffset >= highWatermark)
    }
    let offset = highWatermark
    for (const firstOffset of this.#open.values()) {
      offset = Math.min(offset, firstOffset)
      break // later ones are higher
    }
    for (const { firstOffset } of this.#ended) offset = Math.min(offset, firstOffset)
    return offset
  }

  /** Forgets producers that have long been silent. */
  expire(nowMs: number): void {
    this.#nextExpiryMs = nowMs + EXPIRY_CHECK_MS
    const { expirationMs, producersMax } = this.#limits
    for (const [id, { seenMs, txnFirstOffset }] of this.#producers) {
      if (txnFirstOffset === NONE && nowMs - seenMs >= expirationMs) this.#producers.delete(id)
    }
    if (this.#producers.size > producersMax) this.#forgetOldest()
  }

  /** Forgets a tenth more than necessary, so that it does not run for every new producer. */
  #forgetOldest(): void {
    const count = this.#producers.size - Math.floor(this.#limits.producersMax * 0.9)
    const idle = [...this.#producers].filter(([, { txnFirstOffset }]) => txnFirstOffset === NONE)
    idle.sort(([, a], [, b]) => a.seenMs - b.seenMs)
    for (const [id] of idle.slice(0, count)) this.#producers.delete(id)
  }

  #find(producerId: number): Producer | undefined {
    const { producers } = this.#staged
    const staged = producers.size > 0 ? producers.get(producerId) : undefined
    return staged ?? this.#producers.get(producerId)
  }

  /** Includes staged ones. */
  #oldestOpenOffset(): number {
    const { producers } = this.#staged
    let oldest = Infinity
    for (const [id, firstOffset] of this.#open) {
      if ((producers.get(id)?.txnFirstOffset ?? firstOffset) !== firstOffset) continue
      oldest = firstOffset
      break // later ones are higher
    }
    for (const { txnFirstOffset } of producers.values()) {
      if (txnFirstOffset !== NONE) oldest = Math.min(oldest, txnFirstOffset)
    }
    return oldest
  }

  #noteOpened(producers: ReadonlyMap<number, Producer>): void {
    const opened: [id: number, firstOffset: number][] = []
    for (const [id, { txnFirstOffset }] of producers) {
      if (txnFirstOffset !== NONE && !this.#open.has(id)) opened.push([id, txnFirstOffset])
    }
    opened.sort(([, a], [, b]) => a - b)
    for (const [id, firstOffset] of opened) this.#open.set(id, firstOffset)
  }
}

/** @returns the reason to refuse a batch of a known producer; undefined: there is none */
function verdictOn(
  batch: SequencedBatch,
  producer: Producer,
): KeptBatch | ProducerRefusal | undefined {
  const { producerId, producerEpoch, firstSequence } = batch
  if (producerEpoch < producer.producerEpoch) return staleEpoch(batch, producer)
  if (firstSequence === NO_SEQUENCE) return undefined
  const isNewEpoch = producerEpoch > producer.producerEpoch
  const lastSequence = isNewEpoch ? NO_SEQUENCE : lastSequenceOf(producer)
  if (firstSequence !== sequenceAfter(lastSequence, 1)) {
    const copied = isNewEpoch ? undefined : copiedBy(batch, producer)
    if (copied) return copied
    const after = isNewEpoch ? `the start of epoch ${producerEpoch}` : String(lastSequence)
    const message = `sequence ${firstSequence} of producer ${producerId} does not follow ${after}`
    return { error: 'OUT_OF_ORDER_SEQUENCE_NUMBER', message }
  }
  if (producer.txnFirstOffset !== NONE && !batch.isTransactional) {
    const message = `producer ${producerId} has a transaction open, and this batch is outside it`
    return { error: 'INVALID_TXN_STATE', message }
  }
  return undefined
}

function copiedBy(batch: SequencedBatch, { batches }: Producer): KeptBatch | undefined {
  return batches.find(
    ({ firstSequence, lastSequence }) =>
      firstSequence === batch.firstSequence && lastSequence === batch.lastSequence,
  )
}

/** Hot path: a literal is several times faster than a slice. */
function withBatch(known: readonly KeptBatch[], batch: SequencedBatch): readonly KeptBatch[] {
  if (known.length < WINDOW) return [...known, batch]
  return [known[1]!, known[2]!, known[3]!, known[4]!, batch]
}

function lastSequenceOf({ batches }: Producer): number {
  return batches.at(-1)?.lastSequence ?? NO_SEQUENCE
}

function staleEpoch(
  { producerId, producerEpoch }: { readonly producerId: number; readonly producerEpoch: number },
  producer: Producer,
): ProducerRefusal {
  const message = `epoch ${producerEpoch} of producer ${producerId} is older than ${producer.producerEpoch}`
  return { error: 'INVALID_PRODUCER_EPOCH', message }
}
