// AclAdmin: lists, creates and deletes ACLs (KIP-140, KIP-290). Any broker answers.

import { describeAcls } from '../../protocol/api/29_describe_acls.ts'
import { createAcls } from '../../protocol/api/30_create_acls.ts'
import { deleteAcls } from '../../protocol/api/31_delete_acls.ts'
import {
  aclOperations,
  aclPatternTypes,
  aclPermissionTypes,
  aclResourceTypes,
} from '../../protocol/acl-codes.ts'
import { callOptions, callRows, type CallOptions } from '../call.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { checked, listOf, oneOf, required, shape, text } from '../options.ts'
import { refusalOf, wholeOrPartial } from '../partial-error.ts'

export type AclResourceType =
  | 'topic'
  | 'group'
  | 'cluster'
  | 'transactionalId'
  | 'delegationToken'
  | 'user'

export type AclOperation =
  | 'all'
  | 'read'
  | 'write'
  | 'create'
  | 'delete'
  | 'alter'
  | 'describe'
  | 'clusterAction'
  | 'describeConfigs'
  | 'alterConfigs'
  | 'idempotentWrite'
  | 'createTokens'
  | 'describeTokens'
  | 'twoPhaseCommit'

export type AclPermission = 'allow' | 'deny'

/** `prefixed`: every name that begins with the resource's name. */
export type AclPatternType = 'literal' | 'prefixed'

/** One principal may, or may not, do one operation from one host on the resources of a pattern. */
export interface Acl {
  readonly resourceType: AclResourceType | 'unknown'
  /** `*` for all resources of the type; `kafka-cluster` for the cluster. */
  readonly resourceName: string
  readonly patternType: AclPatternType | 'unknown'
  /** As `User:ann`; `User:*` for everybody. */
  readonly principal: string
  /** The address of a client; `*` for all. */
  readonly host: string
  readonly operation: AclOperation | 'unknown'
  readonly permission: AclPermission | 'unknown'
}

export interface NewAcl {
  readonly resourceType: AclResourceType
  readonly resourceName: string
  /** Default: `literal`. */
  readonly patternType?: AclPatternType | undefined
  readonly principal: string
  /** Default: `*`, all hosts. */
  readonly host?: string | undefined
  readonly operation: AclOperation
  /** Default: `allow`. A denial is stronger than anything that is allowed. */
  readonly permission?: AclPermission | undefined
}

/** Which ACLs a call is about: those that have all of these. */
export interface AclFilter {
  readonly resourceType?: AclResourceType | undefined
  readonly resourceName?: string | undefined
  /** `match`: those that take effect for the name, also by a prefix or `*`. Default: any. */
  readonly patternType?: AclPatternType | 'match' | undefined
  readonly principal?: string | undefined
  readonly host?: string | undefined
  readonly operation?: AclOperation | undefined
  readonly permission?: AclPermission | undefined
}

/** What an ACL can say; filters can say more. */
const resourceTypes = specificIn<AclResourceType>(aclResourceTypes)
const operations = specificIn<AclOperation>(aclOperations)
const permissions = specificIn<AclPermission>(aclPermissionTypes)
const patternTypes = specificIn<AclPatternType>(aclPatternTypes)

const resourceType = oneOf(...resourceTypes)
const patternType = oneOf(...patternTypes)
const operation = oneOf(...operations)
const permission = oneOf(...permissions)
const newAcls = listOf(
  shape<NewAcl>({
    resourceType: required(resourceType),
    resourceName: required(text()),
    patternType,
    principal: required(text()),
    host: text(),
    operation: required(operation),
    permission,
  }),
)
const filterRows = {
  resourceType,
  resourceName: text(),
  patternType: oneOf(...patternTypes, 'match'),
  principal: text(),
  host: text(),
  operation,
  permission,
}
const aclFilters = listOf(shape<AclFilter>(filterRows))
const listOptions = shape<AclFilter & CallOptions>({ ...callRows, ...filterRows })

export class AclAdmin {
  readonly #cluster: Cluster

  /** @internal */
  constructor(cluster: Cluster) {
    this.#cluster = cluster
  }

  /**
   * @param filter none: all ACLs
   * @throws {KafkaError} SECURITY_DISABLED by a broker without an authorizer, as the other calls
   */
  async list(filter: AclFilter & CallOptions = {}): Promise<Acl[]> {
    const call = this.#cluster.call(checked('admin.acls.list', listOptions, filter))
    const answer = await this.#cluster.retrying(call, async () => {
      const response = await this.#cluster.ask(describeAcls, requestOf(filter), 'any', call)
      const refusal = refusalOf('ACLs', response)
      if (refusal !== undefined) throw refusal
      return response
    })
    return answer.resources.flatMap(({ acls, ...resource }) =>
      acls.map((acl) => aclOf({ ...resource, ...acl })),
    )
  }

  /** One that exists already is no error. @throws {PartialError} when some are refused; the others are created */
  async create(acls: readonly NewAcl[], options: CallOptions = {}): Promise<void> {
    checked('admin.acls.create', newAcls, acls, 'acls')
    const call = this.#cluster.call(checked('admin.acls.create', callOptions, options))
    const creations = acls.map(creationOf)
    const { results } = await this.#cluster.retrying(call, () =>
      this.#cluster.ask(createAcls, { creations }, 'any', call),
    )
    wholeOrPartial(acls.map((acl, i) => refusalOf(aclText(acl), results[i])))
  }

  /**
   * @param filters an empty one deletes all ACLs
   * @returns what was deleted
   */
  async delete(filters: readonly AclFilter[], options: CallOptions = {}): Promise<Acl[]> {
    checked('admin.acls.delete', aclFilters, filters, 'filters')
    const call = this.#cluster.call(checked('admin.acls.delete', callOptions, options))
    const request = { filters: filters.map(requestOf) }
    const { filterResults } = await this.#cluster.retrying(call, () =>
      this.#cluster.ask(deleteAcls, request, 'any', call),
    )
    const deleted = new Map<string, Acl>()
    const results = filters.map((_, i) => {
      for (const each of filterResults[i]?.matchingAcls ?? []) {
        const acl = aclOf(each)
        const refusal = refusalOf(aclText(acl), each)
        if (refusal !== undefined) return refusal
        deleted.set(JSON.stringify(acl), acl)
      }
      return refusalOf('the filter', filterResults[i])
    })
    wholeOrPartial(results)
    return [...deleted.values()]
  }
}

/** An ACL, for messages: `allow User:ann read topic orders from *`; dots follow a prefix. */
export function aclText(acl: NewAcl | Acl): string {
  const { permission = 'allow', principal, resourceType, resourceName, host = '*' } = acl
  const name = acl.patternType === 'prefixed' ? `${resourceName}...` : resourceName
  return `${permission} ${principal} ${acl.operation} ${resourceType} ${name} from ${host}`
}

function specificIn<Name extends string>(codes: Readonly<Record<Name, number>>): readonly Name[] {
  return (Object.keys(codes) as Name[]).filter((name) => name !== 'any' && name !== 'match')
}

function creationOf({
  resourceType,
  resourceName,
  patternType = 'literal',
  principal,
  host = '*',
  operation,
  permission = 'allow',
}: NewAcl) {
  return {
    resourceType: aclResourceTypes[resourceType],
    resourceName,
    resourcePatternType: aclPatternTypes[patternType],
    principal,
    host,
    operation: aclOperations[operation],
    permissionType: aclPermissionTypes[permission],
  }
}

function requestOf(filter: AclFilter) {
  return {
    resourceTypeFilter: aclResourceTypes[filter.resourceType ?? 'any'],
    resourceNameFilter: filter.resourceName ?? null,
    patternTypeFilter: aclPatternTypes[filter.patternType ?? 'any'],
    principalFilter: filter.principal ?? null,
    hostFilter: filter.host ?? null,
    operation: aclOperations[filter.operation ?? 'any'],
    permissionType: aclPermissionTypes[filter.permission ?? 'any'],
  }
}

function aclOf(acl: {
  readonly resourceType: number
  readonly resourceName: string
  readonly patternType: number
  readonly principal: string
  readonly host: string
  readonly operation: number
  readonly permissionType: number
}): Acl {
  return {
    resourceType: nameIn(resourceTypes, aclResourceTypes, acl.resourceType),
    resourceName: acl.resourceName,
    patternType: nameIn(patternTypes, aclPatternTypes, acl.patternType),
    principal: acl.principal,
    host: acl.host,
    operation: nameIn(operations, aclOperations, acl.operation),
    permission: nameIn(permissions, aclPermissionTypes, acl.permissionType),
  }
}

function nameIn<Name extends string>(
  names: readonly Name[],
  codes: Readonly<Record<Name, number>>,
  code: number,
): Name | 'unknown' {
  return names.find((name) => codes[name] === code) ?? 'unknown'
}
