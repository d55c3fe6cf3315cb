// Finds the aborted transactions for a reader of committed records, in the transaction indexes of segments. Network
// thread. Unlike other indexes this one is no hint: readers would take a missing transaction as committed, so damage
// is an error.

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

/** Entries per read; the last block of the active segment is kept. */
const BLOCK_ENTRIES = 64

/** Searches the indexes of one log. */
export class AbortedSearch {
  /** The active segment's index: readers that tail a log ask for its last entries again and again. */
  #active: IndexReader | undefined;

  /**
   * Transactions that began before `to`, which is at most the last stable offset, and whose marker is at `from` or
   * later.
   */
  *between(log: ReadableLog, from: number, to: number): DiskSteps<AbortedTransaction[]> {
    const found: AbortedTransaction[] = []
    // A copy: a compaction may replace some of the segments meanwhile.
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

/** Consecutive entries as they lie in the file. */
interface Block {
  /** Number of its first entry. */
  readonly start: number
  readonly bytes: Buffer
}

/** The index of one segment, with the block read last. */
class IndexReader {
  readonly segment: SegmentView
  readonly #isCold: boolean
  #block: Block = { start: 0, bytes: Buffer.alloc(0) }

  constructor(segment: SegmentView, isCold: boolean) {
    this.segment = segment
    this.#isCold = isCold
  }

  /** Number of the first entry whose marker is at `offset` or later. It tries the last block first. */
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
    const block = { start, bytes: into } // another search may load another block meanwhile
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
