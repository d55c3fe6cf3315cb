// Branded numbers and strings that name things in a log, checked where they enter (a frame, a file, a flag).
// Any thread. See docs/formats/record-batch.md for the offsets.

import { KafkaError } from './errors.ts'

declare const brand: unique symbol
type Id<Name extends string> = number & { readonly [brand]: Name }

/** Position of a record in a partition, 0 to 2^53 - 1. The end of a log, where the next record will be, is an `Offset` too. */
export type Offset = Id<'Offset'>
export function Offset(n: number): Offset {
  if (!Number.isSafeInteger(n) || n < 0) {
    throw new KafkaError('INVALID_REQUEST', `offset ${n} is not an integer from 0 to 2^53 - 1`)
  }
  return n as Offset
}

/** The epoch in which a batch was written: rises by one at every start after an unclean stop. int32, from 0. */
export type LeaderEpoch = Id<'LeaderEpoch'>
export function LeaderEpoch(n: number): LeaderEpoch {
  if (!Number.isInteger(n) || n < 0 || n > 0x7fffffff) {
    throw new KafkaError('INVALID_REQUEST', `leader epoch ${n} is not an int32 from 0`)
  }
  return n as LeaderEpoch
}

/** A random 128-bit id in Kafka's text form: URL-safe base64 without padding, 22 characters. */
export type Uuid = string

/** The id that means "none": 16 zero bytes. */
export const UUID_ZERO: Uuid = 'AAAAAAAAAAAAAAAAAAAAAA'
