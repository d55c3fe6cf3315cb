// Compression of a batch's records: one blob, any of Kafka's five codecs. Any thread; synchronous.
// A codec's library is loaded on its first use: most brokers never decompress anything.
// The output is bounded before memory is allocated, because a few bytes may claim to be gigabytes.
// Forms on the wire: docs/formats/record-batch.md

import { KafkaError } from '../errors.ts'
import { isMissing } from '../require.ts'
import { tooLarge } from './bounds.ts'
import { gzip } from './gzip.ts'
import { lz4 } from './lz4.ts'
import { snappy } from './snappy.ts'
import { zstd } from './zstd.ts'

export type Codec = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd'

/** Name -> value of the codec bits in a batch's attributes. */
export const codecIds = { none: 0, gzip: 1, snappy: 2, lz4: 3, zstd: 4 } as const satisfies Record<
  Codec,
  number
>

const codecs = Object.keys(codecIds) as Codec[]
const compressors = { gzip, snappy, lz4, zstd }

/** @param id the low three bits of a batch's attributes. @throws {KafkaError} UNSUPPORTED_COMPRESSION_TYPE */
export function codecOf(id: number): Codec {
  const codec = codecs[id]
  if (codec === undefined)
    throw new KafkaError('UNSUPPORTED_COMPRESSION_TYPE', `compression codec ${id}`)
  return codec
}

/** @returns new bytes, or `bytes` itself with codec 'none' */
export function compress(codec: Codec, bytes: Uint8Array): Uint8Array {
  return codec === 'none' ? bytes : compressors[codec].compress(bytes)
}

/** @returns an upper bound of the output by the headers; Infinity if they do not tell, or are damaged */
export function claimedBytes(codec: Codec, bytes: Uint8Array): number {
  if (codec === 'none') return bytes.length
  try {
    return compressors[codec].claimedBytes(bytes)
  } catch {
    return Infinity
  }
}

/**
 * @param bytesMax limit of the output, in bytes; the codec never allocates much more
 * @returns new bytes, or `bytes` itself with codec 'none'
 * @throws {KafkaError} MESSAGE_TOO_LARGE when the output is larger, CORRUPT_MESSAGE when the input is damaged,
 *   UNSUPPORTED_COMPRESSION_TYPE when the codec's package is not installed
 */
export function decompress(codec: Codec, bytes: Uint8Array, bytesMax: number): Uint8Array {
  if (codec === 'none') {
    if (bytes.length > bytesMax) throw tooLarge(bytes.length, bytesMax)
    return bytes
  }
  try {
    return compressors[codec].decompress(bytes, bytesMax)
  } catch (error) {
    if (error instanceof KafkaError) throw error
    const { cause, message } = error as Error
    if (cause !== undefined && isMissing(cause))
      throw new KafkaError('UNSUPPORTED_COMPRESSION_TYPE', message, { cause })
    throw new KafkaError('CORRUPT_MESSAGE', `${codec} of ${bytes.length} bytes`, { cause: error })
  }
}
