// What the codecs share: their shape, and the two ways in which they refuse. Any thread.

import { KafkaError } from '../errors.ts'

export interface Compressor {
  /** @returns new bytes */
  compress(bytes: Uint8Array): Uint8Array
  /** May throw anything for damaged input. @returns new bytes, at most `bytesMax`; @throws {KafkaError} MESSAGE_TOO_LARGE */
  decompress(bytes: Uint8Array, bytesMax: number): Uint8Array
  /** The most that comes out, as the headers have it. May throw anything for damaged input, or for more blocks than a look is worth. */
  claimedBytes(bytes: Uint8Array): number
}

/** Blocks that are looked at for a claim. */
export const CLAIM_BLOCKS_MAX = 256

/** @param sizeBytes what would come out, where that is known without decompressing */
export function tooLarge(sizeBytes: number | undefined, bytesMax: number): KafkaError {
  const claim = sizeBytes === undefined ? 'records' : `records of ${sizeBytes} bytes`
  return new KafkaError('MESSAGE_TOO_LARGE', `${claim} exceed ${bytesMax} bytes when decompressed`)
}

export function corrupt(what: string): KafkaError {
  return new KafkaError('CORRUPT_MESSAGE', what)
}
