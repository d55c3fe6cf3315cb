// Who takes part in a workload, and what they find there. Tests only.

import type { Random } from '../../../storage/testing/random.ts'
import type { CrashWorld } from './crash-world.ts'
import type { Recorder } from './recorder.ts'

export interface Actor {
  /** A small piece of work; comes back when the broker is up. */
  act(): Promise<void>
}

/** An actor's own source of chance, and what it shares with the others. */
export interface Stage {
  readonly world: CrashWorld
  readonly recorder: Recorder
  readonly random: Random
  /** @returns a name that nothing else in this run has */
  unique(what: string): string
  anyPartition(): string
}
