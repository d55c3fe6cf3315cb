// Store: the handle the broker holds. Owns the data directory, the writer, the tables and every open log.
// Network thread. Disk format: docs/formats/. What an acknowledgement means: docs/architecture.md

import type { ErrorName } from '../protocol/errors.ts'
import type { LeaderEpoch, Offset, Uuid } from '../protocol/ids.ts'
import type { CleanerPort } from './cleaner/port.ts'
import type { Clock } from './clock.ts'
import type { TopicConfig } from './config.ts'
import type { DiskSpace, Fs } from './fs.ts'
import type { RecordError } from './record-rules.ts'
import type { TxnMarker, ProducerInfo } from './log-facts.ts'
import type { RecordFormat, TableProducer } from './tables/record-format.ts'
import type { IdleWriterThread } from './writer/load-thread.ts'

export type { TxnMarker, ProducerInfo, RecordFormat, TableProducer }

export interface StoreOptions {
  readonly dataDir: string
  /**
   * 'thread': a worker of its own, or one that was started before. 'inline': on the caller's thread, one writer turn per
   * loop turn (tests, simulation).
   */
  readonly writer: 'thread' | 'inline' | IdleWriterThread
  /** The disk, for 'inline' only; then nothing is locked. Default: the real one. */
  readonly fs?: Fs
  /** Required, so that no test runs on real time by accident. */
  readonly clock: Clock
  /** Of a new directory; an existing one with another id is refused. Absent: the directory's own, 1 when it is new. */
  readonly nodeId?: number | undefined
  /** Broker-wide defaults of topic configs, by topic property name; see `topicDefaults` in config.ts. */
  readonly topicDefaults?: Overrides
  /** `isCongested` when more bytes than this wait for the writer. */
  readonly inboxBytesMax?: number
  /** Segment and index files kept open for reading, in all logs together. */
  readonly openFilesMax?: number
  /** Segment files kept open for writing, in all logs together. */
  readonly writtenFilesMax?: number
  /** A partition forgets a producer that has not written to it for so long. Default: Kafka's day. */
  readonly producerIdExpirationMs?: number
  /** Of the background work on logs; what is absent has Kafka's defaults. */
  readonly cleaner?: Partial<CleanerConfig>
  /** Who compacts, for 'inline' only. Default: the caller's thread, by code that is loaded when the store opens. */
  readonly openCleanerPort?: (deps: { readonly fs: Fs; readonly clock: Clock }) => CleanerPort
  /** Hears, in a sentence, what an operator should know and nothing else tells. */
  readonly onWarning?: (message: string) => void
}

/**
 * Hears of topics when a change is durable, internal topics too. The next change of that topic, and whoever asked for this one,
 * wait until every listener is done; what a listener throws is told as a warning.
 */
export interface TopicListener {
  created?(topic: Topic): void | Promise<void>
  /** Its name is free for others when this is done; `topics` does not know it any more. */
  deleted?(topic: Topic): void | Promise<void>
  partitionsAdded?(topic: Topic, partitionCountBefore: number): void | Promise<void>
  configured?(topic: Topic, configBefore: Overrides): void | Promise<void>
}

/** What somebody has set: text by Kafka's property names. */
export type Overrides = Readonly<Record<string, string>>
/** How retention and compaction work, for all topics. ms, bytes. */
export interface CleanerConfig {
  readonly retentionCheckIntervalMs: number
  /** A clock that leaps ahead by more than a day is not believed before it has stood for so long. */
  readonly clockGraceMs: number
  readonly isCompactionEnabled: boolean
  /** Between two looks for a log that is worth compacting. */
  readonly backoffMs: number
  /** For the keys of a pass; what finds no room waits for the next one. */
  readonly dedupeBufferBytes: number
  /** Of compaction, read and written; Infinity for no limit. */
  readonly ioBytesPerSecond: number
  /** Every segment is scrubbed once in it; 0 or less: none is. */
  readonly scrubIntervalMs: number
  readonly scrubBytesPerSecond: number
}

/** What background work has done since the start. */
export interface CleanerCounts {
  readonly retention: { readonly deletedSegments: number; readonly deletedBytes: number }
  readonly compaction: CompactionCounts
  readonly scrub: ScrubCounts
}

export interface ScrubCounts {
  /** Over everything. */
  readonly passes: number
  readonly segments: number
  readonly readBytes: number
  /** Segments that the disk refused to read. */
  readonly failures: number
  /** Ranges that were quarantined since the start. */
  readonly corruptBatches: number
}

export interface CompactionCounts {
  /** Over one log each. */
  readonly passes: number
  readonly failures: number
  readonly readBytes: number
  readonly writtenBytes: number
  /** Of an earlier value of their key, deleted or aborted. */
  readonly recordsDropped: number
  readonly seconds: number
  /** Partitions that failed lately, and wait. */
  readonly uncleanablePartitions: number
}

export interface Topic {
  readonly name: string
  /** Random, new after delete and recreate. */
  readonly id: Uuid
  readonly partitionCount: number
  readonly config: Overrides
  readonly isInternal: boolean
}

/** One partition's log, as the network thread sees it: watermarks, and reads without a thread hop. */
export interface Log {
  readonly topic: Topic
  readonly partition: number
  /** What holds for it: the topic's own configuration over the broker's defaults. */
  readonly config: TopicConfig
  /** The topic is being deleted: nothing more is read or appended. */
  readonly isRemoved: boolean
  readonly leaderEpoch: LeaderEpoch
  readonly logStartOffset: Offset
  /** Offset of the next record, durable or not. */
  readonly logEndOffset: Offset
  /** Offset after the last record that consumers may see. */
  readonly highWatermark: Offset
  /** First offset of the oldest open transaction, at most the high watermark: records before it are decided. */
  readonly lastStableOffset: Offset
  readonly sizeBytes: number
  readonly segmentCount: number

  /** Bytes from the batch that holds `offset` to the visible end; cheap, may be an upper bound. */
  bytesAvailable(offset: Offset): number

  /**
   * Whole batches from the one that holds `offset`, up to the high watermark or to `endOffset` if that comes before it.
   *
   * @param bytesMax stop before the batch that would exceed it
   * @param atLeastOne give the first batch even when it alone exceeds `bytesMax` (KIP-74)
   * @param endOffset no batch that reaches it or beyond; for read_committed the last stable offset
   * @returns empty at the end; a promise when the disk must be asked (cold data)
   * @throws {KafkaError} OFFSET_OUT_OF_RANGE; CORRUPT_MESSAGE in a quarantined range; KAFKA_STORAGE_ERROR
   */
  read(
    offset: Offset,
    bytesMax: number,
    atLeastOne: boolean,
    endOffset?: Offset,
  ): ReadResult | Promise<ReadResult>

  /**
   * The aborted transactions that may have records from `from` to before `to`, which is at most the last stable offset;
   * ascending by the offset of their marker.
   *
   * @returns empty, and at no cost, while the log has none; a promise when the disk must be asked
   * @throws {KafkaError} KAFKA_STORAGE_ERROR: it is not known which records are to be skipped
   */
  abortedTransactions(
    from: Offset,
    to: Offset,
  ): readonly AbortedTransaction[] | Promise<readonly AbortedTransaction[]>

  /** First record with timestamp >= `timestamp` (ms), also inside a compressed batch; undefined when none. */
  offsetForTimestamp(timestamp: number): Promise<OffsetAndTimestamp | undefined>

  /** First record that has the largest timestamp of the log; undefined when the log is empty. */
  offsetForMaxTimestamp(): Promise<OffsetAndTimestamp | undefined>

  /**
   * Largest timestamp of the batch that holds `offset`, or of the next one there is: cheap, only its header is read.
   *
   * @param offset not before the log start
   * @returns undefined at the end
   */
  timestampAt(offset: Offset): Promise<number | undefined>

  /** The largest known epoch <= `epoch` and the offset at which it ended; undefined when `epoch` is unknown or newer. */
  endOffsetOfEpoch(
    epoch: number,
  ): { readonly epoch: LeaderEpoch; readonly endOffset: Offset } | undefined
}

/** Transactional records of this producer are to be skipped, from `firstOffset` on until its next ABORT marker. */
export interface AbortedTransaction {
  readonly producerId: number
  readonly firstOffset: Offset
}

export interface OffsetAndTimestamp {
  readonly offset: Offset
  readonly timestamp: number
}

export interface ReadResult {
  /** Whole record batches as they lie on disk, in a pooled buffer: valid until `release`. */
  readonly bytes: Uint8Array
  /** After the last batch; the offset that was asked for when there is none. */
  readonly nextOffset: Offset
  /** Of all batches, as their headers say. */
  readonly recordCount: number
  /** Call once, when the bytes have been written to the socket. */
  release(): void
}

export interface AppendOptions {
  /** What is appended for the same, a connection, gets its offsets in the order of the calls. */
  readonly source?: object
  /** In a transaction of `transaction.version` 2: a producer that the log does not know begins with sequence 0. */
  readonly isTransactionV2?: boolean
}

export interface AppendOutcome {
  /** Absent: appended, as durable as the topic's flush policy says, and below the high watermark. */
  readonly error?: ErrorName
  readonly message?: string
  /** The records that it was refused for, where that is known. */
  readonly recordErrors?: readonly RecordError[]
  /** -1 with an error. */
  readonly baseOffset: number
  /** ms since the epoch with LogAppendTime, else -1. */
  readonly logAppendTimeMs: number
}

export interface TopicSpec {
  readonly name: string
  readonly partitionCount: number
  readonly config?: Overrides
}

export interface Topics {
  get(name: string): Topic | undefined
  getById(id: Uuid): Topic | undefined
  /** In order of name. */
  list(): Iterable<Topic>
  /** Does nothing. @throws {KafkaError} what `create` would refuse this topic for */
  check(spec: TopicSpec): void
  /** Durable and open for appends when it resolves. @throws {KafkaError} TOPIC_ALREADY_EXISTS, INVALID_TOPIC_EXCEPTION */
  create(spec: TopicSpec): Promise<Topic>
  /** The name is free when it resolves. @throws {KafkaError} UNKNOWN_TOPIC_OR_PARTITION */
  delete(name: string): Promise<void>
  /** @param partitionCount the new total */
  addPartitions(name: string, partitionCount: number): Promise<Topic>
  /**
   * Replaces the overrides.
   *
   * @param config the new ones, or what makes them of those that hold when the change has its turn
   * @throws {KafkaError} INVALID_CONFIG; what `config` throws. Then nothing has changed
   */
  configure(name: string, config: Overrides | ((before: Overrides) => Overrides)): Promise<Topic>
  /** @returns call it to hear no more */
  subscribe(listener: TopicListener): () => void
}

/** What was set of the brokers' own configuration while they ran. What the names mean is the broker's business. */
export interface BrokerOverrides {
  /** @param broker node id as text, or '' for all brokers */
  get(broker: string): Overrides
  /** Durable when it resolves. @throws what `change` throws; then nothing has changed */
  change(broker: string, change: (before: Overrides) => Overrides): Promise<void>
}

/** A value, or undefined to delete the key. */
export type Change<Key, Value> = readonly [key: Key, value: Value | undefined]

/** A map whose changes are records of a log. Values are plain data. */
export interface Table<Key extends string, Value> {
  get(key: Key): Value | undefined
  entries(): Iterable<[Key, Value]>
  /**
   * All of the changes or, after a crash, none. They can be read once this resolves, and take effect in the order of the calls.
   *
   * @param changes given, values too
   * @throws {KafkaError} what the append was refused with; then nothing has changed
   */
  write(changes: readonly Change<Key, Value>[]): Promise<void>
  /** The same, but they count when the transaction of the producer has committed, if it does, unless a later one was written. */
  writePending(
    producer: TableProducer,
    changes: readonly (readonly [key: Key, value: Value])[],
  ): Promise<void>
  /**
   * The transaction of the producer has ended; may be told twice.
   *
   * @returns what has changed by that
   * @throws {KafkaError} as `write`; when the log has heard of a newer epoch
   */
  end(producer: TableProducer, isCommit: boolean): Promise<readonly Change<Key, Value>[]>
  /** Each key for which the open transaction of a producer has a value. */
  pending(): Iterable<readonly [producerId: number, key: Key]>
  pendingOf(producerId: number): Iterable<Key>
  isPending(key: Key): boolean
}

/** What a writer turn did, for metrics and for waking waiting fetches. */
export interface Turn {
  readonly logs: readonly Log[]
  readonly batchCount: number
  readonly batchBytes: number
  readonly writeSeconds: number
  readonly syncSeconds: number
}

/** The logs of all partitions. */
export interface Logs {
  /** @returns undefined when there is no such partition, or not yet: the record that names it must be durable */
  get(topic: string, partition: number): Log | undefined
  /** Offsets, of all logs, that cannot be read for rot. */
  readonly quarantinedOffsetCount: number
  /** At most one listener: the broker's purgatory and metrics. */
  onTurn(callback: (turn: Turn) => void): void
  /**
   * Replaces the broker-wide defaults of topic configs, checked by `topicDefaults` in config.ts. Appends to every log follow
   * them when this resolves.
   */
  setTopicDefaults(defaults: Overrides): Promise<void>
}

/** The one thread that writes, as the others ask it. */
export interface Writer {
  /**
   * Append one record batch (checked by the caller: one v2 batch, sizes consistent). It is held against its CRC, the topic's
   * rules for records and, if a producer id goes with it, its sequence: a batch that is there already is answered with its
   * offset, not written again.
   * Never refuses for want of room: look at `isCongested` before reading more from a socket.
   *
   * @param batch borrowed: copied before this returns
   */
  append(log: Log, batch: Uint8Array, options?: AppendOptions): Promise<AppendOutcome>

  /**
   * Appends the control batch that ends this producer's transaction in this log, for its coordinator.
   *
   * @returns durable when it resolves, also where the producer had no open transaction; refused with INVALID_PRODUCER_EPOCH
   *   or TRANSACTION_COORDINATOR_FENCED when the log has heard of a newer epoch
   */
  endTransaction(log: Log, marker: TxnMarker): Promise<AppendOutcome>

  /** What the writer knows of the producers that wrote to a log, for DescribeProducers. */
  producersOf(log: Log): Promise<readonly ProducerInfo[]>

  /** DeleteRecords. @returns the new log start offset. @throws {KafkaError} OFFSET_OUT_OF_RANGE */
  deleteRecordsBefore(log: Log, offset: Offset): Promise<Offset>

  /** More waits than the inbox holds: pause sockets until `onDrain`. */
  readonly isCongested: boolean
  /** Of batches that wait for the writer, or for the validator in front of it. */
  readonly bytesWaiting: number
  onDrain(callback: () => void): void
  /**
   * The disk failed an fsync or the writer died: nothing more is acknowledged, and the process must exit.
   *
   * @param callback called at once when that has happened already
   */
  onFatal(callback: (error: Error) => void): void
}

export interface ProducerIds {
  /** One that was never given out, over all starts. */
  next(): Promise<number>
  /** Ids below are in use, given out by whoever wrote the log that names them. */
  skipTo(id: number): void
}

export interface Tables {
  /**
   * A table in an internal topic of one partition, which is made with the first change.
   *
   * @param name of an internal topic; each is opened once
   * @param format of its records
   */
  open<Key extends string, Value>(
    name: string,
    format: RecordFormat<Key, Value>,
  ): Promise<Table<Key, Value>>
}

/** Retention, compaction and the scrubber. */
export interface Cleaner {
  /** Takes effect at once; what is absent stays as it is. */
  configure(config: Partial<CleanerConfig>): void
  readonly counts: CleanerCounts
}

/** What the data directory lies on. */
export interface Disk {
  space(): Promise<DiskSpace>
  /** Room is short: files that wait for their deletion (`file.delete.delay.ms`) are deleted now. */
  makeRoom(): Promise<void>
}

export interface Store extends AsyncDisposable {
  readonly clusterId: Uuid
  readonly nodeId: number
  readonly dataDir: string
  /** Seconds that recovery took at start, and whether the last stop was clean. */
  readonly recovery: {
    readonly seconds: number
    readonly cleanStart: boolean
    readonly corruptBatchCount: number
  }
  readonly topics: Topics
  readonly logs: Logs
  readonly writer: Writer
  readonly producerIds: ProducerIds
  readonly brokerOverrides: BrokerOverrides
  readonly tables: Tables
  readonly cleaner: Cleaner
  readonly disk: Disk
}
