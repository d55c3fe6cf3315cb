// RecoveredSegment: a segment during a start. It takes over the batches of the file, in order, and rebuilds the
// transaction index. Writer thread, at start. See docs/formats/recovery.md

import { orDiskFailure } from '../disk-failure.ts'
import type { Fs } from '../fs.ts'
import type { BatchFacts, Segment } from '../segment/segment.ts'
import { readTxnIndex, type TxnEntry } from '../segment/txn-index.ts'

export class RecoveredSegment {
  readonly segment: Segment
  readonly #fs: Fs
  /** From this offset on the batches come from the file and not from a checkpoint. */
  readonly #adoptedFrom: number

  constructor(fs: Fs, segment: Segment) {
    this.#fs = fs
    this.segment = segment
    this.#adoptedFrom = segment.endOffset
  }

  get baseOffset(): number {
    return this.segment.baseOffset
  }

  get endOffset(): number {
    return this.segment.endOffset
  }

  get sizeBytes(): number {
    return this.segment.sizeBytes
  }

  /** The batch is in the file, and so are all before it. */
  adopt(batch: BatchFacts, position: number, indexIntervalBytes: number): void {
    this.segment.note(batch, position, indexIntervalBytes)
    this.segment.growTo(position + batch.sizeBytes, batch.lastOffset + 1)
  }

  /** Up to `position` the file holds no batch, in place of the records up to `endOffset`. */
  skipTo(position: number, endOffset: number): void {
    this.segment.growTo(position, endOffset)
  }

  /**
   * Checks how far the transaction index has every entry; a damaged one starts from nothing.
   *
   * @returns the base offset when the index is empty
   */
  soundTxnIndexEnd(): number {
    const { txnIndex } = this.segment
    if (readTxnIndex(this.#fs, txnIndex.file.path, txnIndex.info)) return this.#adoptedFrom
    txnIndex.cutTo({ abortedCount: 0, abortedChecksum: 0 })
    return this.baseOffset
  }

  /** A marker in the file aborted this transaction. */
  noteAborted(aborted: TxnEntry): void {
    this.segment.txnIndex.append(aborted)
  }

  /**
   * Writes the index file, with all entries and nothing else. @param isSealed make it durable, because nothing is
   * added any more
   */
  finishTxnIndex(isSealed: boolean): void {
    const { file } = this.segment.txnIndex
    if (this.segment.abortedCount === 0 && !this.#fs.stat(file.path)) return
    orDiskFailure(file.path, () => (isSealed ? file.seal() : file.saveAndCut()))
  }
}
