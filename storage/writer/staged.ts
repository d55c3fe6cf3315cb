// Staged: what the next flush of a log writes, and answers. Writer thread.

import type { KeptBatch } from '../producers/producer-state.ts'
import type { BatchFacts } from '../segment/segment.ts'
import type { TxnEntry } from '../segment/txn-index.ts'
import type { Append } from './commands.ts'

/** What is answered by id. */
export type Asked = Pick<Append, 'id' | 'batch'>

/** An append that has its place, and is not yet written. */
export interface StagedBatch extends BatchFacts {
  readonly append: Asked
  readonly baseOffset: number
  readonly position: number
  readonly logAppendTimeMs: number
}

/** An append of a batch that is in the log already, or staged. */
export interface Duplicate {
  readonly append: Asked
  readonly of: KeptBatch
}

export class Staged {
  readonly batches: StagedBatch[] = []
  sizeBytes = 0
  readonly duplicates: Duplicate[] = []
  /** Transactions that markers among the batches abort. */
  readonly aborted: TxnEntry[] = []
}
