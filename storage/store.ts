// Store: the handle the broker holds. Owns the data directory, the writer, the tables and every open log.
// Network thread. Disk format: docs/formats/. What an acknowledgement means: docs/architecture.md

import type { ErrorName } from '../protocol/errors.ts'
import type { LeaderEpoch, Offset, Uuid } from '../protocol/ids.ts'
import type { ScramCredential, ScramMechanism } from '../protocol/sasl/scram.ts'
import type { TopicConfig } from './config.ts'
import type { DiskSpace } from './fs.ts'
import type { RecordError } from './record-rules.ts'
import type { TxnMarker, ProducerInfo } from './log-facts.ts'
import type { RecordFormat, TableProducer } from './record-format.ts'

export type { ScramCredential, TxnMarker, ProducerInfo, RecordFormat, TableProducer }

/**
 * Is called when a change of a topic is durable, for internal topics too. The next change of the topic, and the
 * caller of this one, wait until every listener is done; a listener's error becomes a warning.
 */
export interface TopicListener {
  created?(topic: Topic): void | Promise<void>
  /** When this resolves the name is free for others; `topics` no longer has the topic. */
  deleted?(topic: Topic): void | Promise<void>
  partitionsAdded?(topic: Topic, partitionCountBefore: number): void | Promise<void>
  configured?(topic: Topic, configBefore: Overrides): void | Promise<void>
}

/** Explicitly set values: text by Kafka's property names. */
export type Overrides = Readonly<Record<string, string>>
/** How retention and compaction work, for all topics. ms, bytes. */
export interface CleanerConfig {
  readonly retentionCheckIntervalMs: number
  /** A wall clock that leaps ahead by more than a day is believed only after this time. */
  readonly clockGraceMs: number
  readonly isCompactionEnabled: boolean
  /** Time between two checks for a log worth compacting. */
  readonly backoffMs: number
  /** Memory for the keys of a pass; keys without room wait for the next pass. */
  readonly dedupeBufferBytes: number
  /** Limit on bytes read and written by compaction; Infinity for no limit. */
  readonly ioBytesPerSecond: number
  /** Every segment is scrubbed once per interval; 0 or less: none is. */
  readonly scrubIntervalMs: number
  readonly scrubBytesPerSecond: number
}

/** Totals of background work since the start. */
export interface CleanerCounts {
  readonly retention: { readonly deletedSegments: number; readonly deletedBytes: number }
  readonly compaction: CompactionCounts
  readonly scrub: ScrubCounts
}

export interface ScrubCounts {
  /** Passes over all logs. */
  readonly passes: number
  readonly segments: number
  readonly readBytes: number
  /** Segments that the disk refused to read. */
  readonly failures: number
  /** Ranges quarantined since the start. */
  readonly corruptBatches: number
}

export interface CompactionCounts {
  /** Passes over one log each. */
  readonly passes: number
  readonly failures: number
  readonly readBytes: number
  readonly writtenBytes: number
  /** Records removed as superseded, deleted or aborted. */
  readonly recordsDropped: number
  readonly seconds: number
  /** Partitions whose compaction failed lately, and which wait. */
  readonly uncleanablePartitions: number
}

export interface Topic {
  readonly name: string
  /** Random; a recreated topic has a new one. */
  readonly id: Uuid
  readonly partitionCount: number
  readonly config: Overrides
  readonly isInternal: boolean
}

/** The network thread's view of one partition's log. `Writer` appends to it, `Reader` reads it. */
export interface Log {
  readonly topic: Topic
  readonly partition: number
  /** The effective configuration: the topic's own over the broker's defaults. */
  readonly config: TopicConfig
  /** The topic is being deleted: reads and appends are refused. */
  readonly isRemoved: boolean
  readonly leaderEpoch: LeaderEpoch
  readonly logStartOffset: Offset
  /** Offset of the next record, durable or not. */
  readonly logEndOffset: Offset
  /** Offset after the last record visible to consumers. */
  readonly highWatermark: Offset
  /** First offset of the oldest open transaction, at most the high watermark: records before it are decided. */
  readonly lastStableOffset: Offset
  readonly sizeBytes: number
  readonly segmentCount: number

  /** Bytes from the batch that holds `offset` to the visible end; cheap, may be an upper bound. */
  bytesAvailable(offset: Offset): number

  /** The largest known epoch <= `epoch` and the offset at which it ended; undefined when `epoch` is unknown or newer. */
  endOffsetOfEpoch(
    epoch: number,
  ): { readonly epoch: LeaderEpoch; readonly endOffset: Offset } | undefined
}

/** Reads logs without a thread hop: each method refuses a log that is being deleted with UNKNOWN_TOPIC_OR_PARTITION. */
export interface Reader {
  /**
   * Reads whole batches from the one that holds `offset`, up to the high watermark or to `endOffset` if that comes
   * first.
   *
   * @returns empty at the end; a promise when cold data must be read from disk
   * @throws {KafkaError} OFFSET_OUT_OF_RANGE; CORRUPT_MESSAGE in a quarantined range; KAFKA_STORAGE_ERROR
   */
  read(log: Log, offset: Offset, limits: ReadLimits): ReadResult | Promise<ReadResult>

  /**
   * The aborted transactions that may have records from `from` to before `to`, which is at most the last stable
   * offset; ascending by the offset of their marker.
   *
   * @returns empty, and at no cost, while the log has none; a promise when the disk must be read
   * @throws {KafkaError} KAFKA_STORAGE_ERROR: it is unknown which records to skip
   */
  abortedTransactions(
    log: Log,
    from: Offset,
    to: Offset,
  ): readonly AbortedTransaction[] | Promise<readonly AbortedTransaction[]>

  /** First record with timestamp >= `timestamp` (ms), also inside a compressed batch; undefined when none. */
  offsetForTimestamp(log: Log, timestamp: number): Promise<OffsetAndTimestamp | undefined>

  /** First record that has the largest timestamp of the log; undefined when the log is empty. */
  offsetForMaxTimestamp(log: Log): Promise<OffsetAndTimestamp | undefined>

  /**
   * Largest timestamp of the batch with `offset`, or of the next batch: cheap, because only its header is read.
   *
   * @param offset not before the log start
   * @returns undefined at the end
   */
  timestampAt(log: Log, offset: Offset): Promise<number | undefined>
}

export interface ReadLimits {
  /** Stop before the batch that would exceed it. */
  readonly bytesMax: number
  /** Return the first batch even if it alone exceeds `bytesMax` (KIP-74). */
  readonly atLeastOne: boolean
  /** No batch that reaches it or beyond; for read_committed the last stable offset. */
  readonly endOffset?: number
}

/** Skip this producer's transactional records from `firstOffset` to its next ABORT marker. */
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
  /** Offset after the last batch; the requested offset if there is none. */
  readonly nextOffset: Offset
  /** Records of all batches, by their headers. */
  readonly recordCount: number
  /** Call once, when the bytes have been written to the socket. */
  release(): void
}

export interface AppendOptions {
  /** The appends of one source, such as a connection, get their offsets in the order of the calls. */
  readonly source?: object
  /**
   * The batch belongs to a transaction of `transaction.version` 2 (KIP-890): a producer new to the log starts with
   * sequence 0.
   */
  readonly isTransactionV2?: boolean
}

export interface AppendOutcome {
  /** Absent: the batch is appended, as durable as the topic's flush policy demands, and below the high watermark. */
  readonly error?: ErrorName
  readonly message?: string
  /** The refused records, if they are known. */
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
  /** Ordered by name. */
  list(): Iterable<Topic>
  /** Checks without creating. @throws {KafkaError} the error with which `create` would refuse this topic */
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
   * @param config the new overrides, or a function of those that are valid when the change has its turn
   * @throws {KafkaError} INVALID_CONFIG; or the error of `config`. Then nothing has changed
   */
  configure(name: string, config: Overrides | ((before: Overrides) => Overrides)): Promise<Topic>
  /** @returns a function that ends the subscription */
  subscribe(listener: TopicListener): () => void
}

/** The brokers' dynamic configuration. The store does not know what the names mean. */
export interface BrokerOverrides {
  /** @param broker node id as text, or '' for all brokers */
  get(broker: string): Overrides
  /** Durable when it resolves. @throws the error of `change`; then nothing has changed */
  change(broker: string, change: (before: Overrides) => Overrides): Promise<void>
}

export interface StoredCredential {
  readonly mechanism: ScramMechanism
  readonly user: string
  readonly credential: ScramCredential
}

export interface ScramChange {
  readonly mechanism: ScramMechanism
  readonly user: string
  /** undefined to delete it. */
  readonly credential: ScramCredential | undefined
}

/** Users and their passwords. */
export interface ScramCredentials {
  find(mechanism: ScramMechanism, user: string): ScramCredential | undefined
  list(): Iterable<StoredCredential>
  /** Another number after each change. */
  readonly revision: number
  /**
   * Durable when it resolves. After a crash in between each change is done or not begun.
   *
   * @param decide has its turn when all earlier changes are done. @throws what it throws; then nothing has changed
   */
  change(decide: () => Promise<readonly ScramChange[]>): Promise<void>
}

/** An ACL, with Kafka's codes (protocol/acl-codes.ts). */
export interface AclRecord {
  readonly resourceType: number
  readonly resourceName: string
  readonly patternType: number
  readonly principal: string
  readonly host: string
  readonly operation: number
  readonly permissionType: number
}

/** The quotas of one entity, in Kafka's words. The store does not know what they mean. */
export interface ClientQuotaRecord {
  /** Names by type: user, client-id, ip; null is the default. */
  readonly entity: Readonly<Record<string, string | null>>
  /** By name: producer_byte_rate and others. */
  readonly quotas: Readonly<Record<string, number>>
}

/** Records of one kind, by ids that the caller makes. */
export interface StoredRecords<Value> {
  list(): Iterable<[id: string, value: Value]>
  /** All of the changes or, after a crash, none. Durable when it resolves. @throws {KafkaError} then nothing has changed */
  write(changes: readonly Change<string, Value>[]): Promise<void>
}

export type AclRecords = StoredRecords<AclRecord>
export type ClientQuotaRecords = StoredRecords<ClientQuotaRecord>

/** A value, or undefined to delete the key. */
export type Change<Key, Value> = readonly [key: Key, value: Value | undefined]

/** A map whose changes are records of a log. Values are plain data. */
export interface Table<Key extends string, Value> {
  get(key: Key): Value | undefined
  entries(): Iterable<[Key, Value]>
  /**
   * Writes all of the changes or, after a crash, none. When it resolves they can be read; they take effect in the
   * order of the calls.
   *
   * @param changes given, values too
   * @throws {KafkaError} the refusal of the append; then nothing has changed
   */
  write(changes: readonly Change<Key, Value>[]): Promise<void>
  /**
   * As `write`, but the changes take effect when the producer's transaction commits, unless a later change of the key
   * was written.
   */
  writePending(
    producer: TableProducer,
    changes: readonly (readonly [key: Key, value: Value])[],
  ): Promise<void>
  /**
   * The producer's transaction has ended; repeating the call is fine.
   *
   * @returns the changes that took effect
   * @throws {KafkaError} as `write`; when the log knows a newer epoch
   */
  end(producer: TableProducer, isCommit: boolean): Promise<readonly Change<Key, Value>[]>
  /** Each key for which the producer's open transaction has a value. */
  pending(): Iterable<readonly [producerId: number, key: Key]>
  pendingOf(producerId: number): Iterable<Key>
  isPending(key: Key): boolean
}

/** The work of a writer turn, for metrics and for waiting fetches. */
export interface Turn {
  readonly logs: readonly Log[]
  readonly batchCount: number
  readonly batchBytes: number
  readonly writeSeconds: number
  readonly syncSeconds: number
}

/** The logs of all partitions. */
export interface Logs {
  /** @returns undefined when there is no such partition, or its record is not durable yet */
  get(topic: string, partition: number): Log | undefined
  /** Offsets of all logs that are unreadable because of rot. */
  readonly quarantinedOffsetCount: number
  /** At most one listener: the broker's purgatory and metrics. */
  onTurn(callback: (turn: Turn) => void): void
  /**
   * Replaces the broker-wide defaults of topic configs, checked by `topicDefaults` in config.ts. When it resolves
   * appends to every log follow them.
   */
  setTopicDefaults(defaults: Overrides): Promise<void>
}

/** The network thread's interface to the writer. */
export interface Writer {
  /**
   * Appends one record batch (the caller has checked that it is one v2 batch of consistent size). The writer checks
   * its CRC, the topic's rules for records and, with a producer id, its sequence: a repeated batch is answered with
   * its offset and not written again (KIP-98).
   * It never refuses for want of room: check `isCongested` before you read more from a socket.
   *
   * @param batch borrowed: copied before this returns
   */
  append(log: Log, batch: Uint8Array, options?: AppendOptions): Promise<AppendOutcome>

  /**
   * Appends the control batch that ends this producer's transaction in this log, for its coordinator.
   *
   * @returns durable when it resolves, even if the producer had no open transaction; INVALID_PRODUCER_EPOCH or
   *   TRANSACTION_COORDINATOR_FENCED when the log knows a newer epoch
   */
  endTransaction(log: Log, marker: TxnMarker): Promise<AppendOutcome>

  /** The writer's state of the log's producers, for DescribeProducers. */
  producersOf(log: Log): Promise<readonly ProducerInfo[]>

  /** DeleteRecords. @returns the new log start offset. @throws {KafkaError} OFFSET_OUT_OF_RANGE */
  deleteRecordsBefore(log: Log, offset: Offset): Promise<Offset>

  /** The waiting commands exceed the inbox: pause sockets until `onDrain`. */
  readonly isCongested: boolean
  /** Bytes of batches that wait for the writer, or for the validator before it. */
  readonly bytesWaiting: number
  onDrain(callback: () => void): void
  /**
   * The disk failed or the writer died: nothing more is acknowledged, and the process must exit.
   *
   * @param callback called at once if that has already happened
   */
  onFatal(callback: (error: Error) => void): void
}

export interface ProducerIds {
  /** An id that was never given out, in any run. */
  next(): Promise<number>
  /** Ids below `id` are in use: a log names them. */
  skipTo(id: number): void
}

export interface Tables {
  /**
   * A table in an internal topic of one partition, which the first change creates.
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
  /** Takes effect at once; absent settings stay as they are. */
  configure(config: Partial<CleanerConfig>): void
  readonly counts: CleanerCounts
}

/** The disk of the data directory. */
export interface Disk {
  space(): Promise<DiskSpace>
  /** The disk is nearly full: deletes at once the files that wait for their deletion (`file.delete.delay.ms`). */
  makeRoom(): Promise<void>
}

export interface Store extends AsyncDisposable {
  readonly clusterId: Uuid
  readonly nodeId: number
  readonly dataDir: string
  /** Seconds of recovery at the start, and whether the previous stop was clean. */
  readonly recovery: {
    readonly seconds: number
    readonly cleanStart: boolean
    readonly corruptBatchCount: number
  }
  readonly topics: Topics
  readonly logs: Logs
  readonly writer: Writer
  readonly reader: Reader
  readonly producerIds: ProducerIds
  readonly brokerOverrides: BrokerOverrides
  readonly scramCredentials: ScramCredentials
  /** Of this cluster, for what must look the same after a restart and is never shown. */
  readonly secret: Buffer
  readonly acls: AclRecords
  readonly clientQuotas: ClientQuotaRecords
  readonly tables: Tables
  readonly cleaner: Cleaner
  readonly disk: Disk
}
