// AlterPartitionReassignments: every partition is on this node already (KIP-455).
// Versions: 0-1
// Behaviour: a reassignment to this node alone succeeds, any other is refused, and there is none to cancel.

import {
  alterPartitionReassignments,
  type AlterPartitionReassignmentsRequest,
  type AlterPartitionReassignmentsResponse,
} from '../../protocol/api/45_alter_partition_reassignments.ts'
import { errorCode, type ErrorName } from '../../protocol/errors.ts'
import type { Store } from '../../storage/store.ts'
import type { Handler } from '../handler.ts'

type RequestPartition = AlterPartitionReassignmentsRequest['topics'][number]['partitions'][number]
type PartitionAnswer =
  AlterPartitionReassignmentsResponse['responses'][number]['partitions'][number]

export function alterPartitionReassignmentsHandler({
  store,
}: {
  readonly store: Store
}): Handler<typeof alterPartitionReassignments> {
  return {
    api: alterPartitionReassignments,
    async handle({ topics, allowReplicationFactorChange }, context) {
      const { work } = context
      context.requireOnCluster('Alter')
      const responses = await work.each(topics, async ({ name, partitions }) => ({
        name,
        partitions: await work.each(partitions, (asked) => answerFor(store, name, asked)),
      }))
      return { allowReplicationFactorChange, errorCode: 0, responses }
    },
    refuse: ({ topics, allowReplicationFactorChange }, code) => ({
      allowReplicationFactorChange,
      errorCode: code,
      responses: topics.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode: code })),
      })),
    }),
  }
}

function answerFor(
  store: Store,
  topic: string,
  { partitionIndex, replicas }: RequestPartition,
): PartitionAnswer {
  const refused = (error: ErrorName, errorMessage: string): PartitionAnswer => {
    return { partitionIndex, errorCode: errorCode(error), errorMessage }
  }
  if (store.logs.get(topic, partitionIndex) === undefined)
    return refused('UNKNOWN_TOPIC_OR_PARTITION', `no partition ${topic}-${partitionIndex}`)
  if (replicas === null) return refused('NO_REASSIGNMENT_IN_PROGRESS', 'there is nothing to cancel')
  if (replicas.length !== 1 || replicas[0] !== store.nodeId) {
    return refused('INVALID_REPLICA_ASSIGNMENT', `there is one node, ${store.nodeId}`)
  }
  return { partitionIndex, errorCode: 0 }
}
