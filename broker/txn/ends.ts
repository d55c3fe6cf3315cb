// Who hears of the end of a transaction: the logs that it wrote to, by a marker in each, and the groups whose offsets it
// commits. Both may hear of it twice. Network thread.

import type { ErrorName } from '../../protocol/errors.ts'
import type { EndMarker, Store } from '../../storage/store.ts'
import type { GroupCoordinator } from '../group/coordinator.ts'
import type { TopicPartitions, TransactionRecord } from './messages.ts'

/** There is one node, so its coordinator is never replaced by another. */
const COORDINATOR_EPOCH = 0

/** @returns the partitions whose log refused for now */
export async function writeMarkers(
  store: Store,
  { producerId, producerEpoch, state, partitions }: TransactionRecord,
): Promise<readonly TopicPartitions[]> {
  const isCommit = state === 'PrepareCommit'
  const marker: EndMarker = {
    producerId,
    producerEpoch,
    isCommit,
    coordinatorEpoch: COORDINATOR_EPOCH,
  }
  const remaining = await Promise.all(
    partitions.map(async ({ topic, partitions: indexes }) => {
      const errors = await Promise.all(
        indexes.map((partition) => writeMarker(store, topic, partition, marker)),
      )
      return { topic, partitions: indexes.filter((_, i) => errors[i] === 'KAFKA_STORAGE_ERROR') }
    }),
  )
  return remaining.filter((each) => each.partitions.length > 0)
}

/**
 * Any error but KAFKA_STORAGE_ERROR is final: the topic is gone, or the log has heard of a later end of this producer's
 * transactions.
 */
export async function writeMarker(
  store: Store,
  topic: string,
  partition: number,
  marker: EndMarker,
): Promise<ErrorName | undefined> {
  const log = store.log(topic, partition)
  if (log === undefined) return 'UNKNOWN_TOPIC_OR_PARTITION'
  const { error } = await store.endTransaction(log, marker)
  return error
}

/** @returns the groups whose offsets could not be stored for now */
export async function endPendingOffsets(
  groups: GroupCoordinator,
  { producerId, state, groupIds }: TransactionRecord,
): Promise<readonly string[]> {
  const isCommit = state === 'PrepareCommit'
  const errors = await Promise.all(
    groupIds.map((groupId) => groups.endPending(groupId, producerId, isCommit)),
  )
  return groupIds.filter((_, i) => errors[i] !== undefined)
}
