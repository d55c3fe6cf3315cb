// What clients may do with what: Kafka's operations and types of resources, and the errors of those that may not.

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

/** What there is to do with resources of a type, and what who may not hears. */
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
