// AddPartitionsToTxn: the producer is about to write to these partitions in its transaction, which begins with this if
// none is open.
// Versions: 0-3
// Behaviour: all or none: with a partition that does not exist, the others are not attempted.

import {
  addPartitionsToTxn,
  type AddPartitionsToTxnRequest,
  type AddPartitionsToTxnResponse,
} from '../../protocol/api/24_add_partitions_to_txn.ts'
import { errorCode, type ErrorName } from '../../protocol/errors.ts'
import type { Store } from '../../storage/store.ts'
import { knownTo } from '../fenced.ts'
import type { Handler } from '../net/handler.ts'
import type { TransactionCoordinator } from '../txn/coordinator.ts'

const FENCED_VERSION_MIN = 2

interface AddPartitionsToTxnDeps {
  readonly store: Store
  readonly transactions: TransactionCoordinator
}

export function addPartitionsToTxnHandler({
  store,
  transactions,
}: AddPartitionsToTxnDeps): Handler<typeof addPartitionsToTxn> {
  const refusalOf = (topic: string, partition: number): ErrorName | undefined => {
    const log = store.log(topic, partition)
    if (log === undefined) return 'UNKNOWN_TOPIC_OR_PARTITION'
    return log.topic.isInternal ? 'INVALID_TOPIC_EXCEPTION' : undefined
  }
  return {
    api: addPartitionsToTxn,
    async handle(request, { version }) {
      const isWhole = request.topics.every(({ name, partitions }) =>
        partitions.every((partition) => refusalOf(name, partition) === undefined),
      )
      if (!isWhole) {
        return answer(request, (...where) => refusalOf(...where) ?? 'OPERATION_NOT_ATTEMPTED')
      }
      const partitions = request.topics.map(({ name, partitions: indexes }) => ({
        topic: name,
        partitions: indexes,
      }))
      const error = await transactions.add(request, { partitions })
      return answer(request, () => knownTo(version, FENCED_VERSION_MIN, error))
    },
    refuse: ({ topics }, code) => ({
      topics: topics.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map((partitionIndex) => ({ partitionIndex, errorCode: code })),
      })),
    }),
  }
}

function answer(
  { topics }: AddPartitionsToTxnRequest,
  errorOf: (topic: string, partition: number) => ErrorName | undefined,
): AddPartitionsToTxnResponse {
  return {
    topics: topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map((partitionIndex) => ({
        partitionIndex,
        errorCode: errorCode(errorOf(name, partitionIndex)),
      })),
    })),
  }
}
