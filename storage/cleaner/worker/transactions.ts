// TransactionFilter: which transactional batches were aborted, and which markers still mean something, as a pass over the log
// meets them in order. Any thread. Kafka's rules: docs/formats/cleaning.md

import { readEndMarker } from '../../../protocol/batch/control.ts'
import type { BatchHeader } from '../../../protocol/batch/header.ts'

/** Transactional records of the producer from `firstOffset` to its next ABORT marker do not count. */
export interface Aborted {
  readonly producerId: number
  readonly firstOffset: number
}

export class TransactionFilter {
  /** By first offset, the next one last. */
  readonly #waiting: Aborted[]
  /** Producers in an aborted transaction; does a batch of it lie before us? */
  readonly #aborting = new Map<number, { hasBatches: boolean }>()
  /** Producers in a transaction that was committed, of which a batch was there. */
  readonly #committing = new Set<number>()

  constructor(aborted: readonly Aborted[]) {
    this.#waiting = aborted.toSorted((a, b) => b.firstOffset - a.firstOffset)
  }

  /** @returns true when its records were aborted */
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

  /** @returns true when no batch of the transaction that this marker ends was left; call it once, in its place */
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
