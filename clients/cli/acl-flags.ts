// What the flags of `acl` say: principals, resources, and the ACLs that `acl add` makes of them. An ACL that cannot take effect
// is refused with the reason, also for brokers that would take it. Pure.

import { CLUSTER_NAME } from '../../protocol/acl-codes.ts'
import { canonicalAddress } from '../../protocol/canonical-address.ts'
import type { AclOperation, AclPermission, AclResourceType, NewAcl } from '../admin/acls.ts'
import { CliError } from './exit.ts'

export interface AclFlags {
  readonly allow?: readonly string[]
  readonly deny?: readonly string[]
  readonly topic?: readonly string[]
  readonly group?: readonly string[]
  readonly transactionalId?: readonly string[]
  readonly cluster?: boolean
  readonly delegationToken?: readonly string[]
  readonly userPrincipal?: readonly string[]
  readonly prefixed?: boolean
  readonly operation?: readonly AclOperation[]
  readonly host?: readonly string[]
}

interface AddFlags extends AclFlags {
  readonly producer?: boolean
  readonly consumer?: boolean
}

/** The operations that a broker asks for, by type of resource. */
const operationsOf: Readonly<Record<AclResourceType, readonly AclOperation[]>> = {
  topic: [
    'read',
    'write',
    'create',
    'delete',
    'alter',
    'describe',
    'describeConfigs',
    'alterConfigs',
  ],
  group: ['read', 'delete', 'describe', 'describeConfigs', 'alterConfigs'],
  cluster: [
    'create',
    'alter',
    'describe',
    'clusterAction',
    'describeConfigs',
    'alterConfigs',
    'idempotentWrite',
  ],
  transactionalId: ['write', 'describe', 'twoPhaseCommit'],
  delegationToken: ['describe'],
  user: ['createTokens', 'describeTokens'],
}

const allOperations: readonly AclOperation[] = [
  'all',
  ...new Set(Object.values(operationsOf).flat()),
]

/** What a producer does with its topics and transactional ids, and a consumer with its topics and groups. */
const producing: Partial<Record<AclResourceType, readonly AclOperation[]>> = {
  topic: ['write', 'describe', 'create'],
  transactionalId: ['write', 'describe'],
}
const consuming: Partial<Record<AclResourceType, readonly AclOperation[]>> = {
  topic: ['read', 'describe'],
  group: ['read'],
}

interface Principal {
  readonly principal: string
  readonly permission: AclPermission
}

/** @throws {CliError} usage */
export function principalsOf({ allow = [], deny = [] }: AclFlags): Principal[] {
  return [
    ...allow.map((name): Principal => ({ principal: principalOf(name), permission: 'allow' })),
    ...deny.map((name): Principal => ({ principal: principalOf(name), permission: 'deny' })),
  ]
}

/** `ann` is short for `User:ann`. @throws {CliError} usage */
function principalOf(text: string): string {
  const name = /^User:/i.test(text) ? text.slice('User:'.length) : text
  if (/^(?:Group|Role):/i.test(text))
    throw new CliError('usage', `${text}: ACLs are about users; there are neither groups nor roles`)
  if (name === '') throw new CliError('usage', `'${text}' has no name`)
  return `User:${name}`
}

type Resource = readonly [type: AclResourceType, name: string]

export function resourcesOf(flags: AclFlags): Resource[] {
  const of = (type: AclResourceType, names: readonly string[] = []): Resource[] =>
    names.map((name) => [type, name])
  return [
    ...of('topic', flags.topic),
    ...of('group', flags.group),
    ...of('transactionalId', flags.transactionalId),
    ...of('cluster', flags.cluster === true ? [CLUSTER_NAME] : []),
    ...of('delegationToken', flags.delegationToken),
    ...of('user', flags.userPrincipal?.map(principalOf)),
  ]
}

/** @throws {CliError} usage, for an operation that does not exist */
export function operationsIn({ operation = [] }: AclFlags): readonly AclOperation[] {
  for (const each of operation) {
    if (!allOperations.includes(each))
      throw new CliError('usage', `there is no operation ${each}; want ${allOperations.join(', ')}`)
  }
  return operation
}

/** @throws {CliError} usage: what is missing, or why an ACL could not take effect */
export function newAcls(flags: AddFlags): NewAcl[] {
  const principals = principalsOf(flags)
  const resources = resourcesOf(flags)
  if (principals.length === 0) throw new CliError('usage', 'say --allow or --deny, and whom')
  if (resources.length === 0)
    throw new CliError('usage', 'say for what: --topic, --group, --transactional-id or --cluster')
  checkConvenience(flags)
  const hosts = (flags.host ?? ['*']).map(hostOf)
  const acls = resources.flatMap(([resourceType, resourceName]) =>
    wantedOn(resourceType, flags).flatMap((operation) =>
      principals.flatMap((principal) =>
        hosts.map((host): NewAcl => {
          const patternType = patternOf(resourceType, flags)
          return { ...principal, operation, resourceType, resourceName, patternType, host }
        }),
      ),
    ),
  )
  return [...new Map(acls.map((acl) => [JSON.stringify(acl), acl])).values()]
}

function patternOf(type: AclResourceType, { prefixed }: AclFlags): 'literal' | 'prefixed' {
  return prefixed === true && type !== 'cluster' ? 'prefixed' : 'literal'
}

/** @throws {CliError} usage */
function wantedOn(type: AclResourceType, flags: AddFlags): AclOperation[] {
  const own = operationsIn(flags)
  for (const operation of own) {
    if (operation === 'all' || operationsOf[type].includes(operation)) continue
    const those = operationsOf[type].join(', ')
    throw new CliError('usage', `${operation} has no effect on a ${type}, which has ${those}`)
  }
  const wanted = [
    ...own,
    ...(flags.producer === true ? (producing[type] ?? []) : []),
    ...(flags.consumer === true ? (consuming[type] ?? []) : []),
  ]
  if (wanted.length === 0)
    throw new CliError('usage', `say what on the ${type}: --operation, --producer or --consumer`)
  return wanted
}

/** @throws {CliError} usage */
function checkConvenience({ producer, consumer, topic, group, deny }: AddFlags): void {
  if (producer !== true && consumer !== true) return
  if (deny !== undefined)
    throw new CliError('usage', '--producer and --consumer allow; say --operation to deny')
  if (topic === undefined) throw new CliError('usage', '--producer and --consumer need --topic')
  if (consumer === true && group === undefined)
    throw new CliError('usage', '--consumer needs --group: the group that reads')
}

/** In Java's spelling, because Apache Kafka compares text. @throws {CliError} usage */
export function hostOf(text: string): string {
  if (text === '*') return text
  const address = canonicalAddress(text)
  if (address !== undefined) return address
  const reason = text.includes('/')
    ? 'ACLs have single addresses: a range of addresses would match no client'
    : 'want the address of a client, or *: names of hosts match no client'
  throw new CliError('usage', `--host ${text}: ${reason}`)
}
