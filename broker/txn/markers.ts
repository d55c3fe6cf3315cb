// The markers that end a transaction: one in each log that it wrote to. The marker in __consumer_offsets also ends it
// for the groups whose offsets it commits. A marker may be written twice. Network thread.

import type { ErrorName } from '../../protocol/errors.ts'
import type { TxnMarker, Store } from '../../storage/store.ts'
import { OFFSETS_TOPIC } from '../../storage/topic-name.ts'
import type { GroupCoordinator } from '../group/coordinator.ts'
import type { TransactionCoordinator } from './coordinator.ts'
import type { TopicPartitions, TransactionRecord } from './messages.ts'

/** For a producer without a transactional id: newer than any epoch that it wrote with. */
const EPOCH_MAX = 0x7fff

/** There is one node, so no other coordinator ever replaces its own. */
const COORDINATOR_EPOCH = 0

/** @returns the partitions whose log refused for now */
export async function writeMarkers(
  store: Store,
  groups: GroupCoordinator,
  { producerId, producerEpoch, state, partitions }: TransactionRecord,
): Promise<readonly TopicPartitions[]> {
  const isCommit = state === 'PrepareCommit'
  const marker: TxnMarker = {
    producerId,
    producerEpoch,
    isCommit,
    coordinatorEpoch: COORDINATOR_EPOCH,
  }
  const remaining = await Promise.all(
    partitions.map(async ({ topic, partitions: indexes }) => {
      const errors = await Promise.all(
        indexes.map((partition) => endIn(store, groups, topic, partition, marker)),
      )
      return { topic, partitions: indexes.filter((_, i) => errors[i] === 'KAFKA_STORAGE_ERROR') }
    }),
  )
  return remaining.filter((each) => each.partitions.length > 0)
}

/**
 * At a start: ends pending offsets of transactions that have ended, because damage destroyed their marker. They count
 * if the producer's last transaction committed.
 */
export async function endOrphans(
  groups: GroupCoordinator,
  transactions: TransactionCoordinator,
  warn: (message: string) => void,
): Promise<void> {
  const byProducer = new Map(
    Array.from(transactions.list(), (each) => [each.record.producerId, each] as const),
  )
  for (const producerId of groups.commits.pendingProducers()) {
    const id = byProducer.get(producerId)
    if (id?.isOpen) continue
    const isCommit = id?.record.state === 'CompleteCommit'
    const producerEpoch = id?.record.producerEpoch ?? EPOCH_MAX
    const error = await groups.commits.endPending({ producerId, producerEpoch }, isCommit)
    const done = isCommit ? 'committed' : 'dropped'
    warn(
      `${OFFSETS_TOPIC}: the end of a transaction of producer ${producerId} is lost; its offsets are ${error ?? done}`,
    )
  }
}

/**
 * Ends the transaction in one partition; in that of __consumer_offsets for the groups too.
 *
 * @returns an error that is final, unless it is KAFKA_STORAGE_ERROR: the topic is gone or not for transactions, or
 *   the log knows a later end of this producer's transactions
 */
export async function endIn(
  store: Store,
  groups: GroupCoordinator,
  topic: string,
  partition: number,
  marker: TxnMarker,
): Promise<ErrorName | undefined> {
  const log = store.logs.get(topic, partition)
  if (log === undefined) return 'UNKNOWN_TOPIC_OR_PARTITION'
  if (topic === OFFSETS_TOPIC) {
    const error = await groups.commits.endPending(marker, marker.isCommit)
    return error === 'COORDINATOR_NOT_AVAILABLE' ? 'KAFKA_STORAGE_ERROR' : error
  }
  const { error } = await store.writer.endTransaction(log, marker)
  return error
}
