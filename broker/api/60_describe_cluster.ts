// DescribeCluster: the cluster's id and its one node (KIP-700).
// Versions: 0-2

import { describeCluster } from '../../protocol/api/60_describe_cluster.ts'
import { KafkaError } from '../../protocol/errors.ts'
import type { Store } from '../../storage/store.ts'
import type { Handler } from '../handler.ts'

const BROKERS = 1

interface DescribeClusterDeps {
  readonly store: Store
}

export function describeClusterHandler({
  store,
}: DescribeClusterDeps): Handler<typeof describeCluster> {
  return {
    api: describeCluster,
    handle({ endpointType, includeClusterAuthorizedOperations }, context) {
      if (endpointType !== BROKERS) {
        throw new KafkaError('MISMATCHED_ENDPOINT_TYPE', 'this endpoint is a broker')
      }
      return {
        errorCode: 0,
        clusterId: store.clusterId,
        controllerId: store.nodeId,
        brokers: [{ brokerId: store.nodeId, ...context.session.endpoint }],
        clusterAuthorizedOperations: context.clusterMask(includeClusterAuthorizedOperations),
      }
    },
    refuse: (_request, code) => ({ errorCode: code, clusterId: '', brokers: [] }),
  }
}
