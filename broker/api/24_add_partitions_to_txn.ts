// AddPartitionsToTxn: adds partitions to the transaction of a producer, and begins the transaction if none is open (KIP-98).
// Versions: 0-3
// Behaviour: all partitions are added or none: when one is refused, the others are OPERATION_NOT_ATTEMPTED.

import {
  addPartitionsToTxn,
  type AddPartitionsToTxnRequest,
  type AddPartitionsToTxnResponse,
} from '../../protocol/api/24_add_partitions_to_txn.ts'
import { errorCode, type ErrorName } from '../../protocol/errors.ts'
import type { Store } from '../../storage/store.ts'
import { byTopic } from '../by-topic.ts'
import { fencedError } from '../fenced.ts'
import { refusalOfInternal } from '../internal-topics.ts'
import type { Handler } from '../handler.ts'
import type { Work } from '../work.ts'
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
  return {
    api: addPartitionsToTxn,
    async handle(request, context) {
      const { version, work } = context
      context.require('Write', 'TransactionalId', request.transactionalId)
      const denied = await context.deniedAmong('Write', 'Topic', topicsIn(request))
      const refusalOfPartition = (topic: string, partition: number): ErrorName | undefined => {
        if (denied.has(topic)) return 'TOPIC_AUTHORIZATION_FAILED'
        if (store.logs.get(topic, partition) === undefined) return 'UNKNOWN_TOPIC_OR_PARTITION'
        return refusalOfInternal('AddPartitionsToTxn', topic)
      }
      let isWhole = true
      const isWanted = (topic: string, partition: number) => {
        isWhole &&= refusalOfPartition(topic, partition) === undefined
        return isWhole
      }
      const asked = await byTopic(partitionsOf(request), isWanted, work)
      if (!isWhole) {
        const errorOf = (topic: string, partition: number) =>
          refusalOfPartition(topic, partition) ?? 'OPERATION_NOT_ATTEMPTED'
        return answer(request, errorOf, work)
      }
      const partitions = Array.from(asked, ([topic, indexes]) => {
        return { topic, partitions: [...indexes] }
      })
      const error = await transactions.add(request, partitions)
      return answer(request, () => fencedError(version, FENCED_VERSION_MIN, error), work)
    },
    refuse: ({ topics }, code) => ({
      topics: topics.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map((partitionIndex) => ({ partitionIndex, errorCode: code })),
      })),
    }),
  }
}

function* topicsIn({ topics }: AddPartitionsToTxnRequest): Iterable<string> {
  for (const { name } of topics) yield name
}

function* partitionsOf({
  topics,
}: AddPartitionsToTxnRequest): Iterable<[topic: string, partition: number]> {
  for (const { name, partitions } of topics) {
    for (const partition of partitions) yield [name, partition]
  }
}

async function answer(
  { topics }: AddPartitionsToTxnRequest,
  errorOf: (topic: string, partition: number) => ErrorName | undefined,
  work: Work,
): Promise<AddPartitionsToTxnResponse> {
  const results = await work.each(topics, async ({ name, partitions }) => ({
    name,
    partitions: await work.each(partitions, (partitionIndex) => ({
      partitionIndex,
      errorCode: errorCode(errorOf(name, partitionIndex)),
    })),
  }))
  return { topics: results }
}
