// Reading: where a consumer stands in one partition, and the fetched bytes it has yet to give out.
// Batches are opened lazily, record by record. Control batches and those of aborted transactions are stepped over.

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

/** What one compressed batch may unfold to. */
const BATCH_BYTES_MAX = 1024 * 1024 * 1024

export class Reading {
  readonly topic: Topic
  readonly partition: number
  /** A serde of the topic may have to look something up before it reads a record. */
  readonly isPrepared: boolean
  /** Offset of the next record to give. */
  position: number
  /** Offset from which to fetch next: ahead of `position` by what is buffered. */
  fetchOffset: number
  /** Offset that is not given any more. */
  stopOffset = Infinity
  /** Offset after the last record that may be read, as last heard; -1: nothing heard yet. */
  endOffset = -1
  isPaused = false
  /** Records of it that are to be given again before any other. */
  heldCount = 0
  /** Its chunks have a place in the line of those to be read. */
  isInLine = false
  /** Monotonic ms at which it last gave records. */
  lastGaveAt = 0
  /** Monotonic ms at which the broker last answered for it. */
  heardAt = 0
  /** Of the topic that the position is of; `UUID_ZERO` where the cluster does not tell. */
  topicId: Uuid
  /** `fetchOffset` is not in the log: a new one is looked up when what was fetched has been read. */
  isOutOfRange = false
  /** It is being looked up: nothing is fetched meanwhile. */
  isResetting = false
  /** The cluster is being asked about its topic: nothing is fetched meanwhile. */
  isRefreshing = false
  /** Monotonic ms until which nothing is fetched: the pause after a failure. */
  blockedUntil = 0
  /** Failures in a row. */
  failures = 0
  /** Monotonic ms of the first of them. */
  failingSince = 0
  /** Monotonic ms since when the broker does not know the partition. */
  missingSince: number | undefined
  /** What the reader has to hear before anything else is fetched. */
  error: KafkaError | undefined
  /** Rises when the position is changed from outside: answers to older questions are then of no use. */
  generation = 0
  /** At the record that was asked for last. */
  cursor: RecordCursor | undefined
  readonly #chunks: Chunk[] = []
  /** Between these an answer had nothing: see `stepOverHole`. */
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

  /** The topic has been deleted and made anew, with this id: the position means nothing in it. */
  isOfFormer(id: Uuid | undefined): boolean {
    if (id === this.topicId || id === undefined || id === UUID_ZERO) return false
    return this.topicId !== UUID_ZERO
  }

  /** Begins anew in the topic of this id; records of the former one are aborted. */
  moveTo(topicId: Uuid): void {
    this.topicId = topicId
    this.missingSince = undefined
    this.endOffset = -1
    this.#released.abort()
    this.#released = new AbortController()
  }

  /** Aborted when the consumer closes, or may read the partition no longer. */
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

  /** It gives nothing now. */
  get isStill(): boolean {
    return this.isPaused || this.heldCount > 0
  }

  /**
   * @param bytes given; whole batches, the last may be cut
   * @param aborted transactions whose records are not to be given
   * @returns bytes kept
   */
  push(bytes: Buffer, aborted: readonly AbortedTransaction[] = []): number {
    const nextOffset = offsetAfter(bytes)
    if (nextOffset === undefined) return 0
    this.fetchOffset = Math.max(this.fetchOffset, nextOffset)
    this.#chunks.push(new Chunk(bytes, aborted))
    return bytes.length
  }

  /** Steps to the next record: `cursor` stands at it. @returns false when the first chunk is used up: see `dropChunk` */
  next(): boolean {
    const chunk = this.#chunks[0]
    if (chunk === undefined || this.isDone) return false
    this.cursor = chunk.next(this)
    if (this.cursor === undefined) return false
    if (this.cursor.offset < this.stopOffset) return true
    this.position = Math.max(this.position, this.stopOffset) // compaction has left nothing in between
    return false
  }

  /**
   * The broker had nothing to give from `fetchOffset` on, though more than one answer said that its log goes on to
   * `endOffset`: compaction has emptied the rest. Without this, an end that lies there is never reached.
   */
  stepOverHole(): void {
    const isBehind = this.hasChunks || this.position !== this.fetchOffset
    if (isBehind || this.fetchOffset >= this.endOffset || this.stopOffset === Infinity) return
    const isSame = this.#holeEnd === this.endOffset && this.#holeStart === this.fetchOffset
    this.#holeStart = this.fetchOffset
    this.#holeEnd = this.endOffset
    if (isSame) this.position = this.fetchOffset = Math.min(this.endOffset, this.stopOffset)
  }

  /** @returns its bytes */
  dropChunk(): number {
    return this.#chunks.shift()?.bytes.length ?? 0
  }

  /** Goes on elsewhere. @returns bytes dropped */
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
  /** In the batch that is being read. */
  #cursor: RecordCursor | undefined
  /** Offset after that batch. */
  #batchEnd = 0

  constructor(bytes: Buffer, aborted: readonly AbortedTransaction[]) {
    this.bytes = bytes
    this.#aborted = new AbortedTransactions(aborted)
  }

  /** Moves the position over what holds no records. @throws {KafkaError} CORRUPT_MESSAGE and others of a bad batch */
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
