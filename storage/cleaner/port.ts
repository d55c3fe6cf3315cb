// CleanerPort: the network thread's interface to the cleaner, which runs in its own thread (thread.ts) or in-process.
// The cleaner does one task after the other, and one pass of compaction at a time.

import type { Cleaned, Mapped, Pass, SourceSegment } from './worker/compactor.ts'
import type { Quarantined, TxnIndexStart } from '../log-facts.ts'
import type { ScrubbedPiece, ScrubPiece } from './worker/scrub-piece.ts'

export type CleanerTask =
  /** Starts a pass. */
  | { readonly kind: 'map'; readonly pass: Pass; readonly bytesPerSecond: number }
  /** Of the pass started last. */
  | { readonly kind: 'clean'; readonly segments: readonly SourceSegment[] }
  | { readonly kind: 'scrub'; readonly piece: ScrubPiece }
  /** Each batch is sound, but the sum of all heads exceeds the expected one by `excess`: which batch has changed? */
  | { readonly kind: 'blame'; readonly whole: ScrubPiece; readonly excess: number }
  /** Is the transaction index as it was written? */
  | { readonly kind: 'scrubTxnIndex'; readonly path: string; readonly start: TxnIndexStart }
  /** Keeps the scrubber's place across restarts. */
  | { readonly kind: 'keepPlace'; readonly dataDir: string; readonly text: string }

export interface CleanerAnswer {
  readonly mapped?: Mapped
  readonly cleaned?: Cleaned
  readonly scrubbed?: ScrubbedPiece
  readonly blamed?: Quarantined
  readonly isSound?: boolean
  /** The reason of a failure: a segment cannot be read, or the disk refused. No file is left behind. */
  readonly failure?: string
  /** The segment that cannot be read, if that is the reason. */
  readonly rottenBaseOffset?: number
  readonly readBytes: number
  readonly writtenBytes: number
}

export interface CleanerPort {
  ask(task: CleanerTask): Promise<CleanerAnswer>
  /** No task is due for now: the cleaner frees its memory. */
  endThread(): void
  /** Stops the cleaner, even within a task. When it resolves no answer comes any more. */
  stop(): Promise<void>
}
