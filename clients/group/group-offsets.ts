// GroupOffsets: where a group stands once a transaction has committed, as the consumer that reads for it tells.

import type { OffsetToCommit } from '../cluster/offset-to-commit.ts'
import type { Coordinator, MemberState } from './coordinator.ts'
import { notOurs, type RecordPlace } from './in-hand.ts'
import type { Progress } from './progress.ts'

export interface GroupOffsetsDeps {
  readonly coordinator: Coordinator
  /** As of now: generations change while partitions stay. */
  readonly member: () => MemberState
  /** What is done with this record, and with what was given before it. */
  readonly through: (record: RecordPlace) => ReadonlyMap<Progress, number>
  /** Is the partition still that which gave the records? */
  readonly isOurs: (progress: Progress) => boolean
}

export class GroupOffsets {
  readonly #deps: GroupOffsetsDeps
  /** Offset of the next record. */
  readonly #offsets = new Map<Progress, number>()

  constructor(deps: GroupOffsetsDeps) {
    this.#deps = deps
  }

  get coordinator(): Coordinator {
    return this.#deps.coordinator
  }

  get member(): MemberState {
    return this.#deps.member()
  }

  get offsets(): OffsetToCommit[] {
    return Array.from(this.#offsets, ([{ reading }, offset]) => ({ ...reading.where, offset }))
  }

  moveThrough(record: RecordPlace): void {
    for (const [progress, offset] of this.#deps.through(record)) this.#offsets.set(progress, offset)
  }

  /** @throws {KafkaError} ILLEGAL_GENERATION when a partition was taken away since */
  assertOurs(): void {
    for (const progress of this.#offsets.keys())
      if (!this.#deps.isOurs(progress)) throw notOurs(progress.reading.where)
  }

  committed(): void {
    for (const [progress, offset] of this.#offsets) progress.committedAt(offset)
  }
}
