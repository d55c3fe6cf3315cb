// Permissions: answers what the client of one request may do. Every handler asks it: api-permissions.ts lists for what. An
// authorizer decides; without one everything is allowed. Network thread.

import { CLUSTER_NAME } from '../../protocol/acl-codes.ts'
import { KafkaError } from '../../protocol/errors.ts'
import type { AuditLog, Change } from './audit.ts'
import type { Requester } from './principal.ts'
import { operations, resourceTypes, type Operation, type ResourceType } from './resources.ts'

export interface Authorizer {
  allows(
    requester: Requester,
    operation: Operation,
    resourceType: ResourceType,
    name: string,
  ): boolean
  /** May the client do this with any resource of the type? */
  allowsAny(requester: Requester, operation: Operation, resourceType: ResourceType): boolean
}

export const everythingAllowed: Authorizer = {
  allows: () => true,
  allowsAny: () => true,
}

/** The mask in an answer to a request that does not want it. */
const NOT_ASKED_FOR = -0x8000_0000

/** Goes through a list of any length, with pauses. */
interface Walk {
  forEach<Item>(items: Iterable<Item>, visit: (item: Item) => void): Promise<void>
}

export abstract class Permissions {
  abstract readonly session: Requester
  abstract readonly work: Walk
  /** Of the API that is asked. */
  abstract readonly apiName: string
  readonly #authorizer: Authorizer
  readonly #audit: AuditLog

  constructor(authorizer: Authorizer, audit: AuditLog) {
    this.#authorizer = authorizer
    this.#audit = audit
  }

  allows(operation: Operation, resourceType: ResourceType, name: string): boolean {
    const isAllowed = this.allowsSilently(operation, resourceType, name)
    if (isAllowed) this.#audit.allowed()
    else this.#audit.denied(this.session, this.apiName, { operation, resourceType, name })
    return isAllowed
  }

  /** As `allows`, but a denial is not audited: a list leaves the resource out, or another permission will do. */
  allowsSilently(operation: Operation, resourceType: ResourceType, name: string): boolean {
    return this.#authorizer.allows(this.session, operation, resourceType, name)
  }

  /** The request of an administrator has changed something, which the audit log tells. @param names of what has changed */
  changed(what: Change, names: readonly string[]): void {
    if (names.length > 0) this.#audit.changed(this.session, this.apiName, what, names)
  }

  allowsOnCluster(operation: Operation): boolean {
    return this.allows(operation, 'Cluster', CLUSTER_NAME)
  }

  allowsOnClusterSilently(operation: Operation): boolean {
    return this.allowsSilently(operation, 'Cluster', CLUSTER_NAME)
  }

  /** May the client do this with at least one resource of the type? */
  allowsAny(operation: Operation, resourceType: ResourceType): boolean {
    return this.#authorizer.allowsAny(this.session, operation, resourceType)
  }

  /** @throws {KafkaError} the error of the type of the resource */
  require(operation: Operation, resourceType: ResourceType, name: string): void {
    if (!this.allows(operation, resourceType, name)) throw denied(operation, resourceType, name)
  }

  /** @throws {KafkaError} CLUSTER_AUTHORIZATION_FAILED */
  requireOnCluster(operation: Operation): void {
    this.require(operation, 'Cluster', CLUSTER_NAME)
  }

  /** The names of resources with which the client may not do this; each name is asked for once. */
  async deniedAmong(
    operation: Operation,
    resourceType: ResourceType,
    names: Iterable<string>,
  ): Promise<ReadonlySet<string>> {
    const asked = new Set<string>()
    const denied = new Set<string>()
    await this.work.forEach(names, (name) => {
      if (asked.has(name)) return
      asked.add(name)
      if (!this.allows(operation, resourceType, name)) denied.add(name)
    })
    return denied
  }

  /** The items that a list shows. */
  *visible<Item>(
    items: Iterable<Item>,
    resourceType: ResourceType,
    nameOf: (item: Item) => string,
  ): Generator<Item> {
    for (const item of items) {
      if (this.allowsSilently('Describe', resourceType, nameOf(item))) yield item
    }
  }

  /** The mask of authorized operations of a resource (KIP-430). @param isAskedFor whether the request wants it */
  mask(isAskedFor: boolean, resourceType: ResourceType, name: string): number {
    if (!isAskedFor) return NOT_ASKED_FOR
    let bits = 0
    for (const operation of resourceTypes[resourceType].operations) {
      if (this.allowsSilently(operation, resourceType, name)) bits |= 1 << operations[operation]
    }
    return bits
  }

  /** The mask of the cluster, which is empty for a client that may not describe it. */
  clusterMask(isAskedFor: boolean): number {
    if (isAskedFor && !this.allowsOnCluster('Describe')) return 0
    return this.mask(isAskedFor, 'Cluster', CLUSTER_NAME)
  }
}

export function denied(operation: Operation, resourceType: ResourceType, name: string): KafkaError {
  const { denied: code } = resourceTypes[resourceType]
  return new KafkaError(
    code,
    `${operation} on ${resourceType} ${name.slice(0, 256)} is not allowed`,
  )
}
