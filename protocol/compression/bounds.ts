// The interface of the codecs, and their two errors. Any thread.

import { KafkaError } from '../errors.ts'

export interface Compressor {
  /** @returns new bytes */
  compress(bytes: Uint8Array): Uint8Array
  /** May throw anything for damaged input. @returns new bytes, at most `bytesMax`; @throws {KafkaError} MESSAGE_TOO_LARGE */
  decompress(bytes: Uint8Array, bytesMax: number): Uint8Array
  /** An upper bound of the output by the headers. May throw anything for damaged input, or for too many blocks to read. */
  claimedBytes(bytes: Uint8Array): number
}

/** How many blocks `claimedBytes` reads at most. */
export const CLAIM_BLOCKS_MAX = 256

/** @param sizeBytes the size of the output, if it is known without decompressing */
export function tooLarge(sizeBytes: number | undefined, bytesMax: number): KafkaError {
  const claim = sizeBytes === undefined ? 'records' : `records of ${sizeBytes} bytes`
  return new KafkaError('MESSAGE_TOO_LARGE', `${claim} exceed ${bytesMax} bytes when decompressed`)
}

export function corrupt(what: string): KafkaError {
  return new KafkaError('CORRUPT_MESSAGE', what)
}
