// Actor: a participant of a workload, and Stage: what all actors share. Tests only.

import type { Random } from '../../../storage/testing/random.ts'
import type { MortalBroker } from './mortal-broker.ts'
import type { Recorder } from './recorder.ts'

export interface Actor {
  /** Does a small piece of work; returns when the broker is up. */
  act(): Promise<void>
}

/** An actor's own source of chance, and the parts that it shares with the others. */
export interface Stage {
  readonly broker: MortalBroker
  readonly recorder: Recorder
  readonly random: Random
  /** @returns a name that is unique in this run */
  readonly unique: (what: string) => string
  readonly anyPartition: () => string
}
