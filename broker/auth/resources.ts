// Kafka's operations, the types of resources that they apply to, and the error of a client without the permission.

import { aclResourceTypes } from '../../protocol/acl-codes.ts'
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
  /** Kafka's. */
  readonly code: number
  readonly operations: readonly Operation[]
  readonly denied: ErrorName
}

export const resourceTypes = {
  Topic: {
    code: aclResourceTypes.topic,
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
    code: aclResourceTypes.group,
    operations: ['Read', 'Delete', 'Describe', 'DescribeConfigs', 'AlterConfigs'],
    denied: 'GROUP_AUTHORIZATION_FAILED',
  },
  Cluster: {
    code: aclResourceTypes.cluster,
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
    code: aclResourceTypes.transactionalId,
    operations: ['Write', 'Describe'],
    denied: 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
  },
} as const satisfies Record<string, ResourceSpec>

export type ResourceType = keyof typeof resourceTypes
