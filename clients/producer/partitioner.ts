// Partitioner: which partition a record goes to when it does not say. Same choice as the Java client's.

import { partitionFor } from '../../protocol/murmur2.ts'

/** @returns the partition, or undefined to leave it to the producer: any, but the same for a whole batch */
export type Partitioner = (record: {
  readonly topic: string
  readonly key: Uint8Array | null
  readonly partitionCount: number
}) => number | undefined

/** murmur2 of the key; a record without one goes wherever the batch goes that is being filled. */
export const murmur2Partitioner: Partitioner = ({ key, partitionCount }) =>
  key === null ? undefined : partitionFor(key, partitionCount)
