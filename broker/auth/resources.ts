// Kafka's operations, the types of resources that they apply to, and the error of a client without the permission.

import type { ErrorName } from '../../protocol/errors.ts'

/** Kafka's codes, and bits of a mask of authorized operations (KIP-430). */
export const operations = {
  Read: 3,
  Write: 4,
  Create: 5,
  Delete: 6,
  Alter: 7,
  Describe: 8,
  ClusterAction: 9,
  DescribeConfigs: 10,
  AlterConfigs: 11,
  IdempotentWrite: 12,
} as const

export type Operation = keyof typeof operations

/** The operations on resources of a type, and the error of a client that lacks the permission. */
interface ResourceSpec {
  readonly operations: readonly Operation[]
  readonly denied: ErrorName
}

export const resourceTypes = {
  Topic: {
    operations: [
      'Read',
      'Write',
      'Create',
      'Delete',
      'Alter',
      'Describe',
      'DescribeConfigs',
      'AlterConfigs',
    ],
    denied: 'TOPIC_AUTHORIZATION_FAILED',
  },
  Group: {
    operations: ['Read', 'Delete', 'Describe', 'DescribeConfigs', 'AlterConfigs'],
    denied: 'GROUP_AUTHORIZATION_FAILED',
  },
  Cluster: {
    operations: [
      'Create',
      'Alter',
      'Describe',
      'ClusterAction',
      'DescribeConfigs',
      'AlterConfigs',
      'IdempotentWrite',
    ],
    denied: 'CLUSTER_AUTHORIZATION_FAILED',
  },
  TransactionalId: {
    operations: ['Write', 'Describe'],
    denied: 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
  },
} as const satisfies Record<string, ResourceSpec>

export type ResourceType = keyof typeof resourceTypes

/** The name of the one resource of type Cluster. */
export const CLUSTER_NAME = 'kafka-cluster'
