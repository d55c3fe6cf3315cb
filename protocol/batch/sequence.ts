// Sequence numbers of idempotent producers (KIP-98): each partition counts its records from 0, and after 2^31 - 1 from 0 again.

const SEQUENCE_COUNT = 2 ** 31

/** Of a batch that a coordinator writes in its producer's transaction: offsets that a group commits. */
export const NO_SEQUENCE = -1

/** @param sequence not negative */
export function sequenceAfter(sequence: number, count: number): number {
  const after = sequence + count
  return after >= SEQUENCE_COUNT ? after - SEQUENCE_COUNT : after
}

/** @param sequence not negative */
export function sequenceBefore(sequence: number, count: number): number {
  const before = sequence - count
  return before < 0 ? before + SEQUENCE_COUNT : before
}
