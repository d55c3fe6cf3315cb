// Kafka's codes in ACLs (KIP-11, KIP-290, KIP-373, KIP-939): types of resources and patterns, operations and permissions. A
// request with a code that none of these tables has says nothing that a broker understands.

export const aclResourceTypes = {
  any: 1,
  topic: 2,
  group: 3,
  cluster: 4,
  transactionalId: 5,
  delegationToken: 6,
  user: 7,
} as const

export const aclPatternTypes = {
  any: 1,
  /** In a filter: every pattern that a name matches, be it literal, a prefix, or `*`. */
  match: 2,
  literal: 3,
  prefixed: 4,
} as const

export const aclOperations = {
  any: 1,
  all: 2,
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
  createTokens: 13,
  describeTokens: 14,
  twoPhaseCommit: 15,
} as const

export const aclPermissionTypes = {
  any: 1,
  deny: 2,
  allow: 3,
} as const

/** The name of the one resource of type cluster. */
export const CLUSTER_NAME = 'kafka-cluster'

/** As a resource's name: all resources of the type. As a host: all hosts. */
export const WILDCARD = '*'

/** In ACLs: every principal of the type User. */
export const ANY_USER = 'User:*'

/** @param codes one of the tables. @returns undefined for a code that it does not have */
export function aclCodeName<Name extends string>(
  codes: Readonly<Record<Name, number>>,
  code: number,
): Name | undefined {
  return (Object.keys(codes) as Name[]).find((name) => codes[name] === code)
}
