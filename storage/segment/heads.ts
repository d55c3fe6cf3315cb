// Heads: the identity of a segment's batches in two numbers: the checksum of the first one, and a sum over all. They
// detect what neither a CRC nor the order of offsets does: foreign batches, and a base offset that moved within a
// gap. Any thread. See docs/formats/recovery.md

import type { Heads } from '../log-facts.ts'

export const noHeads: Heads = { first: 0, sum: 0 }

/** A batch's part of the sum. @param checksum its CRC, which covers everything but the place */
export function headHash(checksum: number, lastOffset: number, sizeBytes: number): number {
  let hash = Math.imul(checksum ^ sizeBytes, 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 15) ^ (lastOffset | 0), 0xc2b2ae35)
  hash = Math.imul(hash ^ (hash >>> 13) ^ Math.floor(lastOffset / 2 ** 32), 0x27d4eb2f)
  return (hash ^ (hash >>> 16)) >>> 0
}

export function sumOfHeads(sum: number, hash: number): number {
  return (sum + hash) >>> 0
}

/**
 * Does a file whose first batch has this CRC hold foreign batches? One flipped bit, or a missing checksum, is rot
 * instead.
 */
export function beginsElsewhere({ first }: Heads, checksum: number): boolean {
  const difference = (first ^ checksum) >>> 0
  const isOneBit = (difference & (difference - 1)) === 0
  return first !== 0 && checksum !== 0 && !isOneBit
}
