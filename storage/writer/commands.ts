// What the network thread asks of the writer and what it hears back, as plain data that can cross a thread.
// One `Command` per inbox entry; one `TurnResult` per writer turn. See docs/decisions/0003-one-hop-out-one-back.md

import type { ErrorName } from '../../protocol/errors.ts'
import type { RecordError } from '../record-rules.ts'
import type {
  TxnMarker,
  EpochStart,
  LogConfig,
  LogState,
  ProducerInfo,
  Quarantined,
  SegmentInfo,
  SegmentStart,
  Slot,
} from '../log-facts.ts'

export type Command =
  /** Recover or create these partition logs; the answer is an `Opened` for each, durable. */
  | { readonly kind: 'open'; readonly id: number; readonly logs: readonly OpenLog[] }
  | Append
  | EndTransaction
  /** What is known of the log's producers; the answer has `producers`. */
  | { readonly kind: 'producers'; readonly id: number; readonly slot: Slot }
  /**
   * The log now starts at `logStartOffset` (no change when it starts later already); at its end, the active segment goes too,
   * and a new one begins.
   */
  | {
      readonly kind: 'trim'
      readonly id: number
      readonly slot: Slot
      readonly logStartOffset: number
    }
  | {
      readonly kind: 'configure'
      readonly id: number
      readonly slot: Slot
      readonly config: LogConfig
    }
  | Swap
  /** Everything before `firstDirtyOffset` has been compacted; durable with the next checkpoint. */
  | {
      readonly kind: 'compacted'
      readonly id: number
      readonly slot: Slot
      readonly firstDirtyOffset: number
    }
  /**
   * These ranges of one segment have rotted: they are not served any more. The answer has all `quarantined` ranges of the log;
   * durable with the next checkpoint, for rot that is forgotten is found again.
   */
  | {
      readonly kind: 'quarantine'
      readonly id: number
      readonly slot: Slot
      readonly ranges: readonly Quarantined[]
    }
  /** Close these logs, rename their directories to `*.deleted`, then delete them. */
  | { readonly kind: 'remove'; readonly id: number; readonly slots: readonly Slot[] }
  /** Rename these directories, which no slot stands for (left by a crash), to `*.deleted`, then delete them; missing ones are fine. */
  | { readonly kind: 'discard'; readonly id: number; readonly directories: readonly string[] }
  /** Room on the disk is short: files that wait for their deletion are deleted now. */
  | { readonly kind: 'hurry'; readonly id: number }
  /** Sync everything, write the recovery checkpoint and, when `clean`, the clean-shutdown mark; close all files. */
  | { readonly kind: 'close'; readonly id: number; readonly clean: boolean }

/** Append one record batch: the common case. */
export interface Append {
  readonly kind: 'append'
  readonly id: number
  readonly slot: Slot
  /** Given: the writer patches offset, epoch and append time in place. */
  readonly batch: Uint8Array
  /** In a transaction of `transaction.version` 2: a producer that the log does not know begins with sequence 0. */
  readonly isTransactionV2?: boolean
  /** It was held against the log's rules before, or made by the broker itself. */
  readonly isChecked?: boolean
}

/** Put a compacted segment, which lies beside them as `*.cleaned`, in the place of those that it was made from. */
export interface Swap {
  readonly kind: 'swap'
  readonly id: number
  readonly slot: Slot
  /** Of the new segment; from its base to its end offset it replaces all there are. */
  readonly segment: SegmentStart
}

/** Append the control batch that ends a producer's transaction in this log; answered when it is durable. */
export interface EndTransaction extends TxnMarker {
  readonly kind: 'endTransaction'
  readonly id: number
  readonly slot: Slot
}

export interface OpenLog {
  readonly slot: Slot
  /** Directory below the data directory: `<topic>-<partition>`. */
  readonly directory: string
  readonly config: LogConfig
  /**
   * A new, empty log; what an earlier log of that name left is moved out of the way and deleted. When false, the log is
   * recovered; it may be missing (then it is made) unless the recovery checkpoint says that it held records.
   */
  readonly create: boolean
}

export interface Opened extends LogState {
  /** Ascending; the last one is active. */
  readonly segments: readonly SegmentInfo[]
  /** Ascending; the last one is the epoch that this start writes. */
  readonly epochs: readonly EpochStart[]
  readonly quarantined: readonly Quarantined[]
  /** Everything before it has been compacted. */
  readonly firstDirtyOffset: number
  /** Segments before it may have gaps between their batches. */
  readonly sparseEndOffset: number
  /** Bytes cut from a torn tail. */
  readonly truncatedBytes: number
  /** The log was closed in order or is new: nothing but names and sizes was looked at, and the leader epoch is as before. */
  readonly cleanStart: boolean
  /** Files that were put aside: they cannot be segments of this log. */
  readonly strays: readonly string[]
}

/** The outcome of one command. A refusal is data; `error` absent means done (and durable, for an append). */
export interface Outcome {
  readonly id: number
  readonly error?: ErrorName
  readonly message?: string
  /** Append: which records it was refused for, where that is known. */
  readonly recordErrors?: readonly RecordError[]
  /** Append: offset of the batch's first record, and the append time in ms with LogAppendTime, else -1. */
  readonly baseOffset?: number
  readonly logAppendTimeMs?: number
  readonly opened?: readonly Opened[]
  readonly producers?: readonly ProducerInfo[]
  readonly quarantined?: readonly Quarantined[]
}

/**
 * What the writer did since the last one. When a turn holds batches that wait for no sync, they are answered early, in a result
 * of their own; a batch is never answered twice.
 */
export interface TurnResult {
  readonly outcomes: readonly Outcome[]
  /** Every log that the turn changed. */
  readonly states: readonly LogState[]
  /** Rolls in their order: the segment that was closed, with its final size, and the base offset of the new active one. */
  readonly rolled: readonly {
    readonly slot: Slot
    readonly closed: SegmentInfo
    readonly activeBaseOffset: number
  }[]
  /** Segments that gave way to what a compaction left of them; before what is in `dropped`. */
  readonly swapped: readonly {
    readonly slot: Slot
    readonly replacedCount: number
    readonly segment: SegmentInfo
  }[]
  /** Segments deleted by a trim. */
  readonly dropped: readonly { readonly slot: Slot; readonly baseOffset: number }[]
  /** For metrics: batches and bytes appended, seconds in write and in sync calls. */
  readonly batchCount: number
  readonly batchBytes: number
  readonly writeSeconds: number
  readonly syncSeconds: number
  /** A sync failed: this turn's appends are refused, nothing is acknowledged ever after, the process must end. Says why. */
  readonly fatal?: string
}
