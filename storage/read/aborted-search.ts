// Finds the aborted transactions that a reader of committed records must know of, in the transaction indexes of segments.
// Network thread. An index is not a hint here: what it does not say would be read as committed; so damage is an error.

import { KafkaError } from '../../protocol/errors.ts'
import { Offset } from '../../protocol/ids.ts'
import {
  readFully,
  segmentIndexOf,
  type DiskSteps,
  type ReadableLog,
  type SegmentView,
} from './batch-walk.ts'
import { readTxnEntry, TXN_ENTRY_BYTES, type TxnEntry } from '../segment/txn-index.ts'
import type { AbortedTransaction } from '../store.ts'

/** Read at a time, and kept of the active segment. */
const BLOCK_ENTRIES = 64

/** Over the indexes of one log. */
export class AbortedSearch {
  /** Of the active segment: those who follow a log ask for its last entries again and again. */
  #active: IndexReader | undefined;

  /** Those whose marker is at `from` or later and that began before `to`, which is at most the last stable offset. */
  *between(log: ReadableLog, from: number, to: number): DiskSteps<AbortedTransaction[]> {
    const found: AbortedTransaction[] = []
    // As they are now: a compaction may put one in the place of some meanwhile.
    const segments = log.segments.slice(segmentIndexOf(log.segments, from))
    for (const segment of segments) {
      const index = this.#readerOf(segment, segment === segments.at(-1))
      for (let at = yield* index.firstFrom(from); at < segment.abortedCount; at++) {
        const { producerId, firstOffset, lastStableOffset } = yield* index.entry(at)
        if (firstOffset < to) found.push({ producerId, firstOffset: Offset(firstOffset) })
        if (lastStableOffset >= to) return found
      }
    }
    return found
  }

  #readerOf(segment: SegmentView, isActive: boolean): IndexReader {
    if (!isActive) return new IndexReader(segment, true)
    if (this.#active?.segment !== segment) this.#active = new IndexReader(segment, false)
    return this.#active
  }
}

/** Some entries, as they lie in the file. */
interface Block {
  /** Number of the first one. */
  readonly start: number
  readonly bytes: Buffer
}

/** The index of one segment, the last block that was read in memory. */
class IndexReader {
  readonly segment: SegmentView
  readonly #isCold: boolean
  #block: Block = { start: 0, bytes: Buffer.alloc(0) }

  constructor(segment: SegmentView, isCold: boolean) {
    this.segment = segment
    this.#isCold = isCold
  }

  /** Number of the first entry whose marker is at `offset` or later. The last block is looked at first. */
  *firstFrom(offset: number): DiskSteps<number> {
    let low = 0
    let high = this.segment.abortedCount
    for (let middle = blockStartOf(Math.max(0, high - 1)); low < high;) {
      if ((yield* this.entry(middle)).lastOffset < offset) low = middle + 1
      else high = middle
      middle = (low + high) >>> 1
    }
    return low
  }

  *entry(number: number): DiskSteps<TxnEntry> {
    const isThere = holds(this.#block, number)
    const { start, bytes } = isThere ? this.#block : yield* this.#load(blockStartOf(number))
    const entry = readTxnEntry(bytes, (number - start) * TXN_ENTRY_BYTES)
    if (entry && !this.segment.isTxnIndexRotten) return entry
    const message = `${this.segment.path}.txnindex is damaged at entry ${number}; restart the broker to make it anew`
    throw new KafkaError('KAFKA_STORAGE_ERROR', message)
  }

  *#load(start: number): DiskSteps<Block> {
    const { segment } = this
    const count = Math.min(BLOCK_ENTRIES, segment.abortedCount - start)
    const into = Buffer.alloc(count * TXN_ENTRY_BYTES)
    const position = start * TXN_ENTRY_BYTES
    yield* readFully({ segment, suffix: '.txnindex', into, position, isCold: this.#isCold })
    const block = { start, bytes: into } // another search may load another one meanwhile
    this.#block = block
    return block
  }
}

function blockStartOf(number: number): number {
  return number - (number % BLOCK_ENTRIES)
}

function holds({ start, bytes }: Block, number: number): boolean {
  return number >= start && (number - start + 1) * TXN_ENTRY_BYTES <= bytes.length
}
