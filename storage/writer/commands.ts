// The messages between the network thread and the writer, as plain data that can cross a thread: one `Command` per
// inbox entry, one `TurnResult` per writer turn. See docs/decisions/0003-one-hop-out-one-back.md

import type { ErrorName } from '../../protocol/errors.ts'
import type { RecordError } from '../record-rules.ts'
import type {
  TxnMarker,
  LogConfig,
  LogState,
  Opened,
  ProducerInfo,
  Quarantined,
  SegmentInfo,
  SegmentStart,
  Slot,
} from '../log-facts.ts'

export type Command =
  /** Recover or create these logs; the answer has an `Opened` for each, durable. */
  | { readonly kind: 'open'; readonly id: number; readonly logs: readonly OpenLog[] }
  | Append
  | EndTransaction
  /** The answer has the log's `producers`. */
  | { readonly kind: 'producers'; readonly id: number; readonly slot: Slot }
  /**
   * Move the log start up to `logStartOffset` (no change if it is there already or later). At the log's end the
   * active segment goes too, and a new one begins.
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
  /** Everything before `firstDirtyOffset` is compacted; durable with the next checkpoint. */
  | {
      readonly kind: 'compacted'
      readonly id: number
      readonly slot: Slot
      readonly firstDirtyOffset: number
    }
  /**
   * Stop serving these rotten ranges of one segment. The answer has all `quarantined` ranges of the log. Durable with
   * the next checkpoint: the scrubber finds forgotten rot again.
   */
  | {
      readonly kind: 'quarantine'
      readonly id: number
      readonly slot: Slot
      readonly ranges: readonly Quarantined[]
    }
  /** Close these logs, rename their directories to `*.deleted`, then delete them. */
  | { readonly kind: 'remove'; readonly id: number; readonly slots: readonly Slot[] }
  /**
   * Rename these directories to `*.deleted`, then delete them. They belong to no slot (a crash left them); missing
   * ones are fine.
   */
  | { readonly kind: 'discard'; readonly id: number; readonly directories: readonly string[] }
  /** The disk is nearly full: delete at once the files that wait for their deletion. */
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
  /**
   * The batch belongs to a transaction of `transaction.version` 2 (KIP-890): a producer new to the log starts with
   * sequence 0.
   */
  readonly isTransactionV2?: boolean
  /** The batch was checked against the log's rules before, or the broker made it. */
  readonly isChecked?: boolean
}

/** Replace segments by the compacted one beside them, `*.cleaned`. */
export interface Swap {
  readonly kind: 'swap'
  readonly id: number
  readonly slot: Slot
  /** The new segment; it replaces all segments from its base to its end offset. */
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
   * Make a new, empty log; what an earlier log of that name left is moved away and deleted. When false, recover the
   * log; a missing one is made, unless the recovery checkpoint says that it held records.
   */
  readonly create: boolean
}

/** The outcome of one command. A refusal is data; without `error` the command is done (and durable, for an append). */
export interface Outcome {
  readonly id: number
  readonly error?: ErrorName
  readonly message?: string
  /** Append: the refused records, if they are known. */
  readonly recordErrors?: readonly RecordError[]
  /** Append: offset of the batch's first record, and the append time in ms with LogAppendTime, else -1. */
  readonly baseOffset?: number
  readonly logAppendTimeMs?: number
  readonly opened?: readonly Opened[]
  readonly producers?: readonly ProducerInfo[]
  readonly quarantined?: readonly Quarantined[]
}

/**
 * What the writer did since the previous result. If a turn has batches that wait for no sync, an extra result answers
 * them early; no batch is answered twice.
 */
export interface TurnResult {
  readonly outcomes: readonly Outcome[]
  /** Every log that the turn changed. */
  readonly states: readonly LogState[]
  /** Rolls in order: the closed segment with its final size, and the base offset of the new active one. */
  readonly rolled: readonly {
    readonly slot: Slot
    readonly closed: SegmentInfo
    readonly activeBaseOffset: number
  }[]
  /** Segments replaced by compaction; they come before `dropped`. */
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
  /**
   * A sync failed: this turn's appends are refused, no later one is acknowledged, and the process must end. The
   * reason.
   */
  readonly fatal?: string
}
