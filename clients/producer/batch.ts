// What a producer holds: sends (what a caller handed over in one call), batches (what goes to a broker as one),
// and the queues they wait in. Each record of a batch remembers its send: every caller hears of its own records.

import { BatchBuilder, type NewRecord } from '../../protocol/batch/build.ts'
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
import { preparesToWrite } from '../preparation.ts'
import { SendPreparation } from './send-preparation.ts'
import { thrownText } from '../shown.ts'
import type { ProducerRecord, Topic } from '../topic.ts'

/** Of one call of `send`. */
const RECORDS_MAX = 1_000_000

/** Where a record is. */
export interface RecordAck {
  readonly topic: string
  readonly partition: number
  /** -1 with acks 0. */
  readonly offset: number
  /** ms since the epoch: its own, or that of the append where the topic says so. */
  readonly timestamp: number
}

/** Who a record of an idempotent producer is from; its sequences count from 0 in each partition and epoch. */
export interface Identity {
  readonly producerId: number
  readonly epoch: number
  /** Its batches belong to transactions. */
  readonly isTransactional: boolean
}

/** The sends and partitions of one topic. */
export class TopicQueue {
  readonly name: string
  /** By partition number; those that had records. */
  readonly partitions: PartitionQueue[] = []
  /** Sends that are not wholly in batches, for want of room or of metadata. */
  readonly waiting = new Fifo<Send>()
  /** Somebody is finding out about the topic. */
  isAskedFor = false
  /** Why nobody has found out yet. */
  lastError: KafkaError | undefined
  /** Where records without a key go until that batch is closed; -1: to be chosen. */
  stickyPartition = -1
  /** The producer's, or less once a broker has found a batch too large. */
  batchBytes: number

  constructor(name: string, batchBytes: number) {
    this.name = name
    this.batchBytes = batchBytes
  }

  partition(number: number): PartitionQueue {
    return (this.partitions[number] ??= new PartitionQueue(this, number))
  }
}

/** The batches of one partition; oldest first these are those in flight or to be sent again, the closed, the open. */
export class PartitionQueue {
  readonly topic: TopicQueue
  readonly partition: number
  /** Being filled. */
  open: Batch | undefined
  /** Full, never sent. */
  readonly closed = new Fifo<Batch>()
  /** Under way, in order. */
  readonly inFlight: Batch[] = []
  /** To be sent again, in order, before anything else and once nothing is in flight. */
  readonly retries: Batch[] = []
  /** Monotonic ms until which nothing is sent: the pause after a failure. */
  blockedUntil = 0
  /** Under which batches are numbered; undefined: the producer's. */
  identity: Identity | undefined
  nextSequence = 0
  /** The broker has another count: number what is unacknowledged anew before anything is sent. */
  mustRenumber = false
  /** Ever put into a batch. */
  recordCount = 0
  /** Of the last full batch: what the next will take. */
  bytesExpected = 1024

  constructor(topic: TopicQueue, partition: number) {
    this.topic = topic
    this.partition = partition
  }
}

/** One call of `send`: some of its records may still wait for room, others be acknowledged. */
export class Send {
  readonly topic: Topic
  readonly recordCount: number
  /** Monotonic ms of the call. */
  readonly since: number
  /** Index of the next record to go into a batch. */
  next = 0
  /** Where a serde of the topic may have to look something up. */
  readonly preparation: SendPreparation | undefined
  /** Called once every record is in a batch, or has failed. */
  onTaken: (() => void) | undefined
  readonly settled: Promise<RecordAck | RecordAck[]>
  /** Until every record is in a batch. */
  #records: ProducerRecord | readonly ProducerRecord[]
  readonly #isSingle: boolean
  /** By index; of a send that wants no acks only those of failures. */
  readonly #results: (RecordAck | KafkaError)[] = []
  readonly #wantsAcks: boolean
  /** What the first of its records failed with. */
  failure: KafkaError | undefined
  #unsettledCount: number
  #resolve!: (result: RecordAck | RecordAck[] | Promise<never>) => void

  /** @param wantsAcks false: `settled` resolves to an empty array */
  constructor(
    topic: Topic,
    records: ProducerRecord | readonly ProducerRecord[],
    since: number,
    wantsAcks = true,
  ) {
    this.topic = topic
    this.preparation = preparesToWrite(topic) ? new SendPreparation(topic) : undefined
    this.since = since
    this.#records = records
    this.#isSingle = !Array.isArray(records)
    this.#wantsAcks = wantsAcks
    this.recordCount = this.#isSingle ? 1 : lengthOf(records as readonly ProducerRecord[])
    this.#unsettledCount = this.recordCount
    this.settled = new Promise((resolve) => {
      this.#resolve = resolve
    })
    if (this.recordCount === 0) this.#resolve([])
  }

  /** As messages name one of its records. */
  recordText(index: number): string {
    return this.#isSingle ? this.topic.name : `${this.topic.name}: record ${index}`
  }

  recordAt(index: number): ProducerRecord {
    return this.#isSingle
      ? (this.#records as ProducerRecord)
      : (this.#records as readonly ProducerRecord[])[index]!
  }

  /** Every record is in a batch: nobody reads the user's objects any more. */
  forgetRecords(): void {
    this.#records = []
  }

  /** @param ackOf makes the ack of each of these records, by its index among them */
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

  /** Fails what is in no batch yet. */
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

/** @throws {TypeError} for more than can be refused one by one in a moment, holes of a sparse array for instance */
function lengthOf(records: readonly unknown[]): number {
  const length = lengthIn(records)
  if (Number.isSafeInteger(length) && length >= 0 && length <= RECORDS_MAX) return length
  throw new TypeError(`producer.send: ${length} records in one call, at most ${RECORDS_MAX}`)
}

/** @throws {TypeError} for an array that does not let itself be looked at */
function lengthIn(records: readonly unknown[]): number {
  try {
    return records.length
  } catch (cause) {
    throw new TypeError(`producer.send: the records cannot be read: ${thrownText(cause)}`, {
      cause,
    })
  }
}

/** Records of one send that follow one another in a batch. */
interface Part {
  readonly send: Send
  /** In the send. */
  readonly firstIndex: number
  recordCount: number
}

/** Records of one partition that are sent, retried and acknowledged together. */
export class Batch {
  readonly queue: PartitionQueue
  /** Monotonic ms. */
  readonly createdAt: number
  /** Monotonic ms at which the oldest of its records was given to `send`. */
  readonly since: number
  /** How many records of the partition came before: what orders batches. */
  readonly firstRecord: number
  /** What its records count against the producer's buffer. */
  bytesReserved = 0
  /** Sent so often. */
  attempts = 0
  /** The first sequence, once numbered. */
  baseSequence = -1
  /** What the last attempt failed with. */
  lastError: KafkaError | undefined
  /** Called when all its records have been acknowledged or have failed. */
  onDone: (() => void) | undefined
  /** Its linger is over, or somebody flushes: send it as it is. */
  isDue = false
  /** Its records have their outcome. It may still be under way: out of time, it keeps its place until it is back. */
  isSettled = false
  /** Its records, in order. */
  readonly #parts: Part[] = []
  #lastPart: Part | undefined
  readonly #timestamps: number[] = []
  #builder: BatchBuilder | undefined
  #bytes: Uint8Array | undefined
  /** What `#bytes` are a view of, and nothing else. */
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

  /** As it is sent, once encoded; until then before compression. */
  get sizeBytes(): number {
    return this.#bytes?.length ?? this.#builder?.sizeBytes ?? BATCH_OVERHEAD_BYTES
  }

  add(send: Send, index: number, record: NewRecord): void {
    const builder = this.#builder!
    const before = builder.sizeBytes
    builder.append(record)
    this.bytesReserved += builder.sizeBytes - before
    this.#timestamps.push(record.timestamp)
    const last = this.#lastPart
    if (last?.send === send && last.firstIndex + last.recordCount === index) last.recordCount++
    else this.#parts.push((this.#lastPart = { send, firstIndex: index, recordCount: 1 }))
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

  /** Encoded bytes: the same at every attempt, which is how a broker knows a repetition. */
  get bytes(): Uint8Array {
    return this.#bytes!
  }

  /** @returns its memory, when nobody needs its bytes any more */
  takeMemory(): Buffer | undefined {
    const memory = this.#memory
    this.#memory = this.#bytes = undefined
    return memory
  }

  /** Numbers the batch anew: for a broker that has refused it under its old numbers. */
  renumber(identity: Identity, baseSequence: number): void {
    const bytes = this.bytes
    this.baseSequence = baseSequence
    putInt64(bytes, position.producerId, identity.producerId)
    putInt16(bytes, position.producerEpoch, identity.epoch)
    putInt32(bytes, position.baseSequence, baseSequence)
    stampCrc(bytes, 0, bytes.length)
  }

  /** Two batches of its records, each in order, with the same identity and sequences in all. Neither may be empty. */
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
