// Bounds how many partitions one request creates, over all of its topics. Network thread.

import { KafkaError } from '../protocol/errors.ts'

/** As in Apache Kafka. */
const REQUEST_PARTITIONS_MAX = 10_000

/** @returns counts partitions that the request creates, and throws POLICY_VIOLATION when they become too many */
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
