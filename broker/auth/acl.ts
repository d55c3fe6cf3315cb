// An ACL: one principal may, or may not, do one operation from one host on the resources of a pattern. What can be stored, and
// what a filter finds. Codes are Kafka's (protocol/acl-codes.ts). Pure.

import {
  aclCodeName,
  aclOperations,
  aclPatternTypes,
  aclPermissionTypes,
  aclResourceTypes,
  CLUSTER_NAME,
  WILDCARD,
} from '../../protocol/acl-codes.ts'
import { canonicalAddress } from '../../protocol/canonical-address.ts'
import { KafkaError } from '../../protocol/errors.ts'
import type { AclRecord } from '../../storage/store.ts'
import { printable } from '../process-log.ts'

export type Acl = AclRecord

const { any, match, literal, prefixed } = aclPatternTypes
const USER = 'User:'

/** Equal for ACLs that mean the same. */
export function aclId(acl: Acl): string {
  const { resourceType, patternType, resourceName, principal, operation, permissionType } = acl
  const host = canonicalAddress(acl.host) ?? acl.host
  return JSON.stringify([
    resourceType,
    patternType,
    resourceName,
    principal,
    host,
    operation,
    permissionType,
  ])
}

/**
 * An ACL that cannot take effect is refused: a Deny among such would leave open what it is to close. Apache Kafka stores hosts
 * that no client ever has, and principals of types that it never makes.
 *
 * @throws {KafkaError} INVALID_REQUEST: the reason
 */
export function checkAcl(acl: Acl): void {
  const { resourceType, resourceName, patternType, operation, permissionType } = acl
  if (isVague(aclResourceTypes, resourceType)) throw invalid(`resource type ${resourceType}`)
  if (resourceType === aclResourceTypes.cluster && resourceName !== CLUSTER_NAME)
    throw invalid(`the only valid name for the CLUSTER resource is ${CLUSTER_NAME}`)
  if (resourceName === '') throw invalid('an empty resource name')
  if (patternType !== literal && patternType !== prefixed)
    throw invalid(`pattern type ${patternType}`)
  if (isVague(aclOperations, operation)) throw invalid(`operation ${operation}`)
  if (isVague(aclPermissionTypes, permissionType)) throw invalid(`permission ${permissionType}`)
  checkPrincipal(acl.principal)
  checkHost(acl.host)
}

/** `allow User:ann read topic orders... from *`: dots follow a prefix. */
export function aclText(acl: Acl): string {
  const permission = aclCodeName(aclPermissionTypes, acl.permissionType)
  const operation = aclCodeName(aclOperations, acl.operation)
  const type = aclCodeName(aclResourceTypes, acl.resourceType)
  const isPrefix = acl.patternType === prefixed
  const name = `${acl.resourceName}${isPrefix ? '...' : ''}`
  return `${permission} ${acl.principal} ${operation} ${type} ${name} from ${acl.host}`
}

function checkPrincipal(principal: string): void {
  const shown = printable(principal)
  if (!principal.includes(':'))
    throw invalid(`principal ${shown} has no colon between its type and its name`)
  if (!principal.startsWith(USER) || principal === USER)
    throw invalid(`principal ${shown}: clients are users, as in User:alice, or User:* for all`)
}

function checkHost(host: string): void {
  if (host === WILDCARD || canonicalAddress(host) !== undefined) return
  const shown = printable(host)
  if (host.includes('/'))
    throw invalid(`host ${shown}: a range of addresses matches no client; want one address, or *`)
  throw invalid(`host ${shown}: want the address of a client, such as 10.0.0.7 or fd00::7, or *`)
}

/** Unknown, or `any`, which only filters may say. */
function isVague(codes: Readonly<Record<string, number>>, code: number): boolean {
  return code === any || aclCodeName(codes, code) === undefined
}

function invalid(reason: string): KafkaError {
  return new KafkaError('INVALID_REQUEST', reason)
}

/** Null matches any. */
export interface AclFilter {
  readonly resourceTypeFilter: number
  readonly resourceNameFilter: string | null
  readonly patternTypeFilter: number
  readonly principalFilter: string | null
  readonly hostFilter: string | null
  readonly operation: number
  readonly permissionType: number
}

/** Do all codes of the filter exist? */
export function isKnown(filter: AclFilter): boolean {
  const { resourceTypeFilter, patternTypeFilter, operation, permissionType } = filter
  return (
    aclCodeName(aclResourceTypes, resourceTypeFilter) !== undefined &&
    aclCodeName(aclPatternTypes, patternTypeFilter) !== undefined &&
    aclCodeName(aclOperations, operation) !== undefined &&
    aclCodeName(aclPermissionTypes, permissionType) !== undefined
  )
}

/** @returns whether the filter finds an ACL */
export function matcherOf(filter: AclFilter): (acl: Acl) => boolean {
  const { principalFilter, hostFilter, operation, permissionType } = filter
  const host = hostFilter === null ? null : (canonicalAddress(hostFilter) ?? hostFilter)
  return (acl) =>
    findsResource(filter, acl) &&
    (principalFilter === null || principalFilter === acl.principal) &&
    (host === null || host === (canonicalAddress(acl.host) ?? acl.host)) &&
    (operation === aclOperations.any || operation === acl.operation) &&
    (permissionType === aclPermissionTypes.any || permissionType === acl.permissionType)
}

function findsResource(
  { resourceTypeFilter, patternTypeFilter, resourceNameFilter: name }: AclFilter,
  { resourceType, patternType, resourceName }: Acl,
): boolean {
  if (resourceTypeFilter !== aclResourceTypes.any && resourceTypeFilter !== resourceType)
    return false
  const isMatch = patternTypeFilter === match
  if (!isMatch && patternTypeFilter !== any && patternTypeFilter !== patternType) return false
  if (name === null || name === resourceName) return true
  if (!isMatch) return false
  return patternType === prefixed ? name.startsWith(resourceName) : resourceName === WILDCARD
}
