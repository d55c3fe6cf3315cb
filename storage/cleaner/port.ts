// CleanerPort: the network thread's end of the way to whoever compacts, in a thread of its own (thread.ts) or here.
// One pass at a time, one task of it at a time.

import type { Cleaned, Mapped, Pass, SourceSegment } from './compactor.ts'

export type CleanerTask =
  /** Begins a pass. */
  | { readonly kind: 'map'; readonly pass: Pass; readonly bytesPerSecond: number }
  /** Of the pass that was begun last. */
  | { readonly kind: 'clean'; readonly segments: readonly SourceSegment[] }

export interface CleanerAnswer {
  readonly mapped?: Mapped
  readonly cleaned?: Cleaned
  /** Why not: a segment cannot be read, or the disk refuses. Nothing is left behind. */
  readonly failure?: string
  readonly readBytes: number
  readonly writtenBytes: number
}

export interface CleanerPort {
  ask(task: CleanerTask): Promise<CleanerAnswer>
  /** There is nothing more to do for now: its memory is given back. */
  rest(): void
  /** Whatever it is at, it is gone when this resolves; then nothing more is answered. */
  stop(): Promise<void>
}
