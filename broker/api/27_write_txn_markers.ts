// WriteTxnMarkers: an administrator ends a hanging transaction: a log holds it open, and no coordinator knows it (KIP-664).
// Versions: 1-2
// Behaviour: a partition that a marker names twice gets one marker. Internal topics are refused except __consumer_offsets, where
// an abort drops the offsets of the transaction. A transaction known here is aborted in all its partitions, and is not
// committed by this request.

import {
  writeTxnMarkers,
  type WriteTxnMarkersRequest,
} from '../../protocol/api/27_write_txn_markers.ts'
import { errorCode, type ErrorName } from '../../protocol/errors.ts'
import type { Store } from '../../storage/store.ts'
import type { GroupCoordinator } from '../group/coordinator.ts'
import { refusalOfInternal } from '../internal-topics.ts'
import type { Handler } from '../handler.ts'
import type { Work } from '../work.ts'
import type { TransactionCoordinator } from '../txn/coordinator.ts'
import { endIn } from '../txn/markers.ts'

interface WriteTxnMarkersDeps {
  readonly store: Store
  readonly coordinator: GroupCoordinator
  readonly transactions: TransactionCoordinator
}

/** From here on a marker's epoch is newer than that of the transaction that it ends (KIP-1228). */
const STRICT_TRANSACTION_VERSION_MIN = 2

type Marker = WriteTxnMarkersRequest['markers'][number]

export function writeTxnMarkersHandler(deps: WriteTxnMarkersDeps): Handler<typeof writeTxnMarkers> {
  return {
    api: writeTxnMarkers,
    async handle({ markers }, context) {
      const { work } = context
      if (!context.allowsOnClusterSilently('Alter')) context.requireOnCluster('ClusterAction')
      return { markers: await work.each(markers, (marker) => answerFor(deps, marker, work)) }
    },
    refuse: ({ markers }, code) => ({
      markers: markers.map(({ producerId, topics }) => ({
        producerId,
        topics: topics.map(({ name, partitionIndexes }) => ({
          name,
          partitions: partitionIndexes.map((partitionIndex) => ({
            partitionIndex,
            errorCode: code,
          })),
        })),
      })),
    }),
  }
}

async function answerFor(
  { store, coordinator, transactions }: WriteTxnMarkersDeps,
  marker: Marker,
  work: Work,
) {
  const { producerId, producerEpoch, coordinatorEpoch, transactionResult: isCommit } = marker
  const isTransactionV2 = marker.transactionVersion >= STRICT_TRANSACTION_VERSION_MIN
  const isRefused = ({ name }: Marker['topics'][number]) =>
    refusalOfInternal('WriteTxnMarkers', name) !== undefined
  const known = marker.topics.every(isRefused)
    ? 'unknown'
    : isCommit
      ? refusalOfCommit(transactions, marker)
      : await transactions.abort(marker, isTransactionV2)
  const end = { producerId, producerEpoch, coordinatorEpoch, isCommit, isTransactionV2 }
  const ended = new Map<string, Promise<ErrorName | undefined>>()
  const endOnce = async (topic: string, partition: number): Promise<ErrorName | undefined> => {
    const key = `${topic}/${partition}`
    const ending = ended.get(key) ?? endIn(store, coordinator, topic, partition, end)
    ended.set(key, ending)
    return ending
  }
  const topics = await work.each(marker.topics, async ({ name, partitionIndexes }) => ({
    name,
    partitions: await work.each(partitionIndexes, async (partitionIndex) => {
      const refusal = refusalOfInternal('WriteTxnMarkers', name)
      const error = refusal ?? (known === 'unknown' ? await endOnce(name, partitionIndex) : known)
      return { partitionIndex, errorCode: errorCode(error) }
    }),
  }))
  return { producerId, topics }
}

/** Only the producer of a transaction known here may commit it; an abort is allowed. */
function refusalOfCommit(
  transactions: TransactionCoordinator,
  { producerId }: Marker,
): ErrorName | 'unknown' {
  for (const { isOpen, record } of transactions.list()) {
    if (isOpen && record.producerId === producerId) return 'INVALID_TXN_STATE'
  }
  return 'unknown'
}
