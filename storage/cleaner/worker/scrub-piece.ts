// Scrubs a piece of a segment: reads and checks every batch as a start does. Changes nothing. Cleaner thread, or
// in-process. See docs/formats/cleaning.md

import { BATCH_OVERHEAD_BYTES, checksumOf } from '../../../protocol/batch/header.ts'
import { errnoCode, type Fs } from '../../fs.ts'
import { epochAt } from '../../segment/epochs.ts'
import { headHash, sumOfHeads } from '../../segment/heads.ts'
import { SegmentScan } from '../../recovery/segment-scan.ts'
import type { EpochStart, Quarantined } from '../../log-facts.ts'

/** Ends are exclusive. */
export interface ScrubPiece {
  /** Path of the segment's files, without the suffix. */
  readonly path: string
  readonly segmentBaseOffset: number
  /** The piece's first batch. */
  readonly position: number
  readonly offset: number
  /** The end of the segment's readable part. */
  readonly endPosition: number
  readonly endOffset: number
  readonly isSparse: boolean
  readonly epochs: readonly EpochStart[]
  /** The piece ends after the batch that reaches this size. */
  readonly bytesMax: number
}

export interface ScrubbedPiece {
  /** Start of the next piece: the end position if there is none. */
  readonly position: number
  readonly offset: number
  readonly batchCount: number
  /** The sum of the heads of its good batches, modulo 2^32. */
  readonly headsSum: number
  /** The CRC at the start of the file, if the piece starts there; 0: unknown. */
  readonly firstChecksum: number
  readonly bad: readonly Quarantined[]
}

/** @throws {Error} when the disk refuses; a missing file is no error */
export function scrubPiece(fs: Fs, piece: ScrubPiece): ScrubbedPiece {
  const fd = openOrGone(fs, `${piece.path}.log`)
  if (fd === undefined) return restIsGone(piece, { ...piece, ...nothing })
  try {
    return scrubFile(fs, fd, piece)
  } finally {
    fs.close(fd)
  }
}

const nothing = { batchCount: 0, headsSum: 0, firstChecksum: 0, bad: [] }

function firstChecksumIn(fs: Fs, fd: number, { position }: ScrubPiece): number {
  if (position > 0) return 0
  const header = Buffer.alloc(BATCH_OVERHEAD_BYTES)
  fs.read(fd, header, 0)
  return checksumOf(header)
}

function openOrGone(fs: Fs, path: string): number | undefined {
  try {
    return fs.open(path, 'read')
  } catch (error) {
    if (errnoCode(error) === 'ENOENT') return undefined
    throw error
  }
}

function scrubFile(fs: Fs, fd: number, piece: ScrubPiece): ScrubbedPiece {
  const { segmentBaseOffset, endPosition, endOffset, isSparse, epochs, bytesMax } = piece
  const sizeBytes = Math.min(fs.sizeBytes(fd), endPosition)
  const scan = new SegmentScan(fs, fd, {
    sizeBytes,
    offsetMax: endOffset,
    isSparse,
    epochAt: (offset) => epochAt(epochs, offset),
  })
  let { position, offset } = piece
  const firstChecksum = firstChecksumIn(fs, fd, piece)
  let batchCount = 0
  let headsSum = 0
  const bad: Quarantined[] = []
  for (const found of scan.from(position, offset)) {
    if (found.kind === 'batch') {
      batchCount++
      const { checksum, lastOffset } = found
      headsSum = sumOfHeads(headsSum, headHash(checksum, lastOffset, found.sizeBytes))
      position = found.position + found.sizeBytes
      offset = found.lastOffset + 1
    } else {
      const { startOffset, startPosition } = found
      const isLast = found.endOffset === undefined
      position = isLast ? endPosition : found.endPosition
      offset = found.endOffset ?? endOffset
      bad.push({
        startOffset,
        endOffset: offset,
        segmentBaseOffset,
        startPosition,
        endPosition: position,
      })
    }
    if (position - piece.position >= bytesMax && position < sizeBytes)
      return { position, offset, batchCount, headsSum, firstChecksum, bad }
  }
  const isWhole = isSparse && sizeBytes === endPosition
  const found = { batchCount, headsSum, firstChecksum, bad }
  const scrubbed = { position: endPosition, offset, ...found }
  return isWhole || offset >= endOffset ? scrubbed : restIsGone(piece, { ...scrubbed, position })
}

/** The range behind `scrubbed`, where records are missing. */
function restIsGone(
  { segmentBaseOffset, endOffset, endPosition }: ScrubPiece,
  { position, offset, bad, ...found }: ScrubbedPiece,
): ScrubbedPiece {
  const gone = { segmentBaseOffset, startOffset: offset, endOffset }
  return {
    ...found,
    position: endPosition,
    offset: endOffset,
    bad: [...bad, { ...gone, startPosition: position, endPosition }],
  }
}
