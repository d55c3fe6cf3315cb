// gzip: one RFC 1952 stream. Any thread.

import { gunzipSync, gzipSync } from 'node:zlib'
import { corrupt, tooLarge, type Compressor } from './bounds.ts'

/** zlib's default of 16 KiB makes many small pieces of a batch. */
const CHUNK_BYTES = 64 * 1024
/** The first piece has the size that the stream states, so that a true size needs one piece only. */
const PIECE_BYTES_MIN = 64
const PIECE_BYTES_MAX = 16 * 1024 * 1024
/** Of header and trailer. */
const STREAM_BYTES_MIN = 18

export const gzip: Compressor = {
  compress: (bytes) => gzipSync(bytes, { chunkSize: CHUNK_BYTES }),

  decompress(bytes, bytesMax) {
    const pieceBytes = Math.min(claimedBytes(bytes), bytesMax, PIECE_BYTES_MAX)
    const chunkSize = Math.max(PIECE_BYTES_MIN, pieceBytes + 1) // when a chunk is full, zlib makes another
    try {
      return gunzipSync(bytes, { chunkSize, maxOutputLength: Math.max(1, bytesMax) })
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      throw code === 'ERR_BUFFER_TOO_LARGE' ? tooLarge(undefined, bytesMax) : error
    }
  },

  claimedBytes,
}

/** The last four bytes are the uncompressed size, modulo 2^32. */
function claimedBytes(bytes: Uint8Array): number {
  if (bytes.length < STREAM_BYTES_MIN) throw corrupt(`gzip: ${bytes.length} bytes`)
  const trailer = new DataView(bytes.buffer, bytes.byteOffset + bytes.length - 4, 4)
  return trailer.getUint32(0, true)
}
