// What every thread knows a log by: its configuration, where it stands, its segments, epochs, producers and what of it has
// rotted. Plain data that can cross a thread. See docs/formats/segments.md and docs/formats/recovery.md

import type { RecordRules } from './record-rules.ts'

/** Small dense number that stands for an open partition log in commands, results and watermarks. */
export type Slot = number

/** The part of a topic's configuration that the writer acts on. Bytes, ms. */
export interface LogConfig {
  readonly segmentBytesMax: number
  readonly segmentMs: number
  /** The most that is taken off `segmentMs`. */
  readonly segmentJitterMs: number
  readonly indexIntervalBytes: number
  readonly indexBytesMax: number
  /** 'fsync': durable before acknowledged. 'os': no sync, the high watermark is the written end. */
  readonly flushPolicy: 'fsync' | 'os'
  readonly timestampType: 'CreateTime' | 'LogAppendTime'
  /** From giving up a segment to deleting its files. */
  readonly fileDeleteDelayMs: number
  readonly records: RecordRules
  /** Its sealed segments may have been compacted, here or in Apache Kafka. */
  readonly isCompacted: boolean
}

/** Where the log of a slot stands after a turn. Offsets of *next* records; bytes in the active segment. */
export interface LogState {
  readonly slot: Slot
  readonly logStartOffset: number
  /** Written, perhaps not yet durable. */
  readonly logEndOffset: number
  /** Durable (or written, with `flushPolicy` 'os'): what consumers may see. */
  readonly highWatermark: number
  /** First offset of the oldest transaction that is open, at most the high watermark. */
  readonly lastStableOffset: number
  /** Bytes of the active segment below `highWatermark`. */
  readonly activeBytesVisible: number
  /** Entries of the active segment's `.txnindex`, perhaps of markers that are not durable yet. */
  readonly activeAbortedCount: number
}

export interface SegmentInfo {
  readonly baseOffset: number
  readonly sizeBytes: number
  /** Largest record timestamp, -1 when it holds none. */
  readonly maxTimestamp: number
  /** Entries of its `.txnindex`: none, and there need be no such file. */
  readonly abortedCount: number
  /** Of those entries. */
  readonly abortedChecksum?: number | undefined
  /** Undefined when it is not known which batches were written there. */
  readonly heads?: Heads | undefined
}

/** What a segment's index holds. */
export interface TxnIndexStart {
  readonly abortedCount: number
  /** As `checksumWith` makes it of one entry after the other, from 0. */
  readonly abortedChecksum: number
}

/** All that must be known of a segment to go on where one left off. */
export interface SegmentStart extends Omit<SegmentInfo, 'abortedChecksum'>, TxnIndexStart {
  /** Offset after its last record. */
  readonly endOffset: number
  /** Last offset of the batch that holds the largest timestamp, -1 when there is none. */
  readonly maxTimestampOffset: number
  readonly offsetEntryCount: number
  readonly timeEntryCount: number
  /** -1 when there is no entry. */
  readonly lastTimeEntryTimestamp: number
}

export interface Heads {
  /** CRC of the first batch, 0 when there is none. */
  readonly first: number
  /** Of `headHash`, modulo 2^32. */
  readonly sum: number
}

export interface EpochStart {
  readonly epoch: number
  readonly startOffset: number
}

/** A range within one segment that cannot be read: rot that a start or the scrubber found. Ends are exclusive. */
export interface Quarantined {
  readonly startOffset: number
  readonly endOffset: number
  /** Where its bytes lie: base offset of the segment, byte positions in its file; an empty range when they are gone. */
  readonly segmentBaseOffset: number
  readonly startPosition: number
  readonly endPosition: number
}

/** What a log knows of a producer that wrote to it. */
export interface ProducerInfo {
  readonly producerId: number
  readonly producerEpoch: number
  /** -1 when this epoch has written nothing. */
  readonly lastSequence: number
  /** Of its last batch or marker, ms; -1 when that bore none. */
  readonly lastTimestampMs: number
  /** Of the last marker, -1 when there was none. */
  readonly coordinatorEpoch: number
  /** First offset of its open transaction, -1 when there is none. */
  readonly currentTxnStartOffset: number
}

/** Which producer's transaction ends, and how. */
export interface TxnMarker {
  readonly producerId: number
  /** At least that of the producer's last batch: a coordinator that fences a producer writes a newer one. */
  readonly producerEpoch: number
  readonly isCommit: boolean
  /** Of the coordinator that says so: one that has been replaced is refused. */
  readonly coordinatorEpoch: number
  /** Of `transaction.version` 2, where an end bumps the epoch: what this one ends was written in an older epoch. */
  readonly isTransactionV2?: boolean
}
