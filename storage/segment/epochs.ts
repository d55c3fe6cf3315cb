// The start offset of each leader epoch, as a short ascending list (KIP-101). Any thread.

import type { EpochStart } from '../log-facts.ts'

/** @returns the epoch of the record at `offset`; undefined before the first known one */
export function epochAt(epochs: readonly EpochStart[], offset: number): number | undefined {
  return epochs.findLast(({ startOffset }) => startOffset <= offset)?.epoch
}

/** @returns the list with a new last epoch; epochs without a record are dropped */
export function withEpoch(
  epochs: readonly EpochStart[],
  epoch: number,
  startOffset: number,
): EpochStart[] {
  return [...epochs.filter((each) => each.startOffset < startOffset), { epoch, startOffset }]
}

/** @returns the list of a log that starts at `logStartOffset` */
export function epochsFrom(epochs: readonly EpochStart[], logStartOffset: number): EpochStart[] {
  const first = epochs.findLastIndex(({ startOffset }) => startOffset <= logStartOffset)
  if (first < 0) return [...epochs]
  const { epoch } = epochs[first]!
  return [{ epoch, startOffset: logStartOffset }, ...epochs.slice(first + 1)]
}
