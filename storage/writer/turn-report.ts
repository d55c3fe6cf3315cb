// TurnReport: collects the result of a turn while the turn runs. Writer thread.

import type { ErrorName } from '../../protocol/errors.ts'
import type { Clock } from '../clock.ts'
import type { RecordError } from '../record-rules.ts'
import type { Outcome, TurnResult } from './commands.ts'
import type { PartitionLog } from './partition-log.ts'

export class TurnReport {
  /** Logs with staged appends. */
  readonly touched = new Set<PartitionLog>()
  /** Logs whose state has changed. */
  readonly changed = new Set<PartitionLog>()
  rolled: TurnResult['rolled'][number][] = []
  swapped: TurnResult['swapped'][number][] = []
  dropped: TurnResult['dropped'][number][] = []
  /** Bytes of all batches of the turn. */
  turnBytes = 0
  /** The disk has no room, or the process no file descriptors. */
  hasStorageErrors = false
  #batchCount = 0
  #batchBytes = 0
  #outcomes: Outcome[] = []
  /** Written appends that are answered once they are durable. */
  #written: Outcome[] = []
  #writeMs = 0
  #syncMs = 0
  readonly #clock: Clock

  constructor(clock: Clock) {
    this.#clock = clock
  }

  done(outcome: Outcome): void {
    this.#outcomes.push(outcome)
  }

  refuse(
    id: number,
    error: ErrorName,
    message: string,
    recordErrors?: readonly RecordError[],
  ): void {
    this.hasStorageErrors ||= error === 'KAFKA_STORAGE_ERROR'
    const refusal = { id, error, message, ...(recordErrors && { recordErrors }) }
    this.#outcomes.push({ ...refusal, baseOffset: -1, logAppendTimeMs: -1 })
  }

  wrote(batchCount: number, bytes: number): void {
    this.#batchCount += batchCount
    this.#batchBytes += bytes
    this.turnBytes += bytes
  }

  /** @param isSyncDue answer only after a successful sync */
  appended(outcome: Outcome, isSyncDue: boolean): void {
    if (isSyncDue) this.#written.push(outcome)
    else this.#outcomes.push(outcome)
  }

  /** All appends so far are as durable as their flush policy demands. */
  commit(): void {
    for (const outcome of this.#written) this.#outcomes.push(outcome)
    this.#written = []
  }

  /** Can an append be answered now, while others wait for the disk? */
  get hasOutcomes(): boolean {
    return this.#outcomes.length > 0
  }

  timeWrite(write: () => void): void {
    const startMs = this.#clock.monotonic()
    write()
    this.#writeMs += this.#clock.monotonic() - startMs
  }

  timeSync(sync: () => void): void {
    const startMs = this.#clock.monotonic()
    sync()
    this.#syncMs += this.#clock.monotonic() - startMs
  }

  /** Takes the result so far; the next call does not repeat it. */
  take(): TurnResult {
    const result: TurnResult = {
      outcomes: this.#outcomes,
      states: Array.from(this.changed, (log) => log.state),
      rolled: this.rolled,
      swapped: this.swapped,
      dropped: this.dropped,
      batchCount: this.#batchCount,
      batchBytes: this.#batchBytes,
      writeSeconds: this.#writeMs / 1000,
      syncSeconds: this.#syncMs / 1000,
    }
    this.#outcomes = []
    this.rolled = []
    this.swapped = []
    this.dropped = []
    this.#batchCount = 0
    this.#batchBytes = 0
    this.#writeMs = 0
    this.#syncMs = 0
    return result
  }

  /** Drops results that were not taken: after a failure of the disk none of them is certain. */
  takeFatal(reason: string, unanswered: Iterable<{ readonly id: number }>): TurnResult {
    this.#outcomes = []
    this.#written = []
    this.changed.clear()
    this.rolled = []
    this.swapped = []
    this.dropped = []
    for (const { id } of unanswered) this.refuse(id, 'KAFKA_STORAGE_ERROR', reason)
    return { ...this.take(), fatal: reason }
  }
}
