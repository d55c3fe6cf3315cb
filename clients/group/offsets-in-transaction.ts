// OffsetsInTransaction: the offsets of a consumer's group that a transaction commits.

import type { OffsetToCommit } from '../cluster/offset-to-commit.ts'
import type { Coordinator, MemberState } from './coordinator.ts'
import { notOurs, type RecordPlace } from './in-hand.ts'
import type { Progress } from './progress.ts'
import type { ProgressTable } from './progress-table.ts'

export interface GroupOffsetsDeps {
  readonly coordinator: Coordinator
  /** The current member and generation: the generation may change while partitions stay. */
  readonly member: () => MemberState
  readonly progress: Pick<ProgressTable, 'through' | 'isCurrent'>
}

export class OffsetsInTransaction {
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
    const { progress: table } = this.#deps
    for (const [progress, offset] of table.through(record)) this.#offsets.set(progress, offset)
  }

  /** @throws {KafkaError} ILLEGAL_GENERATION when the member has lost a partition since */
  assertOurs(): void {
    for (const progress of this.#offsets.keys())
      if (!this.#deps.progress.isCurrent(progress)) throw notOurs(progress.reading.where)
  }

  committed(): void {
    for (const [progress, offset] of this.#offsets) progress.committedAt(offset)
  }
}
