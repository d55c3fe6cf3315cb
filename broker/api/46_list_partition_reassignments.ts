// ListPartitionReassignments: always none, because there is one node (KIP-455).
// Versions: 0

import { listPartitionReassignments } from '../../protocol/api/46_list_partition_reassignments.ts'
import type { Handler } from '../handler.ts'

export function listPartitionReassignmentsHandler(): Handler<typeof listPartitionReassignments> {
  return {
    api: listPartitionReassignments,
    handle(_request, context) {
      context.requireOnCluster('Describe')
      return { errorCode: 0, topics: [] }
    },
    refuse: (_, code) => ({ errorCode: code, topics: [] }),
  }
}
