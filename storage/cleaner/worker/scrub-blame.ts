// Each batch of a segment is sound by itself, but their sum is not the one that was written. Finds the batch whose
// base offset moved by one bit within a gap; if none did, the whole segment is suspect. Cleaner thread, or
// in-process.

import type { Fs } from '../../fs.ts'
import { epochAt } from '../../segment/epochs.ts'
import { headHash } from '../../segment/heads.ts'
import { SegmentScan } from '../../recovery/segment-scan.ts'
import type { Quarantined } from '../../log-facts.ts'
import type { ScrubPiece } from './scrub-piece.ts'

/** Bits of an offset, which is a safe integer. */
const OFFSET_BITS = 53

/**
 * @param whole the whole segment, from its first batch
 * @param excess by how much its sum of heads exceeds the expected one, modulo 2^32
 */
export function blame(fs: Fs, whole: ScrubPiece, excess: number): Quarantined {
  const { segmentBaseOffset, offset, endOffset, position, endPosition, isSparse } = whole
  const all = {
    segmentBaseOffset,
    startOffset: offset,
    endOffset,
    startPosition: position,
    endPosition,
  }
  const moved = isSparse ? movedBatches(fs, whole, excess) : []
  return moved.length === 1 ? { ...all, ...moved[0] } : all
}

type Range = Omit<Quarantined, 'segmentBaseOffset'>

function movedBatches(fs: Fs, whole: ScrubPiece, excess: number): Range[] {
  const { endOffset, endPosition: sizeBytes, epochs } = whole
  const fd = fs.open(`${whole.path}.log`, 'read')
  try {
    const scan = new SegmentScan(fs, fd, {
      sizeBytes,
      offsetMax: endOffset,
      isSparse: true,
      epochAt: (offset) => epochAt(epochs, offset),
    })
    const moved: Range[] = []
    let startOffset = whole.offset
    let isLastMoved = false
    for (const found of scan.from(whole.position, whole.offset)) {
      if (found.kind === 'bad') return []
      if (isLastMoved) moved[moved.length - 1] = { ...moved.at(-1)!, endOffset: found.baseOffset }
      const { checksum, lastOffset, position: startPosition } = found
      isLastMoved = couldHaveMoved(checksum, lastOffset, found.sizeBytes, found.baseOffset, excess)
      const endPosition = startPosition + found.sizeBytes
      if (isLastMoved) moved.push({ startOffset, endOffset, startPosition, endPosition })
      startOffset = lastOffset + 1
    }
    return moved
  } finally {
    fs.close(fd)
  }
}

/** Would another bit in the batch's base offset explain the excess? */
function couldHaveMoved(
  checksum: number,
  lastOffset: number,
  sizeBytes: number,
  baseOffset: number,
  excess: number,
): boolean {
  const hash = headHash(checksum, lastOffset, sizeBytes)
  for (let bit = 0; bit < OFFSET_BITS; bit++) {
    const weight = 2 ** bit
    const isSet = Math.floor(baseOffset / weight) % 2 === 1
    const moved = lastOffset + (isSet ? -weight : weight)
    if ((hash - headHash(checksum, moved, sizeBytes)) >>> 0 === excess) return true
  }
  return false
}
