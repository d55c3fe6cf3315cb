// Reading: a consumer's position in one partition, and the fetched bytes that it has not given yet.
// It opens batches lazily, record by record, and skips control batches and those of aborted transactions.

import {
  crcMatches,
  lastOffsetDeltaOf,
  baseOffsetOf,
  MAGIC,
  readBatchHeader,
  wholeBatchBytes,
} from '../../protocol/batch/header.ts'
import { openRecords, type RecordCursor } from '../../protocol/batch/record.ts'
import { KafkaError } from '../../protocol/errors.ts'
import { UUID_ZERO, type Uuid } from '../../protocol/ids.ts'
import { AbortedTransactions, type AbortedTransaction } from './aborted.ts'
import { preparesToRead } from '../preparation.ts'
import { partitionText, type Topic, type TopicPartition } from '../topic.ts'

/** The most bytes that one compressed batch may decompress to. */
const BATCH_BYTES_MAX = 1024 * 1024 * 1024

export class Reading {
  readonly topic: Topic
  readonly partition: number
  /** A serde of the topic may have to look something up before it reads a record. */
  readonly isPrepared: boolean
  /** Offset of the next record to give. */
  position: number
  /** Offset of the next fetch: ahead of `position` by the buffered records. */
  fetchOffset: number
  /** Offset at which the partition ends for the reader (exclusive). */
  stopOffset = Infinity
  /** Offset after the last readable record, by the last response; -1: no response yet. */
  endOffset = -1
  isPaused = false
  /** How many of its records `HeldRecords` keeps: it gives those before any other. */
  heldCount = 0
  /** The partition is in the fetcher's line of partitions with records. */
  isInLine = false
  /** Monotonic ms of the last response with records. */
  lastGaveAt = 0
  /** Monotonic ms of the last response. */
  heardAt = 0
  /** Id of the topic to which the position belongs; `UUID_ZERO` if the cluster does not tell ids. */
  topicId: Uuid
  /** `fetchOffset` is not in the log: once the buffered records are read, the fetcher looks up a new one. */
  isOutOfRange = false
  /** The fetcher is looking up a new offset, and fetches nothing meanwhile. */
  isResetting = false
  /** The fetcher is refreshing the topic's metadata, and fetches nothing meanwhile. */
  isRefreshing = false
  /** Monotonic ms until which the fetcher pauses after a failure. */
  blockedUntil = 0
  /** Failures in a row. */
  failures = 0
  /** Monotonic ms of the first of these failures. */
  failingSince = 0
  /** Monotonic ms of the first response that did not know the partition. */
  missingSince: number | undefined
  /** The error that the reader gets before the next fetch. */
  error: KafkaError | undefined
  /** Rises whenever the position is changed from outside: responses to older requests are then useless. */
  generation = 0
  /** Stands at the record of the last `next()`. */
  cursor: RecordCursor | undefined
  readonly #chunks: Chunk[] = []
  /** The offsets between which a fetch found no record: see `stepOverHole`. */
  #holeStart = -1
  #holeEnd = -1
  #released = new AbortController()

  constructor(topic: Topic, partition: number, position: number, topicId: Uuid = UUID_ZERO) {
    this.topic = topic
    this.partition = partition
    this.isPrepared = preparesToRead(topic)
    this.topicId = topicId
    this.position = position
    this.fetchOffset = position
  }

  get where(): TopicPartition {
    return { topic: this.topic.name, partition: this.partition }
  }

  /** Has the topic been deleted and recreated with this id? The position then means nothing in it. */
  isOfFormer(id: Uuid | undefined): boolean {
    if (id === this.topicId || id === undefined || id === UUID_ZERO) return false
    return this.topicId !== UUID_ZERO
  }

  /** Starts in the topic with this id, and aborts the handling of the deleted topic's records. */
  moveTo(topicId: Uuid): void {
    this.topicId = topicId
    this.missingSince = undefined
    this.endOffset = -1
    this.#released.abort()
    this.#released = new AbortController()
  }

  /** Aborted when the consumer closes, or loses the partition. */
  get signal(): AbortSignal {
    return this.#released.signal
  }

  release(): void {
    this.#released.abort()
  }

  get hasChunks(): boolean {
    return this.#chunks.length > 0
  }

  get bytesBuffered(): number {
    return this.#chunks.reduce((sum, { bytes }) => sum + bytes.length, 0)
  }

  get isDone(): boolean {
    return this.position >= this.stopOffset && this.heldCount === 0
  }

  /** The partition gives no records now: it is paused or held. */
  get isStill(): boolean {
    return this.isPaused || this.heldCount > 0
  }

  /**
   * @param bytes given; whole batches, the last one may be cut
   * @param aborted transactions whose records the reader must not get
   * @returns bytes kept
   */
  push(bytes: Buffer, aborted: readonly AbortedTransaction[] = []): number {
    const nextOffset = offsetAfter(bytes)
    if (nextOffset === undefined) return 0
    this.fetchOffset = Math.max(this.fetchOffset, nextOffset)
    this.#chunks.push(new Chunk(bytes, aborted))
    return bytes.length
  }

  /**
   * Steps to the next record: `cursor` stands at it. @returns false when the first chunk is used up: see `dropChunk`
   */
  next(): boolean {
    const chunk = this.#chunks[0]
    if (chunk === undefined || this.isDone) return false
    this.cursor = chunk.next(this)
    if (this.cursor === undefined) return false
    if (this.cursor.offset < this.stopOffset) return true
    this.position = Math.max(this.position, this.stopOffset) // compaction has left no record in between
    return false
  }

  /**
   * Moves `fetchOffset` to `endOffset` after two empty responses in a row: compaction has removed all records
   * between. Without this the reader never reaches an end that lies there.
   */
  stepOverHole(): void {
    const isBehind = this.hasChunks || this.position !== this.fetchOffset
    if (isBehind || this.fetchOffset >= this.endOffset || this.stopOffset === Infinity) return
    const isSame = this.#holeEnd === this.endOffset && this.#holeStart === this.fetchOffset
    this.#holeStart = this.fetchOffset
    this.#holeEnd = this.endOffset
    if (isSame) this.position = this.fetchOffset = Math.min(this.endOffset, this.stopOffset)
  }

  /** @returns the chunk's bytes */
  dropChunk(): number {
    return this.#chunks.shift()?.bytes.length ?? 0
  }

  /** Moves the position. @returns bytes dropped */
  seek(offset: number): number {
    this.position = offset
    this.fetchOffset = offset
    this.error = undefined
    this.generation++
    const bytesDropped = this.bytesBuffered
    this.#chunks.length = 0
    return bytesDropped
  }
}

/** The bytes of one partition from one fetch. */
class Chunk {
  readonly bytes: Buffer
  readonly #aborted: AbortedTransactions
  #at = 0
  /** The cursor of the batch that is being read. */
  #cursor: RecordCursor | undefined
  /** Offset after that batch. */
  #batchEnd = 0

  constructor(bytes: Buffer, aborted: readonly AbortedTransaction[]) {
    this.bytes = bytes
    this.#aborted = new AbortedTransactions(aborted)
  }

  /** Steps over offsets without records. @throws {KafkaError} CORRUPT_MESSAGE and others of a bad batch */
  next(reading: Reading): RecordCursor | undefined {
    for (;;) {
      const cursor = this.#cursor
      if (cursor?.next()) {
        if (cursor.offset >= reading.position) return cursor
      } else {
        if (cursor !== undefined) reading.position = Math.max(reading.position, this.#batchEnd)
        this.#cursor = undefined
        if (!this.#openBatch(reading)) return undefined
      }
    }
  }

  /** @returns false when there is no further whole batch */
  #openBatch(reading: Reading): boolean {
    const at = this.#at
    const sizeBytes = wholeBatchBytes(this.bytes, at)
    if (sizeBytes === undefined) return false
    const header = readBatchHeader(this.bytes, at)
    this.#at = at + sizeBytes
    this.#batchEnd = header.baseOffset + header.lastOffsetDelta + 1
    const isAborted = this.#aborted.covers(this.bytes, at, header)
    if (this.#batchEnd <= reading.position) return true
    if (header.magic !== MAGIC) throw corrupt(reading, `message format ${header.magic}`)
    if (!crcMatches(this.bytes, at, sizeBytes))
      throw corrupt(reading, `wrong CRC in the batch at ${header.baseOffset}`)
    if (header.isControl || isAborted) reading.position = this.#batchEnd
    else {
      const limits = { decompressedBytesMax: BATCH_BYTES_MAX }
      this.#cursor = openRecords(this.bytes, at, header, limits)
    }
    return true
  }
}

function corrupt(reading: Reading, what: string): KafkaError {
  return new KafkaError('CORRUPT_MESSAGE', `${partitionText(reading.where)}: ${what}`)
}

/** @returns the offset after the last whole batch; undefined when there is none */
function offsetAfter(bytes: Buffer): number | undefined {
  let last: number | undefined
  for (let at = 0; ;) {
    const sizeBytes = wholeBatchBytes(bytes, at)
    if (sizeBytes === undefined || sizeBytes <= 0) break
    last = at
    at += sizeBytes
  }
  return last === undefined
    ? undefined
    : baseOffsetOf(bytes, last) + lastOffsetDeltaOf(bytes, last) + 1
}
