// TransactionFilter: tells aborted batches and markers that still end something, as a pass meets them in log order.
// Any thread. Kafka's rules: docs/formats/cleaning.md

import { readEndMarker } from '../../../protocol/batch/control.ts'
import type { BatchHeader } from '../../../protocol/batch/header.ts'

/** An aborted transaction: the producer's transactional records from `firstOffset` to its next ABORT marker. */
export interface Aborted {
  readonly producerId: number
  readonly firstOffset: number
}

export class TransactionFilter {
  /** By first offset, the earliest last. */
  readonly #waiting: Aborted[]
  /** Producers within an aborted transaction; has the pass met a batch of it? */
  readonly #aborting = new Map<number, { hasBatches: boolean }>()
  /** Producers within a committed transaction of which the pass has met a batch. */
  readonly #committing = new Set<number>()

  constructor(aborted: readonly Aborted[]) {
    this.#waiting = aborted.toSorted((a, b) => b.firstOffset - a.firstOffset)
  }

  /** @returns true when the transaction of the batch was aborted */
  isAborted(header: BatchHeader): boolean {
    if (!header.isTransactional || header.isControl) return false
    this.#beginUpTo(header.baseOffset + header.lastOffsetDelta)
    const aborting = this.#aborting.get(header.producerId)
    if (aborting) {
      aborting.hasBatches = true
      return true
    }
    this.#committing.add(header.producerId)
    return false
  }

  /** @returns true when the marker's transaction has no batch left; call it once, in log order */
  isMarkerOfNothing(bytes: Uint8Array, header: BatchHeader): boolean {
    const marker = readEndMarker(bytes, 0, header)
    if (!marker) return false
    if (marker.kind === 'commit') return !this.#committing.delete(header.producerId)
    this.#beginUpTo(header.baseOffset)
    const aborting = this.#aborting.get(header.producerId)
    this.#aborting.delete(header.producerId)
    return aborting?.hasBatches !== true
  }

  #beginUpTo(offset: number): void {
    for (;;) {
      const next = this.#waiting.at(-1)
      if (!next || next.firstOffset > offset) return
      this.#waiting.pop()
      this.#aborting.set(next.producerId, { hasBatches: false })
    }
  }
}
