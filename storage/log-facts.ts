// The facts about a log that cross threads: configuration, watermarks, segments, epochs, producers and quarantined
// ranges. Plain data. See docs/formats/segments.md and docs/formats/recovery.md

import type { RecordRules } from './record-rules.ts'

/** Small dense number that stands for an open partition log in commands, results and watermarks. */
export type Slot = number

/** The part of a topic's configuration that the writer acts on. Bytes, ms. */
export interface LogConfig {
  readonly segmentBytesMax: number
  readonly segmentMs: number
  /** The most that is subtracted from `segmentMs`. */
  readonly segmentJitterMs: number
  readonly indexIntervalBytes: number
  readonly indexBytesMax: number
  /** 'fsync': durable before acknowledged. 'os': no sync, the high watermark is the written end. */
  readonly flushPolicy: 'fsync' | 'os'
  readonly timestampType: 'CreateTime' | 'LogAppendTime'
  /** Time from a segment's removal from the log to the deletion of its files. */
  readonly fileDeleteDelayMs: number
  readonly records: RecordRules
  /** Sealed segments may have been compacted, by millrace or by Apache Kafka. */
  readonly isCompacted: boolean
}

/** The log of a slot after a turn. Offsets of *next* records; bytes in the active segment. */
export interface LogState {
  readonly slot: Slot
  readonly logStartOffset: number
  /** Written, perhaps not yet durable. */
  readonly logEndOffset: number
  /** Durable (with `flushPolicy` 'os': written): visible to consumers. */
  readonly highWatermark: number
  /** First offset of the oldest open transaction, at most the high watermark. */
  readonly lastStableOffset: number
  /** Bytes of the active segment below `highWatermark`. */
  readonly activeBytesVisible: number
  /** Entries of the active segment's `.txnindex`; their markers may not be durable yet. */
  readonly activeAbortedCount: number
}

export interface SegmentInfo {
  readonly baseOffset: number
  readonly sizeBytes: number
  /** Largest record timestamp; -1: none. */
  readonly maxTimestamp: number
  /** Entries of its `.txnindex`; with 0 the file may be missing. */
  readonly abortedCount: number
  /** The checksum of these entries. */
  readonly abortedChecksum?: number | undefined
  /** undefined: unknown which batches were written. */
  readonly heads?: Heads | undefined
}

/** The contents of a segment's transaction index. */
export interface TxnIndexStart {
  readonly abortedCount: number
  /** `checksumWith` of all entries in order, from 0. */
  readonly abortedChecksum: number
}

/** The facts by which a process resumes a segment. */
export interface SegmentStart extends Omit<SegmentInfo, 'abortedChecksum'>, TxnIndexStart {
  /** Offset after its last record. */
  readonly endOffset: number
  /** Last offset of the batch with the largest timestamp; -1: none. */
  readonly maxTimestampOffset: number
  readonly offsetEntryCount: number
  readonly timeEntryCount: number
  /** -1: no entry. */
  readonly lastTimeEntryTimestamp: number
}

export interface Heads {
  /** CRC of the first batch; 0: none. */
  readonly first: number
  /** Sum of `headHash`, modulo 2^32. */
  readonly sum: number
}

export interface EpochStart {
  readonly epoch: number
  readonly startOffset: number
}

/** A rotten range of one segment, found by a start or the scrubber. Ends are exclusive. */
export interface Quarantined {
  readonly startOffset: number
  readonly endOffset: number
  /** Base offset of its segment and byte positions in the file; an empty range when the bytes are gone. */
  readonly segmentBaseOffset: number
  readonly startPosition: number
  readonly endPosition: number
}

/** A log's knowledge of a producer that wrote to it. */
export interface ProducerInfo {
  readonly producerId: number
  readonly producerEpoch: number
  /** -1: no batch in this epoch. */
  readonly lastSequence: number
  /** Timestamp of its last batch or marker, ms; -1: none. */
  readonly lastTimestampMs: number
  /** Coordinator epoch of its last marker; -1: none. */
  readonly coordinatorEpoch: number
  /** First offset of its open transaction; -1: none. */
  readonly currentTxnStartOffset: number
}

/** The end of a producer's transaction. */
export interface TxnMarker {
  readonly producerId: number
  /** At least the epoch of the producer's last batch: a coordinator that fences a producer writes a newer one. */
  readonly producerEpoch: number
  readonly isCommit: boolean
  /** The coordinator's epoch: a log refuses an older coordinator. */
  readonly coordinatorEpoch: number
  /** With `transaction.version` 2 (KIP-890) each end raises the epoch: the transaction was written in an older one. */
  readonly isTransactionV2?: boolean
}

/** A log that the writer has opened. */
export interface Opened extends LogState {
  /** Ascending; the last one is active. */
  readonly segments: readonly SegmentInfo[]
  /** Ascending; the last one is the epoch of this start. */
  readonly epochs: readonly EpochStart[]
  readonly quarantined: readonly Quarantined[]
  /** Everything before this offset is compacted. */
  readonly firstDirtyOffset: number
  /** Segments before it may have gaps between their batches. */
  readonly sparseEndOffset: number
  /** Bytes cut off a torn tail. */
  readonly truncatedBytes: number
  /**
   * The log was closed in order or is new: recovery checked only names and sizes, and the leader epoch is unchanged.
   */
  readonly cleanStart: boolean
  /** Files put aside because they cannot be segments of this log. */
  readonly strays: readonly string[]
}
