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
import { recordsOf } from '../../protocol/batch/record.ts'
import type { Codec } from '../../protocol/compression/index.ts'
import { KafkaError } from '../../protocol/errors.ts'
import { rejection } from '../caller.ts'
import { Fifo } from '../fifo.ts'
import { PartialError } from '../partial-error.ts'
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
  /** Called once every record is in a batch, or has failed. */
  onTaken: (() => void) | undefined
  readonly settled: Promise<RecordAck | RecordAck[]>
  readonly #records: ProducerRecord | readonly ProducerRecord[]
  /** By index; undefined for a single record, which needs none. */
  readonly #results: (RecordAck | KafkaError)[] | undefined
  /** What the first of its records failed with. */
  failure: KafkaError | undefined
  #unsettledCount: number
  #resolve!: (result: RecordAck | RecordAck[] | Promise<never>) => void

  constructor(topic: Topic, records: ProducerRecord | readonly ProducerRecord[], since: number) {
    this.topic = topic
    this.since = since
    this.#records = records
    this.#results = Array.isArray(records) ? [] : undefined
    this.recordCount = Array.isArray(records) ? lengthOf(records) : 1
    this.#unsettledCount = this.recordCount
    this.settled = new Promise((resolve) => {
      this.#resolve = resolve
    })
    if (this.recordCount === 0) this.#resolve([])
  }

  /** As messages name one of its records. */
  recordText(index: number): string {
    return this.#results === undefined ? this.topic.name : `${this.topic.name}: record ${index}`
  }

  recordAt(index: number): ProducerRecord {
    return this.#results === undefined
      ? (this.#records as ProducerRecord)
      : (this.#records as readonly ProducerRecord[])[index]!
  }

  acknowledge(index: number, ack: RecordAck): void {
    if (this.#results === undefined) return this.#resolve(ack)
    this.#results[index] = ack
    if (--this.#unsettledCount === 0) this.#finish(this.#results)
  }

  fail(index: number, error: KafkaError): void {
    this.failure ??= error
    if (this.#results === undefined) return this.#resolve(rejection(error))
    this.#results[index] = error
    if (--this.#unsettledCount === 0) this.#finish(this.#results)
  }

  /** Fails what is in no batch yet. */
  failRest(error: KafkaError): void {
    while (this.next < this.recordCount) this.fail(this.next++, error)
    this.onTaken?.()
  }

  #finish(results: readonly (RecordAck | KafkaError)[]): void {
    if (this.failure !== undefined) this.#resolve(rejection(new PartialError(results)))
    else this.#resolve(results as RecordAck[])
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
  readonly #sends: Send[] = []
  readonly #indexes: number[] = []
  readonly #timestamps: number[] = []
  #builder: BatchBuilder | undefined
  #bytes: Uint8Array | undefined

  constructor(
    queue: PartitionQueue,
    { createdAt, since }: Pick<Batch, 'createdAt' | 'since'>,
    firstRecord: number,
    bytesExpected: number,
  ) {
    this.queue = queue
    this.createdAt = createdAt
    this.since = since
    this.firstRecord = firstRecord
    this.#builder = new BatchBuilder({ bytesExpected })
  }

  get recordCount(): number {
    return this.#sends.length
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
    this.#sends.push(send)
    this.#indexes.push(index)
    this.#timestamps.push(record.timestamp)
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
    this.#bytes = this.#builder!.finish(options)
    this.#builder = undefined
  }

  /** Encoded bytes: the same at every attempt, which is how a broker knows a repetition. */
  get bytes(): Uint8Array {
    return this.#bytes!
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
    const firstCount = this.#sends.reduce((count, _, i) => count + (isFirst(i) ? 1 : 0), 0)
    const first = new Batch(this.queue, this, this.firstRecord, this.sizeBytes)
    const second = new Batch(this.queue, this, this.firstRecord + firstCount, this.sizeBytes)
    const header = readBatchHeader(this.bytes)
    let index = 0
    for (const view of recordsOf(this.bytes, 0, header, { decompressedBytesMax: 0x7fffffff })) {
      const { timestamp, key, value, headers } = view
      const target = isFirst(index) ? first : second
      target.add(this.#sends[index]!, this.#indexes[index]!, { timestamp, key, value, headers })
      index++
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
    for (let i = 0; i < this.#sends.length; i++) {
      const offset = baseOffset < 0 ? -1 : baseOffset + i
      const timestamp = logAppendTimeMs < 0 ? this.#timestamps[i]! : logAppendTimeMs
      this.#sends[i]!.acknowledge(this.#indexes[i]!, { topic, partition, offset, timestamp })
    }
  }

  fail(error: KafkaError): void {
    if (this.isSettled) return
    this.isSettled = true
    for (let i = 0; i < this.#sends.length; i++) this.#sends[i]!.fail(this.#indexes[i]!, error)
  }
}
