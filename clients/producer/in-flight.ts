// InFlight: the batches of one partition that were sent and have no answer yet, oldest first. It asserts the bounds by
// which the sender keeps their order (sender.ts): a batch that breaks one could overtake another.

import { strict as assert } from 'node:assert'
import type { Batch } from './batch.ts'

export class InFlight {
  readonly #batches: Batch[] = []

  get count(): number {
    return this.#batches.length
  }

  [Symbol.iterator](): Iterator<Batch> {
    return this.#batches.values()
  }

  /** A batch is sent. @param countMax the most that may be in flight with it */
  add(batch: Batch, countMax: number): void {
    const last = this.#batches.at(-1)
    assert(this.#batches.length < countMax, 'a partition has a bound of batches in flight')
    if (last !== undefined) {
      assert(last.firstRecord < batch.firstRecord, 'batches of a partition are sent in order')
      assert(batch.attempts === 1, 'a batch is sent again when no other is in flight')
    }
    this.#batches.push(batch)
  }

  /** The batch has an answer, or will have none. */
  remove(batch: Batch): void {
    const at = this.#batches.indexOf(batch)
    assert(at >= 0, 'a batch in flight has one outcome')
    this.#batches.splice(at, 1)
  }
}
