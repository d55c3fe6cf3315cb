// RecoveredSegment: a segment while a start reads it. Batches that lie in the file are taken over, in their order, and the
// transaction index is whole again when the start is done. Writer thread, at start. See docs/formats/recovery.md

import { orDiskFailure } from '../disk-failure.ts'
import type { Fs } from '../fs.ts'
import type { BatchFacts, Segment } from '../segment/segment.ts'
import { readTxnIndex, type TxnEntry } from '../segment/txn-index.ts'

export class RecoveredSegment {
  readonly segment: Segment
  readonly #fs: Fs
  /** What lies from this offset on was found in the file, and is not what a checkpoint says. */
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

  /** The batch lies there already, and so does all before it. */
  adopt(batch: BatchFacts, position: number, indexIntervalBytes: number): void {
    this.segment.note(batch, position, indexIntervalBytes)
    this.segment.growTo(position + batch.sizeBytes, batch.lastOffset + 1)
  }

  /** The file goes on to `position` with bytes that are no batch, in the place of records up to `endOffset`. */
  skipTo(position: number, endOffset: number): void {
    this.segment.growTo(position, endOffset)
  }

  /**
   * Up to here the transaction index has every entry. One that is damaged begins anew.
   *
   * @returns the base offset when there is nothing in it
   */
  soundTxnIndexEnd(): number {
    const { txnIndex } = this.segment
    if (readTxnIndex(this.#fs, txnIndex.file.path, txnIndex.info)) return this.#adoptedFrom
    txnIndex.cutTo({ abortedCount: 0, abortedChecksum: 0 })
    return this.baseOffset
  }

  /** A marker that lies there aborted this transaction. */
  noteAborted(aborted: TxnEntry): void {
    this.segment.txnIndex.append(aborted)
  }

  /** The index file holds all entries and nothing else. @param isSealed durably, for nothing is added any more */
  finishTxnIndex(isSealed: boolean): void {
    const { file } = this.segment.txnIndex
    if (this.segment.abortedCount === 0 && !this.#fs.stat(file.path)) return
    orDiskFailure(file.path, () => (isSealed ? file.seal() : file.saveAndCut()))
  }
}
