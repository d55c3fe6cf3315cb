// CleanerPort: the network thread's end of the way to whoever compacts, in a thread of its own (thread.ts) or here.
// Tasks are done one after the other; one pass of compaction at a time.

import type { Cleaned, Mapped, Pass, SourceSegment } from './worker/compactor.ts'
import type { Quarantined, TxnIndexStart } from '../log-facts.ts'
import type { ScrubbedPiece, ScrubPiece } from './worker/scrub-piece.ts'

export type CleanerTask =
  /** Begins a pass. */
  | { readonly kind: 'map'; readonly pass: Pass; readonly bytesPerSecond: number }
  /** Of the pass that was begun last. */
  | { readonly kind: 'clean'; readonly segments: readonly SourceSegment[] }
  | { readonly kind: 'scrub'; readonly piece: ScrubPiece }
  /** Which batch of a segment, if one, is not what was written: its sum of heads exceeds what it should be by so much. */
  | { readonly kind: 'blame'; readonly whole: ScrubPiece; readonly excess: number }
  /** Is a transaction index what was written? */
  | { readonly kind: 'scrubTxnIndex'; readonly path: string; readonly start: TxnIndexStart }
  /** Keeps the place of the scrubber over restarts. */
  | { readonly kind: 'keepPlace'; readonly dataDir: string; readonly text: string }

export interface CleanerAnswer {
  readonly mapped?: Mapped
  readonly cleaned?: Cleaned
  readonly scrubbed?: ScrubbedPiece
  readonly blamed?: Quarantined
  readonly isSound?: boolean
  /** Why not: a segment cannot be read, or the disk refuses. Nothing is left behind. */
  readonly failure?: string
  /** The segment that cannot be read, if that is why. */
  readonly rottenBaseOffset?: number
  readonly readBytes: number
  readonly writtenBytes: number
}

export interface CleanerPort {
  ask(task: CleanerTask): Promise<CleanerAnswer>
  /** There is nothing more to do for now: its memory is given back. */
  endThread(): void
  /** Whatever it is at, it is gone when this resolves; then nothing more is answered. */
  stop(): Promise<void>
}
