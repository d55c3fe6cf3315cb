// CleanedSegment: writes the remaining records of some segments beside them as `*.cleaned`, with indexes. The writer
// swaps it in. Cleaner thread. Names: storage/layout.ts

import { join } from 'node:path'
import {
  checksumOf,
  lastOffsetDeltaOf,
  baseOffsetOf,
  maxTimestampOf,
  recordCountOf,
} from '../../../protocol/batch/header.ts'
import type { Fs } from '../../fs.ts'
import {
  CLEANED_SUFFIX,
  type SegmentSuffix,
  segmentSuffixes,
  swapFile,
  type SwapRange,
} from '../../layout.ts'
import { emptySegment, Segment } from '../../segment/segment.ts'
import { readTxnEntry, TXN_ENTRY_BYTES, type TxnEntry } from '../../segment/txn-index.ts'
import type { SegmentStart } from '../../log-facts.ts'

/** Bytes per write. */
const BLOCK_BYTES = 1024 * 1024
/** Bytes per sync: the writer's syncs would wait while a gigabyte is synced. */
const SYNC_BYTES = 8 * 1024 * 1024

export class CleanedSegment {
  readonly #fs: Fs
  readonly #path: string
  readonly #unfinished: SwapRange
  readonly #indexIntervalBytes: number
  readonly #segment: Segment
  readonly #block = Buffer.allocUnsafe(BLOCK_BYTES)
  #blockBytes = 0
  #unsyncedBytes = 0
  #aborted: TxnEntry[] = []

  constructor(fs: Fs, path: string, baseOffset: number, indexIntervalBytes: number) {
    this.#fs = fs
    this.#path = path
    const range = { baseOffset, endOffset: baseOffset }
    this.#unfinished = range
    this.#indexIntervalBytes = indexIntervalBytes
    const nameOf = (suffix: SegmentSuffix) => cleanedName(range, suffix)
    for (const suffix of segmentSuffixes) {
      if (suffix !== '.txnindex') fs.close(fs.open(join(path, nameOf(suffix)), 'replace'))
    }
    this.#segment = new Segment(fs, path, 0, emptySegment(baseOffset), nameOf)
  }

  get baseOffset(): number {
    return this.#segment.baseOffset
  }

  get sizeBytes(): number {
    return this.#segment.sizeBytes + this.#blockBytes
  }

  /** @param batch whole; copied */
  append(batch: Uint8Array): void {
    if (this.#blockBytes + batch.length > BLOCK_BYTES) this.#flush()
    const position = this.sizeBytes
    if (batch.length > BLOCK_BYTES) this.#write(batch)
    else {
      this.#block.set(batch, this.#blockBytes)
      this.#blockBytes += batch.length
    }
    const lastOffset = baseOffsetOf(batch) + lastOffsetDeltaOf(batch)
    const maxTimestamp = recordCountOf(batch) === 0 ? -1 : maxTimestampOf(batch)
    const checksum = checksumOf(batch)
    const facts = { lastOffset, sizeBytes: batch.length, maxTimestamp, checksum }
    this.#segment.note(facts, position, this.#indexIntervalBytes)
  }

  /** Keeps the entries of a segment's index whose markers stay. */
  keepAborted(indexPath: string, count: number, markers: ReadonlySet<number>): void {
    const bytes = Buffer.alloc(count * TXN_ENTRY_BYTES)
    const fd = this.#fs.open(indexPath, 'read')
    try {
      this.#fs.read(fd, bytes, 0)
    } finally {
      this.#fs.close(fd)
    }
    for (let at = 0; at < bytes.length; at += TXN_ENTRY_BYTES) {
      const entry = readTxnEntry(bytes, at)
      if (!entry) throw new Error(`${indexPath} is damaged at entry ${at / TXN_ENTRY_BYTES}`)
      if (markers.has(entry.lastOffset)) this.#aborted.push(entry)
    }
  }

  /** Durable except for its name when it returns. @param endOffset the end of the last source segment */
  finish(endOffset: number): SegmentStart {
    this.#flush()
    if (this.#aborted.length > 0) this.#segment.write([Buffer.alloc(0)], 0, this.#aborted)
    this.#segment.seal()
    this.#segment.release()
    const finished = { ...this.#segment.info, endOffset }
    for (const suffix of segmentSuffixes) {
      const unfinished = join(this.#path, cleanedName(this.#unfinished, suffix))
      const file = join(this.#path, cleanedName(finished, suffix))
      if (this.#fs.stat(unfinished)) this.#fs.rename(unfinished, file)
    }
    return finished
  }

  /** Removes the files. */
  abandon(): void {
    try {
      this.#segment.sync()
      this.#segment.release()
      for (const suffix of segmentSuffixes) {
        const file = join(this.#path, cleanedName(this.#unfinished, suffix))
        if (this.#fs.stat(file)) this.#fs.removeFile(file)
      }
    } catch {
      // the next start removes them
    }
  }

  #flush(): void {
    if (this.#blockBytes === 0) return
    this.#write(this.#block.subarray(0, this.#blockBytes))
    this.#blockBytes = 0
  }

  #write(bytes: Uint8Array): void {
    this.#segment.write([bytes], bytes.length, [])
    this.#unsyncedBytes += bytes.length
    if (this.#unsyncedBytes < SYNC_BYTES) return
    this.#segment.sync()
    this.#unsyncedBytes = 0
  }
}

function cleanedName(range: SwapRange, suffix: SegmentSuffix): string {
  return swapFile(range, suffix) + CLEANED_SUFFIX
}
