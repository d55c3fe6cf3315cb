// Partitioner: chooses the partition of a record that names none, as Java's client does.

import { partitionFor } from '../../protocol/murmur2.ts'

/** @returns the partition, or undefined for any: the producer then takes one partition for a whole batch */
export type Partitioner = (record: {
  readonly topic: string
  readonly key: Uint8Array | null
  readonly partitionCount: number
}) => number | undefined

/** murmur2 of the key; records without a key go to the partition of the batch that is being filled (KIP-480). */
export const murmur2Partitioner: Partitioner = ({ key, partitionCount }) =>
  key === null ? undefined : partitionFor(key, partitionCount)
