// What a producer holds: sends (one call of `send` each), batches (what a broker gets as one), and the queues they
// wait in.
// Each record of a batch remembers its send, so that every caller gets the outcome of its own records.

import { BatchBuilder, lineAt, type Lines, type NewRecord } from '../../protocol/batch/build.ts'
import {
  BATCH_OVERHEAD_BYTES,
  position,
  putInt16,
  putInt32,
  putInt64,
  readBatchHeader,
  stampCrc,
} from '../../protocol/batch/header.ts'
import { sequenceAfter } from '../../protocol/batch/sequence.ts'
import { openRecords } from '../../protocol/batch/record.ts'
import type { Codec } from '../../protocol/compression/index.ts'
import { KafkaError } from '../../protocol/errors.ts'
import { rejection } from '../caller.ts'
import { Fifo } from '../fifo.ts'
import { PartialError } from '../partial-error.ts'
import { InFlight } from './in-flight.ts'
import { preparesToWrite } from '../preparation.ts'
import { SendPreparation } from './send-preparation.ts'
import { thrownText } from '../shown.ts'
import type { ProducerRecord, Topic, TopicPartition } from '../topic.ts'

/** The most records in one call of `send`. */
const RECORDS_MAX = 1_000_000

/** The place of a written record. */
export interface RecordAck {
  readonly topic: string
  readonly partition: number
  /** -1 with acks 0. */
  readonly offset: number
  /** ms since the epoch: the record's own, or the time of the append if the topic is configured so. */
  readonly timestamp: number
}

/** The producer id and epoch of an idempotent producer (KIP-98). Sequences count from 0 in each partition and epoch. */
export interface Identity {
  readonly producerId: number
  readonly epoch: number
  /** The producer's batches belong to transactions. */
  readonly isTransactional: boolean
}

/** The sends and partitions of one topic. */
export class TopicQueue {
  readonly name: string
  /** By partition number; only partitions that have had records. */
  readonly partitions: PartitionQueue[] = []
  /** Sends with records that are in no batch yet, for want of room or of metadata. */
  readonly waiting = new Fifo<Send>()
  /** The producer is asking for the topic's metadata. */
  isAskedFor = false
  /** The error of the last request for metadata. */
  lastError: KafkaError | undefined
  /** The partition of records without a key until its batch is closed; -1: not chosen yet. */
  stickyPartition = -1
  /** The producer's `batchBytes`, or less after a broker found a batch too large. */
  batchBytes: number
  /** Memory for each batch; undefined: as much as the partition's last batch took. */
  memoryBytes: number | undefined

  constructor(name: string, batchBytes: number) {
    this.name = name
    this.batchBytes = batchBytes
  }

  partition(number: number): PartitionQueue {
    return (this.partitions[number] ??= new PartitionQueue(this, number))
  }
}

/** The batches of one partition, from oldest to newest: in flight or to be retried, closed, open. */
export class PartitionQueue {
  readonly topic: TopicQueue
  readonly partition: number
  /** Takes new records. */
  open: Batch | undefined
  /** Full batches that were never sent. */
  readonly closed = new Fifo<Batch>()
  readonly inFlight = new InFlight()
  /** Batches to be sent again, in order: before any other, and once none is in flight. */
  readonly retries: Batch[] = []
  /** Monotonic ms until which the partition pauses after a failure. */
  blockedUntil = 0
  /** The identity that numbers the batches; undefined: the producer's. */
  identity: Identity | undefined
  nextSequence = 0
  /** The broker has lost the sequence: the unacknowledged batches get new numbers before any is sent. */
  mustRenumber = false
  /** Records ever put into a batch. */
  recordCount = 0
  /** Size of the last full batch: the expected size of the next. */
  bytesExpected = 1024

  constructor(topic: TopicQueue, partition: number) {
    this.topic = topic
    this.partition = partition
  }

  get where(): TopicPartition {
    return { topic: this.topic.name, partition: this.partition }
  }
}

/** One call of `send`. Some of its records may wait for room while others are acknowledged. */
export class Send {
  readonly topic: Topic
  readonly recordCount: number
  /** Monotonic ms of the call. */
  readonly since: number
  /** Index of the next record to go into a batch. */
  next = 0
  /** The look-ups of the topic's serdes; undefined if they never look anything up. */
  readonly preparation: SendPreparation | undefined
  /** Called when every record is in a batch or has failed. */
  onTaken: (() => void) | undefined
  readonly settled: Promise<RecordAck | RecordAck[]>
  /** Needed until every record is in a batch. */
  #records: ProducerRecord | readonly ProducerRecord[]
  readonly #isSingle: boolean
  /** Records of the send that are lines. */
  lines: Lines | undefined
  /** By index. Without acks it holds only the failures. */
  readonly #results: (RecordAck | KafkaError)[] = []
  readonly #wantsAcks: boolean
  /** The error of the first of its records that failed. */
  failure: KafkaError | undefined
  #unsettledCount: number
  #resolve!: (result: RecordAck | RecordAck[] | Promise<never>) => void

  /**
   * @param wantsAcks false: `settled` resolves to an empty array
   * @param lines take the place of `records`
   */
  constructor(
    topic: Topic,
    records: ProducerRecord | readonly ProducerRecord[],
    since: number,
    wantsAcks = true,
    lines?: Lines,
  ) {
    this.topic = topic
    this.preparation = preparesToWrite(topic) ? new SendPreparation(topic) : undefined
    this.since = since
    this.#records = records
    this.#isSingle = !Array.isArray(records)
    this.#wantsAcks = wantsAcks
    this.lines = lines
    this.recordCount = this.#isSingle ? 1 : lengthOf(lines?.ends ?? (records as readonly unknown[]))
    this.#unsettledCount = this.recordCount
    this.settled = new Promise((resolve) => {
      this.#resolve = resolve
    })
    if (this.recordCount === 0) this.#resolve([])
  }

  /** Names a record in messages. */
  recordText(index: number): string {
    return this.#isSingle ? this.topic.name : `${this.topic.name}: record ${index}`
  }

  recordAt(index: number): ProducerRecord {
    if (this.lines !== undefined) return { value: lineAt(this.lines, index) }
    return this.#isSingle
      ? (this.#records as ProducerRecord)
      : (this.#records as readonly ProducerRecord[])[index]!
  }

  /** Every record is in a batch: lets go of the user's objects. */
  forgetRecords(): void {
    this.#records = []
    this.lines = undefined
  }

  /** @param ackOf makes the ack of each record; its argument counts from `firstIndex` */
  acknowledge(firstIndex: number, recordCount: number, ackOf: (i: number) => RecordAck): void {
    if (this.#wantsAcks)
      for (let i = 0; i < recordCount; i++) this.#results[firstIndex + i] = ackOf(i)
    this.#settle(recordCount)
  }

  fail(index: number, error: KafkaError): void {
    this.failure ??= error
    this.#results[index] = error
    this.#settle(1)
  }

  /** Fails the records that are in no batch yet. */
  failRest(error: KafkaError): void {
    while (this.next < this.recordCount) this.fail(this.next++, error)
    this.onTaken?.()
  }

  #settle(recordCount: number): void {
    this.#unsettledCount -= recordCount
    if (this.#unsettledCount > 0) return
    const results = this.#results
    if (this.failure === undefined) {
      this.#resolve(this.#isSingle ? (results[0] as RecordAck) : (results as RecordAck[]))
      return
    }
    results.length = this.recordCount
    this.#resolve(rejection(this.#isSingle ? this.failure : new PartialError(results)))
  }
}

/** @throws {TypeError} for too many records, as of a sparse array: refusing each of them would take long */
function lengthOf(records: readonly unknown[]): number {
  const length = lengthIn(records)
  if (Number.isSafeInteger(length) && length >= 0 && length <= RECORDS_MAX) return length
  throw new TypeError(`producer.send: ${length} records in one call, at most ${RECORDS_MAX}`)
}

/** @throws {TypeError} for an array whose length cannot be read */
function lengthIn(records: readonly unknown[]): number {
  try {
    return records.length
  } catch (cause) {
    throw new TypeError(`producer.send: the records cannot be read: ${thrownText(cause)}`, {
      cause,
    })
  }
}

/** Consecutive records of one send in a batch. */
interface Part {
  readonly send: Send
  /** Index in the send. */
  readonly firstIndex: number
  recordCount: number
}

/** Records of one partition that are sent, retried and acknowledged together. */
export class Batch {
  readonly queue: PartitionQueue
  /** Monotonic ms. */
  readonly createdAt: number
  /** Monotonic ms of the `send` of its oldest record. */
  readonly since: number
  /** How many records of the partition came before it; batches are ordered by it. */
  readonly firstRecord: number
  /** Its share of the producer's buffer. */
  bytesReserved = 0
  /** How often it was sent. */
  attempts = 0
  /** Sequence of its first record; -1: not numbered yet. */
  baseSequence = -1
  /** The error of the last attempt. */
  lastError: KafkaError | undefined
  /** Called when all its records have an outcome. */
  onDone: (() => void) | undefined
  /** Send it although it is not full: its linger is over, or a flush runs. */
  isDue = false
  /** Its records have an outcome. A batch that timed out in flight keeps its place until its answer. */
  isSettled = false
  /** Its records, in order. */
  readonly #parts: Part[] = []
  #lastPart: Part | undefined
  readonly #timestamps: number[] = []
  #builder: BatchBuilder | undefined
  #bytes: Uint8Array | undefined
  /** The memory that `#bytes` is a view of. */
  #memory: Buffer | undefined

  constructor(
    queue: PartitionQueue,
    { createdAt, since }: Pick<Batch, 'createdAt' | 'since'>,
    firstRecord: number,
    memory: Buffer,
  ) {
    this.queue = queue
    this.createdAt = createdAt
    this.since = since
    this.firstRecord = firstRecord
    this.#builder = new BatchBuilder({ memory })
  }

  get recordCount(): number {
    return this.#timestamps.length
  }

  /** Size as sent once it is encoded; before that its size without compression. */
  get sizeBytes(): number {
    return this.#bytes?.length ?? this.#builder?.sizeBytes ?? BATCH_OVERHEAD_BYTES
  }

  add(send: Send, index: number, record: NewRecord): void {
    const builder = this.#builder!
    const before = builder.sizeBytes
    builder.append(record)
    this.bytesReserved += builder.sizeBytes - before
    this.#timestamps.push(record.timestamp)
    this.#note(send, index, 1)
  }

  /** Adds lines of the send, from its next one on, while they fit. @returns how many */
  addLines(send: Send, lines: Lines, timestamp: number): number {
    const builder = this.#builder!
    const before = builder.sizeBytes
    const index = send.next
    const count = builder.appendLines(lines, index, timestamp, this.queue.topic.batchBytes)
    this.bytesReserved += builder.sizeBytes - before
    for (let i = 0; i < count; i++) this.#timestamps.push(timestamp)
    if (count > 0) this.#note(send, index, count)
    return count
  }

  #note(send: Send, firstIndex: number, recordCount: number): void {
    const last = this.#lastPart
    if (last?.send === send && last.firstIndex + last.recordCount === firstIndex)
      last.recordCount += recordCount
    else this.#parts.push((this.#lastPart = { send, firstIndex, recordCount }))
  }

  /** Closes and numbers the batch. */
  encode(codec: Codec, identity: Identity | undefined, baseSequence: number): void {
    const options = {
      codec,
      producerId: identity?.producerId ?? -1,
      producerEpoch: identity?.epoch ?? -1,
      baseSequence,
      isTransactional: identity?.isTransactional ?? false,
    }
    this.baseSequence = baseSequence
    this.#memory = this.#builder!.memory
    this.#bytes = this.#builder!.finish(options)
    this.#builder = undefined
  }

  /** The encoded bytes: the same at every attempt, by which the broker recognises a repetition. */
  get bytes(): Uint8Array {
    return this.#bytes!
  }

  /** @returns the batch's memory; the caller knows that no socket needs the bytes any more */
  takeMemory(): Buffer | undefined {
    const memory = this.#memory
    this.#memory = this.#bytes = undefined
    return memory
  }

  /** Gives the batch new numbers, after a broker refused it under its old ones. */
  renumber(identity: Identity, baseSequence: number): void {
    const bytes = this.bytes
    this.baseSequence = baseSequence
    putInt64(bytes, position.producerId, identity.producerId)
    putInt16(bytes, position.producerEpoch, identity.epoch)
    putInt32(bytes, position.baseSequence, baseSequence)
    stampCrc(bytes, 0, bytes.length)
  }

  /**
   * Divides the records between two batches, each in order, which share the identity and the sequences. Neither may
   * be empty.
   */
  divide(
    codec: Codec,
    identity: Identity | undefined,
    isFirst: (index: number) => boolean,
  ): [Batch, Batch] {
    const firstCount = this.#timestamps.reduce((count, _, i) => count + (isFirst(i) ? 1 : 0), 0)
    const part = (firstRecord: number): Batch =>
      new Batch(this.queue, this, firstRecord, Buffer.allocUnsafe(this.sizeBytes))
    const first = part(this.firstRecord)
    const second = part(this.firstRecord + firstCount)
    const header = readBatchHeader(this.bytes)
    const cursor = openRecords(this.bytes, 0, header, { decompressedBytesMax: 0x7fffffff })
    let record = 0
    for (const { send, firstIndex, recordCount } of this.#parts) {
      for (let i = 0; i < recordCount && cursor.next(); i++) {
        const target = isFirst(record++) ? first : second
        target.add(send, firstIndex + i, cursor)
      }
    }
    const isNumbered = this.baseSequence >= 0
    first.encode(codec, identity, this.baseSequence)
    second.encode(codec, identity, isNumbered ? sequenceAfter(this.baseSequence, firstCount) : -1)
    first.bytesReserved = this.bytesReserved
    return [first, second]
  }

  /** @param logAppendTimeMs -1: the records keep their own times */
  acknowledge(baseOffset: number, logAppendTimeMs: number): void {
    if (this.isSettled) return
    this.isSettled = true
    const { partition } = this.queue
    const topic = this.queue.topic.name
    let before = 0
    const ackOf = (i: number): RecordAck => {
      const offset = baseOffset < 0 ? -1 : baseOffset + before + i
      const timestamp = logAppendTimeMs < 0 ? this.#timestamps[before + i]! : logAppendTimeMs
      return { topic, partition, offset, timestamp }
    }
    for (const { send, firstIndex, recordCount } of this.#parts) {
      send.acknowledge(firstIndex, recordCount, ackOf)
      before += recordCount
    }
  }

  fail(error: KafkaError): void {
    if (this.isSettled) return
    this.isSettled = true
    for (const { send, firstIndex, recordCount } of this.#parts)
      for (let i = 0; i < recordCount; i++) send.fail(firstIndex + i, error)
  }
}
