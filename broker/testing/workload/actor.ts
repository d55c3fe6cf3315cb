// Who takes part in a workload, and what they find there. Tests only.

import type { Random } from '../../../storage/testing/random.ts'
import type { MortalBroker } from './mortal-broker.ts'
import type { Recorder } from './recorder.ts'

export interface Actor {
  /** A small piece of work; comes back when the broker is up. */
  act(): Promise<void>
}

/** An actor's own source of chance, and what it shares with the others. */
export interface Stage {
  readonly broker: MortalBroker
  readonly recorder: Recorder
  readonly random: Random
  /** @returns a name that nothing else in this run has */
  readonly unique: (what: string) => string
  readonly anyPartition: () => string
}
