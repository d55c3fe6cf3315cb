// Continuity: the fields that the next batch header of an extent must have. The CRC of a batch covers neither its
// base offset nor its size and leader epoch; they follow from its neighbours, its segment and the log's epochs.
// Network thread. See docs/formats/recovery.md

import {
  BATCH_OVERHEAD_BYTES,
  baseOffsetOf,
  batchSizeBytes,
  fittingBatchBytes,
  lastOffsetDeltaOf,
  leaderEpochOf,
  magicOf,
} from '../../protocol/batch/header.ts'
import { KafkaError } from '../../protocol/errors.ts'
import type { Extent, SegmentView } from './batch-walk.ts'

/** Bytes of a segment are not what was written there. */
export class RotFound extends KafkaError {
  readonly segment: SegmentView

  constructor(segment: SegmentView, what: string) {
    super('CORRUPT_MESSAGE', `${segment.path}.log ${what}`)
    this.segment = segment
  }
}

export class Continuity {
  readonly #extent: Extent
  /** Base offset of the next batch, or a lower bound in a sparse extent; undefined: unknown. */
  nextOffset: number | undefined
  #epoch: number | undefined
  /** The range of offsets with `#epoch`; the end is exclusive. */
  #epochStart = 0
  #epochEnd = 0

  constructor(extent: Extent, nextOffset: number | undefined) {
    this.#extent = extent
    this.nextOffset = nextOffset
  }

  /**
   * Steps over the batch whose header lies at `at`.
   *
   * @param position of the header in the segment
   * @returns bytes of the whole batch
   * @throws {RotFound} when no batch there continues the extent; the state is then unchanged
   */
  take(bytes: Uint8Array, at: number, position: number): number {
    const sizeBytes = this.step(bytes, at, position)
    if (sizeBytes !== undefined) return sizeBytes
    const isHeader = bytes.length - at >= BATCH_OVERHEAD_BYTES
    const found = isHeader
      ? `${batchSizeBytes(bytes, at)} bytes, magic ${magicOf(bytes, at)}, base offset ${baseOffsetOf(bytes, at)}`
      : `${bytes.length - at} bytes`
    throw new RotFound(this.#extent.segment, `has no batch that belongs at ${position}: ${found}`)
  }

  /** As `take`. @returns undefined when no batch there continues the extent */
  step(bytes: Uint8Array, at: number, position: number): number | undefined {
    const { startOffset, endOffset, endPosition, isSparse } = this.#extent
    const { nextOffset } = this
    const baseMax = isSparse || nextOffset === undefined ? endOffset : nextOffset
    const bytesMax = endPosition - position
    const baseMin = nextOffset ?? startOffset
    const sizeBytes = fittingBatchBytes(bytes, at, bytesMax, baseMin, baseMax, endOffset)
    if (sizeBytes === undefined) return undefined
    const baseOffset = baseOffsetOf(bytes, at)
    if (!this.#isOfItsEpoch(baseOffset, leaderEpochOf(bytes, at))) return undefined
    this.nextOffset = baseOffset + lastOffsetDeltaOf(bytes, at) + 1
    return sizeBytes
  }

  #isOfItsEpoch(offset: number, epoch: number): boolean {
    if (offset < this.#epochStart || offset >= this.#epochEnd) this.#findEpoch(offset)
    return this.#epoch === undefined || this.#epoch === epoch
  }

  #findEpoch(offset: number): void {
    const { epochs } = this.#extent
    const index = epochs.findLastIndex(({ startOffset }) => startOffset <= offset)
    this.#epoch = epochs[index]?.epoch
    this.#epochStart = epochs[index]?.startOffset ?? -Infinity
    this.#epochEnd = epochs[index + 1]?.startOffset ?? Infinity
  }
}
