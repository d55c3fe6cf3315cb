// Authorized operations as bit masks (KIP-430): without ACLs everything is allowed. Bit n is Kafka's AclOperation n.

const operation = {
  read: 3,
  write: 4,
  create: 5,
  delete: 6,
  alter: 7,
  describe: 8,
  clusterAction: 9,
  describeConfigs: 10,
  alterConfigs: 11,
  idempotentWrite: 12,
} as const

function mask(...operations: readonly number[]): number {
  return operations.reduce((bits, each) => bits | (1 << each), 0)
}

/** In an answer to somebody who did not ask. */
const NOT_ASKED_FOR = -0x8000_0000

const { read, write, create, alter, describe, describeConfigs, alterConfigs } = operation
const ofTopic = mask(
  read,
  write,
  create,
  operation.delete,
  alter,
  describe,
  describeConfigs,
  alterConfigs,
)
const ofGroup = mask(read, operation.delete, describe, describeConfigs, alterConfigs)
const { clusterAction, idempotentWrite } = operation
const ofCluster = mask(
  create,
  alter,
  describe,
  clusterAction,
  describeConfigs,
  alterConfigs,
  idempotentWrite,
)

export function topicOperations(isAskedFor: boolean): number {
  return isAskedFor ? ofTopic : NOT_ASKED_FOR
}

export function groupOperations(isAskedFor: boolean): number {
  return isAskedFor ? ofGroup : NOT_ASKED_FOR
}

export function clusterOperations(isAskedFor: boolean): number {
  return isAskedFor ? ofCluster : NOT_ASKED_FOR
}
