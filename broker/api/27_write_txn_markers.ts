// WriteTxnMarkers: an administrator ends a transaction that hangs: one that a log holds open and no coordinator knows.
// Versions: 1-2
// Behaviour: a transaction that is known here is aborted as a whole, in all its partitions, and never committed by this.
// With transactionVersion 2 a marker's epoch is newer than that of the transaction that it ends (KIP-1228).

import {
  writeTxnMarkers,
  type WriteTxnMarkersRequest,
} from '../../protocol/api/27_write_txn_markers.ts'
import { errorCode, type ErrorName } from '../../protocol/errors.ts'
import type { Store } from '../../storage/store.ts'
import type { Handler } from '../net/handler.ts'
import type { TransactionCoordinator } from '../txn/coordinator.ts'
import { writeMarker } from '../txn/ends.ts'

interface WriteTxnMarkersDeps {
  readonly store: Store
  readonly transactions: TransactionCoordinator
}

const STRICT_TRANSACTION_VERSION_MIN = 2

type Marker = WriteTxnMarkersRequest['markers'][number]

export function writeTxnMarkersHandler(deps: WriteTxnMarkersDeps): Handler<typeof writeTxnMarkers> {
  return {
    api: writeTxnMarkers,
    async handle({ markers }) {
      const answers = []
      for (const marker of markers) answers.push(await answerFor(deps, marker))
      return { markers: answers }
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

async function answerFor({ store, transactions }: WriteTxnMarkersDeps, marker: Marker) {
  const { producerId, producerEpoch, coordinatorEpoch, transactionResult: isCommit } = marker
  const isTransactionV2 = marker.transactionVersion >= STRICT_TRANSACTION_VERSION_MIN
  const known = isCommit
    ? refusalOfCommit(transactions, marker)
    : await transactions.abort(marker, isTransactionV2)
  const topics = []
  for (const { name, partitionIndexes } of marker.topics) {
    const partitions = []
    for (const partitionIndex of partitionIndexes) {
      const end = { producerId, producerEpoch, coordinatorEpoch, isCommit, isTransactionV2 }
      const error =
        known === 'unknown' ? await writeMarker(store, name, partitionIndex, end) : known
      partitions.push({ partitionIndex, errorCode: errorCode(error) })
    }
    topics.push({ name, partitions })
  }
  return { producerId, topics }
}

/** Its producer decides, or nobody. */
function refusalOfCommit(
  transactions: TransactionCoordinator,
  { producerId }: Marker,
): ErrorName | 'unknown' {
  for (const { isOpen, record } of transactions.list()) {
    if (isOpen && record.producerId === producerId) return 'INVALID_TXN_STATE'
  }
  return 'unknown'
}
