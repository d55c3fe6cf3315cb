// The permissions that each API asks for, and what a client without them gets. The handlers ask; this table is for readers, and
// broker/conformance/denied.test.ts holds both together. docs/reference/permissions.md is generated from it.

import type { Operation, ResourceType } from './resources.ts'

export interface ApiPermission {
  readonly operation: Operation
  readonly resourceType: ResourceType
  /** When it is asked for; always unless given. */
  readonly when?: string
  /** What happens without it; the error of the resource's type unless given. */
  readonly otherwise?: string
}

const LEFT_OUT = 'left out of the answer'

/** By the name of the API. */
export const apiPermissions: Readonly<Record<string, readonly ApiPermission[]>> = {
  Produce: [
    on('Write', 'Topic'),
    on('Write', 'TransactionalId', { when: 'records in a transaction' }),
  ],
  Fetch: [on('Read', 'Topic')],
  ListOffsets: [on('Describe', 'Topic')],
  Metadata: [
    on('Describe', 'Topic', {
      otherwise: `the error when asked by name, ${LEFT_OUT} of all topics`,
    }),
    on('Create', 'Cluster', { when: 'a topic is to be created', otherwise: 'Create on the topic' }),
    on('Create', 'Topic', { when: 'a topic is to be created' }),
    on('Describe', 'Cluster', {
      when: 'operations on the cluster are asked for',
      otherwise: 'an empty mask',
    }),
  ],
  OffsetCommit: [on('Read', 'Group'), on('Read', 'Topic')],
  OffsetFetch: [
    on('Describe', 'Group'),
    on('Describe', 'Topic', {
      otherwise: `the error when asked by name, ${LEFT_OUT} of all topics`,
    }),
  ],
  FindCoordinator: [
    on('Describe', 'Group', { when: 'of a group' }),
    on('Describe', 'TransactionalId', { when: 'of a transaction' }),
  ],
  JoinGroup: [on('Read', 'Group')],
  Heartbeat: [on('Read', 'Group')],
  LeaveGroup: [on('Read', 'Group')],
  SyncGroup: [on('Read', 'Group')],
  DescribeGroups: [on('Describe', 'Group')],
  ListGroups: [
    on('Describe', 'Cluster', { otherwise: 'Describe on each group' }),
    on('Describe', 'Group', { otherwise: LEFT_OUT }),
  ],
  CreateTopics: [
    on('Create', 'Cluster', { otherwise: 'Create on each topic' }),
    on('Create', 'Topic'),
    on('DescribeConfigs', 'Topic', { otherwise: 'no configurations in the answer' }),
  ],
  DeleteTopics: [
    on('Delete', 'Cluster', { otherwise: 'Delete on each topic' }),
    on('Describe', 'Topic', { otherwise: 'the error, which does not tell the name' }),
    on('Delete', 'Topic'),
  ],
  DeleteRecords: [on('Delete', 'Topic')],
  InitProducerId: [
    on('IdempotentWrite', 'Cluster', {
      when: 'without a transactional id',
      otherwise: 'Write on any topic',
    }),
    on('Write', 'Topic', {
      when: 'without a transactional id, on any topic',
      otherwise: '`CLUSTER_AUTHORIZATION_FAILED`',
    }),
    on('Write', 'TransactionalId', { when: 'with a transactional id' }),
  ],
  OffsetForLeaderEpoch: [
    on('ClusterAction', 'Cluster', { otherwise: 'Describe on each topic' }),
    on('Describe', 'Topic'),
  ],
  AddPartitionsToTxn: [on('Write', 'TransactionalId'), on('Write', 'Topic')],
  AddOffsetsToTxn: [on('Write', 'TransactionalId'), on('Read', 'Group')],
  EndTxn: [on('Write', 'TransactionalId')],
  WriteTxnMarkers: [
    on('Alter', 'Cluster', { otherwise: 'ClusterAction on the cluster' }),
    on('ClusterAction', 'Cluster'),
  ],
  TxnOffsetCommit: [on('Write', 'TransactionalId'), on('Read', 'Group'), on('Read', 'Topic')],
  DescribeAcls: [on('Describe', 'Cluster')],
  CreateAcls: [on('Alter', 'Cluster')],
  DeleteAcls: [on('Alter', 'Cluster')],
  DescribeConfigs: [
    on('DescribeConfigs', 'Topic', { when: 'of a topic' }),
    on('DescribeConfigs', 'Cluster', { when: 'of a broker' }),
  ],
  AlterConfigs: [
    on('AlterConfigs', 'Topic', { when: 'of a topic' }),
    on('AlterConfigs', 'Cluster', { when: 'of a broker' }),
  ],
  AlterReplicaLogDirs: [on('Alter', 'Cluster')],
  DescribeLogDirs: [on('Describe', 'Cluster', { otherwise: 'the error, up to version 2 nothing' })],
  CreatePartitions: [on('Alter', 'Topic')],
  DeleteGroups: [on('Delete', 'Group')],
  ElectLeaders: [on('Alter', 'Cluster')],
  IncrementalAlterConfigs: [
    on('AlterConfigs', 'Topic', { when: 'of a topic' }),
    on('AlterConfigs', 'Cluster', { when: 'of a broker' }),
  ],
  AlterPartitionReassignments: [on('Alter', 'Cluster')],
  ListPartitionReassignments: [on('Describe', 'Cluster')],
  OffsetDelete: [on('Delete', 'Group'), on('Read', 'Topic')],
  DescribeClientQuotas: [on('DescribeConfigs', 'Cluster')],
  AlterClientQuotas: [on('AlterConfigs', 'Cluster')],
  DescribeUserScramCredentials: [on('Describe', 'Cluster')],
  AlterUserScramCredentials: [on('Alter', 'Cluster')],
  DescribeQuorum: [on('Describe', 'Cluster')],
  UpdateFeatures: [on('Alter', 'Cluster')],
  DescribeCluster: [
    on('Describe', 'Cluster', { when: 'operations are asked for', otherwise: 'an empty mask' }),
  ],
  DescribeProducers: [on('Read', 'Topic')],
  UnregisterBroker: [on('Alter', 'Cluster')],
  DescribeTransactions: [
    on('Describe', 'TransactionalId'),
    on('Describe', 'Topic', { otherwise: LEFT_OUT }),
  ],
  ListTransactions: [on('Describe', 'TransactionalId', { otherwise: LEFT_OUT })],
  ListConfigResources: [on('DescribeConfigs', 'Cluster')],
  DescribeTopicPartitions: [
    on('Describe', 'Topic', {
      otherwise: `the error when asked by name, ${LEFT_OUT} of all topics`,
    }),
  ],
}

/** APIs that ask for no permission: a client needs them to say who it is, and to learn what there is to ask. */
export const exemptApis: readonly string[] = [
  'SaslHandshake',
  'ApiVersions',
  'SaslAuthenticate',
  'CreateDelegationToken',
  'RenewDelegationToken',
  'ExpireDelegationToken',
  'DescribeDelegationToken',
]

function on(
  operation: Operation,
  resourceType: ResourceType,
  more: Pick<ApiPermission, 'when' | 'otherwise'> = {},
): ApiPermission {
  return { operation, resourceType, ...more }
}
