// StandardAuthorizer: decides by ACLs, as Apache Kafka's class of this name does: a client may do what some ACL
// allows and none denies, a super user everything. Network thread. Compared with Kafka's: broker/conformance/authorizer.test.ts

import {
  aclOperations,
  aclPatternTypes,
  aclPermissionTypes,
  ANY_USER,
  WILDCARD,
} from '../../protocol/acl-codes.ts'
import { canonicalAddress } from '../../protocol/canonical-address.ts'
import type { Acl } from './acl.ts'
import { AclIndex, type AclsByPrincipal } from './acl-index.ts'
import type { Authorizer } from './permissions.ts'
import { principalText, type Principal, type Requester } from './principal.ts'
import { operations, resourceTypes, type Operation, type ResourceType } from './resources.ts'

const { all, read, write, alter, describe, describeConfigs, alterConfigs } = aclOperations
const ALLOW = aclPermissionTypes.allow

/** Allowing one of these allows to describe; denying it does not deny that. */
const implyDescribe: readonly number[] = [read, write, aclOperations.delete, alter]

/** A name that Kafka tries, to find out whether a principal may do something with any resource of a type. */
const ANY_NAME = 'hardcode'

/** Decisions that all sessions together remember; then all forget theirs. */
const DECISIONS_MAX = 100_000
/** A longer name is not remembered. Topics have shorter ones. */
const NAME_CHARS_MAX = 256

export interface AuthorizerConfig {
  /** As `User:admin`. */
  readonly superUsers: readonly string[]
  readonly allowEveryoneIfNoAcl: boolean
}

/** What was decided for one session. */
interface Decisions {
  /** A session has another one once it has logged in. */
  readonly principal: Principal
  readonly principals: readonly string[]
  readonly isSuperUser: boolean
  readonly address: string
  /** By operation and type of resource: by name. */
  readonly byQuestion: Map<number, Map<string, boolean>>
}

export class StandardAuthorizer implements Authorizer {
  readonly #index = new AclIndex()
  readonly #config: AuthorizerConfig
  #decisions = new WeakMap<Requester, Decisions>()
  #decisionCount = 0

  constructor(config: AuthorizerConfig) {
    this.#config = config
  }

  add(acl: Acl): void {
    this.#index.add(acl)
    this.#forget()
  }

  /** @param acl as it was added */
  remove(acl: Acl): void {
    this.#index.remove(acl)
    this.#forget()
  }

  allows(
    requester: Requester,
    operation: Operation,
    resourceType: ResourceType,
    name: string,
  ): boolean {
    const decisions = this.#decisionsOf(requester)
    if (decisions.isSuperUser) return true
    const code = operations[operation]
    const { code: type } = resourceTypes[resourceType]
    const question = type * 256 + code
    let byName = decisions.byQuestion.get(question)
    if (byName === undefined) decisions.byQuestion.set(question, (byName = new Map()))
    const known = byName.get(name)
    if (known !== undefined) return known
    const isAllowed = this.#decide(decisions, code, type, name)
    if (name.length <= NAME_CHARS_MAX) byName.set(name, isAllowed)
    if (++this.#decisionCount >= DECISIONS_MAX) this.#forget()
    return isAllowed
  }

  allowsAny(requester: Requester, operation: Operation, resourceType: ResourceType): boolean {
    const decisions = this.#decisionsOf(requester)
    const code = operations[operation]
    const { code: type } = resourceTypes[resourceType]
    if (decisions.isSuperUser || this.#decide(decisions, code, type, ANY_NAME)) return true
    const acls: Acl[] = []
    for (const byPrincipal of this.#index.ofType(type)) {
      for (const acl of aclsFor(decisions, byPrincipal))
        if (acl.operation === code || acl.operation === all) acls.push(acl)
    }
    return leavesAny(acls)
  }

  #decide(decisions: Decisions, operation: number, type: number, name: string): boolean {
    let hasAcls = false
    let isAllowed = false
    for (const byPrincipal of this.#index.matching(type, name)) {
      hasAcls = true
      for (const acl of aclsFor(decisions, byPrincipal)) {
        if (!isAbout(acl, operation)) continue
        if (acl.permissionType !== ALLOW) return false
        isAllowed = true
      }
    }
    return isAllowed || (!hasAcls && this.#config.allowEveryoneIfNoAcl)
  }

  #decisionsOf(requester: Requester): Decisions {
    const known = this.#decisions.get(requester)
    if (known?.principal === requester.principal) return known
    const { principal, remoteAddress } = requester
    const text = principalText(principal)
    const decisions = {
      principal,
      principals: [text, ANY_USER],
      isSuperUser: this.#config.superUsers.includes(text),
      address: clientAddress(remoteAddress),
      byQuestion: new Map(),
    }
    this.#decisions.set(requester, decisions)
    return decisions
  }

  #forget(): void {
    this.#decisions = new WeakMap()
    this.#decisionCount = 0
  }
}

/** The ACLs of a pattern that are about the client: its principal and its host. */
function* aclsFor({ principals, address }: Decisions, acls: AclsByPrincipal): Generator<Acl> {
  for (const principal of principals) {
    for (const acl of acls.get(principal) ?? []) {
      if (acl.host === WILDCARD || canonicalAddress(acl.host) === address) yield acl
    }
  }
}

/** Without the zone of a link-local address, which no ACL has. */
function clientAddress(remoteAddress: string): string {
  const [address = ''] = remoteAddress.split('%')
  return canonicalAddress(address) ?? address
}

function isAbout(acl: Acl, operation: number): boolean {
  if (acl.operation === operation || acl.operation === all) return true
  if (acl.permissionType !== ALLOW) return false
  if (operation === describe) return implyDescribe.includes(acl.operation)
  return operation === describeConfigs && acl.operation === alterConfigs
}

/** Is there a resource that one of the ACLs allows and none denies? By patterns alone, as Kafka's `authorizeByResourceType`. */
function leavesAny(acls: readonly Acl[]): boolean {
  const namesOf = (isAllowed: boolean, patternType: number) =>
    acls
      .filter((acl) => (acl.permissionType === ALLOW) === isAllowed)
      .filter((acl) => acl.patternType === patternType)
      .map(({ resourceName }) => resourceName)
  const { literal, prefixed } = aclPatternTypes
  const denied = new Set(namesOf(false, literal))
  const deniedPrefixes = new Set(namesOf(false, prefixed))
  if (denied.has(WILDCARD)) return false
  const allowed = namesOf(true, literal)
  if (allowed.includes(WILDCARD)) return true
  const isLeft = (name: string) => ![...deniedPrefixes].some((prefix) => name.startsWith(prefix))
  return (
    allowed.some((name) => !denied.has(name) && isLeft(name)) ||
    namesOf(true, prefixed).some(isLeft)
  )
}
