// Finds the aborted transactions that a reader of committed records must know of, in the transaction indexes of segments.
// Network thread. An index is not a hint here: what it does not say would be read as committed; so damage is an error.

import { KafkaError } from '../protocol/errors.ts'
import { Offset } from '../protocol/ids.ts'
import {
  readFully,
  segmentIndexOf,
  type Reading,
  type ReadableLog,
  type SegmentView,
} from './batch-walk.ts'
import { readTxnEntry, TXN_ENTRY_BYTES, type TxnEntry } from './segment/txn-index.ts'
import type { AbortedTransaction } from './store.ts'

/** Read at a time. */
const ENTRIES_A_READ = 256

/** Those whose marker is at `from` or later and that began before `to`, which is at most the last stable offset. */
export function* abortedBetween(
  log: ReadableLog,
  from: number,
  to: number,
): Reading<AbortedTransaction[]> {
  const found: AbortedTransaction[] = []
  for (let i = segmentIndexOf(log.segments, from); i < log.segments.length; i++) {
    const segment = log.segments[i]!
    const index = new EntryReader(segment, i < log.segments.length - 1)
    for (let at = yield* index.firstFrom(from); at < segment.abortedCount; at++) {
      const { producerId, firstOffset, lastStableOffset } = yield* index.entry(at)
      if (firstOffset < to) found.push({ producerId, firstOffset: Offset(firstOffset) })
      if (lastStableOffset >= to) return found
    }
  }
  return found
}

/** The index of one segment, some entries of it in memory. */
class EntryReader {
  readonly #segment: SegmentView
  readonly #isCold: boolean
  #block = Buffer.alloc(0)
  #blockStart = 0

  constructor(segment: SegmentView, isCold: boolean) {
    this.#segment = segment
    this.#isCold = isCold
  }

  /** Number of the first entry whose marker is at `offset` or later. */
  *firstFrom(offset: number): Reading<number> {
    let low = 0
    let high = this.#segment.abortedCount
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((yield* this.entry(middle)).lastOffset < offset) low = middle + 1
      else high = middle
    }
    return low
  }

  *entry(number: number): Reading<TxnEntry> {
    const blockStart = number - (number % ENTRIES_A_READ)
    if (this.#block.length === 0 || blockStart !== this.#blockStart) yield* this.#load(blockStart)
    const entry = readTxnEntry(this.#block, (number - blockStart) * TXN_ENTRY_BYTES)
    if (entry) return entry
    const message = `${this.#segment.path}.txnindex is damaged at entry ${number}; restart the broker to make it anew`
    throw new KafkaError('KAFKA_STORAGE_ERROR', message)
  }

  *#load(blockStart: number): Reading<void> {
    const segment = this.#segment
    const count = Math.min(ENTRIES_A_READ, segment.abortedCount - blockStart)
    const into = Buffer.alloc(count * TXN_ENTRY_BYTES)
    const position = blockStart * TXN_ENTRY_BYTES
    yield* readFully({ segment, suffix: '.txnindex', into, position, isCold: this.#isCold })
    this.#block = into
    this.#blockStart = blockStart
  }
}
