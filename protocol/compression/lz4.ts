// lz4: standard frames of independent blocks. Any thread.
// The library has no limit on its output, so the codec walks the frames first: cheaply by block, and by sequence
// only if the blocks may exceed the limit.
// Source: LZ4 Frame Format 1.6.4, LZ4 Block Format.

import { asBuffer } from '../bytes.ts'
import { requireFor } from '../require.ts'
import { CLAIM_BLOCKS_MAX, corrupt, tooLarge, type Compressor } from './bounds.ts'

let library: typeof import('lz4-napi') | undefined

const FRAME_MAGIC = 0x184d2204
/** Block size codes 4 to 7 in a frame's descriptor. */
const BLOCK_BYTES_MAX = [64 * 1024, 256 * 1024, 1024 * 1024, 4 * 1024 * 1024]
const UNCOMPRESSED_BIT = 0x8000_0000
/** A length byte stands for at most 255 bytes. */
const EXPANSION_MAX = 255

interface Frame {
  readonly start: number
  readonly end: number
  readonly blocks: readonly Block[]
}

interface Block {
  readonly start: number
  readonly end: number
  /** Limit of the output, in bytes. */
  readonly outputBytesMax: number
  readonly isCompressed: boolean
}

export const lz4: Compressor = {
  compress: (bytes) => load().compressFrameSync(asBuffer(bytes)),

  decompress(bytes, bytesMax) {
    const frames = framesOf(bytes)
    if (claimOf(frames) > bytesMax) {
      const blocks = frames.flatMap((frame) => frame.blocks)
      const sizeBytes = blocks.reduce((sum, block) => sum + outputBytes(bytes, block), 0)
      if (sizeBytes > bytesMax) throw tooLarge(sizeBytes, bytesMax)
    }
    const parts = frames.map(({ start, end }) =>
      load().decompressFrameSync(asBuffer(bytes.subarray(start, end))),
    )
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts)
  },

  claimedBytes: (bytes) => claimOf(framesOf(bytes, CLAIM_BLOCKS_MAX)),
}

function claimOf(frames: readonly Frame[]): number {
  return frames
    .flatMap(({ blocks }) => blocks)
    .reduce((sum, { outputBytesMax }) => sum + outputBytesMax, 0)
}

function load(): typeof import('lz4-napi') {
  return (library ??= requireFor('lz4', 'lz4-napi') as typeof import('lz4-napi'))
}

function framesOf(bytes: Uint8Array, blocksMax = Infinity): Frame[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const frames: Frame[] = []
  let at = 0
  let blocksLeft = blocksMax
  do {
    const frame = frameAt(view, at, blocksLeft)
    blocksLeft -= 1 + frame.blocks.length
    frames.push(frame)
    at = frame.end
  } while (at < bytes.length)
  return frames
}

/** Reads past the end throw a RangeError, which the caller reports as damage. */
function frameAt(view: DataView, start: number, blocksMax: number): Frame {
  if (view.getUint32(start, true) !== FRAME_MAGIC) throw corrupt(`lz4: no frame at ${start}`)
  const flags = view.getUint8(start + 4)
  const blockBytesMax = BLOCK_BYTES_MAX[((view.getUint8(start + 5) >> 4) & 7) - 4]
  if (blockBytesMax === undefined) throw corrupt('lz4: an unknown block size')
  const contentSizeBytes = flags & 0x08 ? 8 : 0
  const dictionaryIdBytes = flags & 0x01 ? 4 : 0
  const blockChecksumBytes = flags & 0x10 ? 4 : 0
  const contentChecksumBytes = flags & 0x04 ? 4 : 0
  const blocks: Block[] = []
  let at = start + 7 + contentSizeBytes + dictionaryIdBytes
  for (;;) {
    const word = view.getUint32(at, true)
    at += 4
    if (word === 0) break
    if (blocks.length >= blocksMax) throw corrupt('lz4: many blocks')
    const isCompressed = word < UNCOMPRESSED_BIT
    const sizeBytes = isCompressed ? word : word - UNCOMPRESSED_BIT
    const outputBytesMax = isCompressed
      ? Math.min(blockBytesMax, sizeBytes * EXPANSION_MAX)
      : sizeBytes
    blocks.push({ start: at, end: at + sizeBytes, outputBytesMax, isCompressed })
    at += sizeBytes + blockChecksumBytes
  }
  const end = at + contentChecksumBytes
  if (end > view.byteLength)
    throw corrupt(`lz4: a frame that ends at ${end} of ${view.byteLength} bytes`)
  return { start, end, blocks }
}

/** The decompressed size of a block, in bytes: the sum of its literal runs and matches. */
function outputBytes(bytes: Uint8Array, block: Block): number {
  if (!block.isCompressed) return block.outputBytesMax
  const { end } = block
  let at = block.start
  let sizeBytes = 0
  while (at < end) {
    const token = bytes[at++]!
    let literalBytes = token >> 4
    if (literalBytes === 15) {
      let more = 255
      while (more === 255 && at < end) literalBytes += more = bytes[at++]!
    }
    sizeBytes += literalBytes
    at += literalBytes
    if (at >= end) break // the last sequence has no match
    at += 2
    let matchBytes = (token & 15) + 4
    if (matchBytes === 19) {
      let more = 255
      while (more === 255 && at < end) matchBytes += more = bytes[at++]!
    }
    sizeBytes += matchBytes
  }
  return sizeBytes
}
