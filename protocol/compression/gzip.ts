// gzip: one RFC 1952 stream. Any thread.

import { gunzipSync, gzipSync } from 'node:zlib'
import { corrupt, tooLarge, type Compressor } from './bounds.ts'

/** zlib's own 16 KiB makes many small pieces of a batch. */
const CHUNK_BYTES = 64 * 1024
/** What comes out is gathered in pieces: in one, if what is claimed is true. */
const PIECE_BYTES_MIN = 64
const PIECE_BYTES_MAX = 16 * 1024 * 1024
/** Header and trailer. */
const STREAM_BYTES_MIN = 18

export const gzip: Compressor = {
  compress: (bytes) => gzipSync(bytes, { chunkSize: CHUNK_BYTES }),

  decompress(bytes, bytesMax) {
    const pieceBytes = Math.min(claimedBytes(bytes), bytesMax, PIECE_BYTES_MAX)
    const chunkSize = Math.max(PIECE_BYTES_MIN, pieceBytes + 1) // when it is full, zlib makes another
    try {
      return gunzipSync(bytes, { chunkSize, maxOutputLength: Math.max(1, bytesMax) })
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      throw code === 'ERR_BUFFER_TOO_LARGE' ? tooLarge(undefined, bytesMax) : error
    }
  },

  claimedBytes,
}

/** The last four bytes are the size of what was compressed, modulo 2^32. */
function claimedBytes(bytes: Uint8Array): number {
  if (bytes.length < STREAM_BYTES_MIN) throw corrupt(`gzip: ${bytes.length} bytes`)
  const trailer = new DataView(bytes.buffer, bytes.byteOffset + bytes.length - 4, 4)
  return trailer.getUint32(0, true)
}
