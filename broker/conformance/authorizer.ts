// Random sets of ACLs and questions about them, and what Apache Kafka's StandardAuthorizer decides: for some worlds recorded
// beside in authorizer.txt, one line for each, by clients/testing/interop/authorizer.interop.ts, which asks it for many more.
// A world is the same for the same seed. Tests only.

import {
  aclOperations as op,
  aclPatternTypes as pattern,
  aclPermissionTypes as permission,
} from '../../protocol/acl-codes.ts'
import { aclId, type Acl } from '../auth/acl.ts'
import { operations, resourceTypes, type Operation, type ResourceType } from '../auth/resources.ts'
import { StandardAuthorizer } from '../auth/standard-authorizer.ts'
import { linesIn } from './denied.ts'

export const recordedAt = new URL('../../../broker/conformance/authorizer.txt', import.meta.url)
/** Seeds from 1 on. */
export const RECORDED_WORLDS = 250

const ACLS_MAX = 14
const QUESTIONS = 60

/** Without a name it is about any resource of the type. */
interface Question {
  readonly resourceType: ResourceType
  readonly name: string | undefined
  readonly operation: Operation
  readonly user: string
  readonly address: string
}

export interface AclWorld {
  readonly allowEveryoneIfNoAcl: boolean
  readonly acls: readonly Acl[]
  readonly questions: readonly Question[]
}

const SUPER_USER = 'root'
const types = ['Topic', 'Topic', 'Topic', 'Group', 'Cluster', 'TransactionalId'] as const
const names = ['a', 'ab', 'abc', 'abd', 'abcde', 'b', 'hard', 'hardcode', 'kafka-cluster', '*']
const users = ['ann', 'ann', 'ben', 'kim', SUPER_USER]
/** As Java prints them. */
const addresses = ['127.0.0.1', '10.0.0.1', '0:0:0:0:0:0:0:1', 'fd00:0:0:0:0:0:a:1']
const operationNames = Object.keys(operations) as Operation[]

export function worldOf(seed: number): AclWorld {
  const pick = pickerOf(seed)
  const count = 1 + pick(Array.from({ length: ACLS_MAX }, (_, i) => i))
  const allowEveryoneIfNoAcl = pick([true, false])
  const acls = Array.from({ length: count }, () => ({
    resourceType: resourceTypes[pick(types)].code,
    resourceName: pick(names),
    patternType: pick([pattern.literal, pattern.literal, pattern.prefixed]),
    principal: `User:${pick([...users, '*', '*'])}`,
    host: pick(['*', '*', '*', ...addresses]),
    operation: pick([op.all, ...Object.values(operations)]),
    permissionType: pick([permission.allow, permission.allow, permission.allow, permission.deny]),
  }))
  return {
    allowEveryoneIfNoAcl,
    acls: [...new Map(acls.map((acl) => [aclId(acl), acl])).values()],
    questions: Array.from({ length: QUESTIONS }, () => ({
      resourceType: pick(types),
      name: pick([undefined, ...names, ...names]),
      operation: pick(operationNames),
      user: pick(users),
      address: pick(addresses),
    })),
  }
}

/** For clients/testing/interop/Authorize.java: a line each for the world, its ACLs and its questions. */
export function textOf({ allowEveryoneIfNoAcl, acls, questions }: AclWorld): string {
  const lines = [
    ['W', allowEveryoneIfNoAcl, `User:${SUPER_USER}`],
    ...acls.map((acl) => [
      'A',
      acl.resourceType,
      acl.resourceName,
      acl.patternType,
      acl.principal,
      acl.host,
      acl.operation,
      acl.permissionType,
    ]),
    ...questions.map(({ resourceType, name, operation, user, address }) => [
      name === undefined ? 'R' : 'Q',
      resourceTypes[resourceType].code,
      name ?? '',
      operations[operation],
      user,
      address,
    ]),
  ]
  return lines.map((line) => `${line.join('\t')}\n`).join('')
}

/** Our decisions, in the order of the questions: 1 for allowed, 0 for denied. */
export function decisionsIn({ allowEveryoneIfNoAcl, acls, questions }: AclWorld): string {
  const superUsers = [`User:${SUPER_USER}`]
  const authorizer = new StandardAuthorizer({ superUsers, allowEveryoneIfNoAcl })
  for (const acl of acls) authorizer.add(acl)
  const decided = questions.map(({ resourceType, name, operation, user, address }) => {
    const requester = { principal: { type: 'User', name: user }, remoteAddress: address }
    return name === undefined
      ? authorizer.allowsAny(requester, operation, resourceType)
      : authorizer.allows(requester, operation, resourceType, name)
  })
  return decided.map(Number).join('')
}

export function recordedDecisions(): readonly string[] {
  return linesIn(recordedAt)
}

/** Mulberry32: chance that is the same on every machine. */
function pickerOf(seed: number): <Item>(items: readonly Item[]) => Item {
  let state = seed
  return (items) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return items[((mixed ^ (mixed >>> 14)) >>> 0) % items.length]!
  }
}
