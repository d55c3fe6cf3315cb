// Staged: the batches that a log's next flush writes and answers. Writer thread.

import type { KeptBatch } from '../producers/producer-state.ts'
import type { BatchFacts } from '../segment/segment.ts'
import type { TxnEntry } from '../segment/txn-index.ts'
import type { Append } from './commands.ts'

/** An append, as far as its answer needs it. */
export type PendingAppend = Pick<Append, 'id' | 'batch'>

/** An append with an offset that is not written yet. */
export interface StagedBatch extends BatchFacts {
  readonly append: PendingAppend
  readonly baseOffset: number
  readonly position: number
  readonly logAppendTimeMs: number
}

/** An append of a batch that is already in the log, or staged. */
export interface Duplicate {
  readonly append: PendingAppend
  readonly of: KeptBatch
}

export class Staged {
  readonly batches: StagedBatch[] = []
  sizeBytes = 0
  readonly duplicates: Duplicate[] = []
  /** Transactions that staged markers abort. */
  readonly aborted: TxnEntry[] = []
}
