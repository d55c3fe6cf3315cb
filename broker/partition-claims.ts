// How many partitions one request may create, over all of its topics. Network thread.

import { KafkaError } from '../protocol/errors.ts'

/** As in Apache Kafka. */
const REQUEST_PARTITIONS_MAX = 10_000

/** @returns what takes so many partitions of one request. It throws POLICY_VIOLATION when there are not so many left */
export function partitionClaims(): (partitionCount: number) => void {
  let left = REQUEST_PARTITIONS_MAX
  return (partitionCount) => {
    if (partitionCount > left) {
      const message = `one request creates ${REQUEST_PARTITIONS_MAX} partitions at most`
      throw new KafkaError('POLICY_VIOLATION', message)
    }
    left -= partitionCount
  }
}
