// snappy: reads a raw block (librdkafka, franz-go) or xerial's framing (Java, kafka-python), and writes a raw block,
// which every client reads. Any thread.

import { requireFor } from '../require.ts'
import { CLAIM_BLOCKS_MAX, corrupt, tooLarge, type Compressor } from './bounds.ts'

let library: typeof import('snappy') | undefined

/** "\x82SNAPPY\0", the first 8 bytes of xerial's 16-byte header. */
const XERIAL_MAGIC = Buffer.from('82534e4150505900', 'hex')
const XERIAL_HEADER_BYTES = 16

/** No snappy element of n bytes stands for more than 22 n, so a larger size is false. */
const EXPANSION_MAX = 22

export const snappy: Compressor = {
  compress: (bytes) => load().compressSync(bytes),

  decompress(bytes, bytesMax) {
    const blocks = blocksOf(bytes)
    const sizeBytes = claimOf(blocks)
    if (sizeBytes > bytesMax) throw tooLarge(sizeBytes, bytesMax)
    const parts = blocks.map((block) => load().uncompressSync(block) as Buffer)
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts)
  },

  claimedBytes: (bytes) => claimOf(blocksOf(bytes, CLAIM_BLOCKS_MAX)),
}

function claimOf(blocks: readonly Uint8Array[]): number {
  let sizeBytes = 0
  for (const block of blocks) {
    const declared = declaredBytes(block)
    if (declared > block.length * EXPANSION_MAX)
      throw corrupt(`snappy: ${block.length} bytes claim to be ${declared}`)
    sizeBytes += declared
  }
  return sizeBytes
}

function load(): typeof import('snappy') {
  return (library ??= requireFor('snappy', 'snappy') as typeof import('snappy'))
}

function blocksOf(bytes: Uint8Array, countMax = Infinity): Uint8Array[] {
  const isXerial =
    bytes.length >= XERIAL_HEADER_BYTES &&
    XERIAL_MAGIC.equals(bytes.subarray(0, XERIAL_MAGIC.length))
  if (!isXerial) return [bytes]
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const blocks: Uint8Array[] = []
  for (let at = XERIAL_HEADER_BYTES; at < bytes.length;) {
    const start = at + 4
    const end = start + view.getInt32(at)
    if (end <= start || end > bytes.length)
      throw corrupt(`snappy: a block that ends at ${end} of ${bytes.length} bytes`)
    if (blocks.length === countMax) throw corrupt('snappy: many blocks')
    blocks.push(bytes.subarray(start, end))
    at = end
  }
  return blocks
}

/** The uncompressed size, at the start of a raw block. */
function declaredBytes(block: Uint8Array): number {
  let size = 0
  for (let i = 0; i < 5; i++) {
    const byte = block[i]
    if (byte === undefined) break
    size += (byte & 0x7f) * 2 ** (7 * i)
    if (byte < 0x80) return size
  }
  throw corrupt('snappy: no size at the start of a block')
}
