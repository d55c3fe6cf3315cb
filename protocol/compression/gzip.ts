// gzip: one RFC 1952 stream. Any thread.

import { gunzipSync, gzipSync } from 'node:zlib'
import { tooLarge, type Compressor } from './bounds.ts'

/** Output is gathered in pieces of this size; zlib's own 16 KiB makes many small ones of a batch. */
const CHUNK_BYTES = 64 * 1024

export const gzip: Compressor = {
  compress: (bytes) => gzipSync(bytes, { chunkSize: CHUNK_BYTES }),

  decompress(bytes, bytesMax) {
    try {
      return gunzipSync(bytes, { chunkSize: CHUNK_BYTES, maxOutputLength: Math.max(1, bytesMax) })
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      throw code === 'ERR_BUFFER_TOO_LARGE' ? tooLarge(undefined, bytesMax) : error
    }
  },
}
