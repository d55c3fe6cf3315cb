// AclIndex: ACLs by the resources that they are about, so that a decision looks at those of its resource and principal only,
// however many there are. Network thread.

import { aclPatternTypes, WILDCARD } from '../../protocol/acl-codes.ts'
import type { Acl } from './acl.ts'

/** The ACLs of one pattern, by principal. */
export type AclsByPrincipal = ReadonlyMap<string, readonly Acl[]>

export class AclIndex {
  readonly #byType = new Map<number, Patterns>()

  add(acl: Acl): void {
    let patterns = this.#byType.get(acl.resourceType)
    if (patterns === undefined) this.#byType.set(acl.resourceType, (patterns = new Patterns()))
    patterns.add(acl)
  }

  /** @param acl as it was added */
  remove(acl: Acl): void {
    this.#byType.get(acl.resourceType)?.remove(acl)
  }

  /** The ACLs of each pattern that the resource matches. */
  matching(resourceType: number, name: string): Iterable<AclsByPrincipal> {
    return this.#byType.get(resourceType)?.matching(name) ?? []
  }

  /** The ACLs of each pattern of the type. */
  ofType(resourceType: number): Iterable<AclsByPrincipal> {
    return this.#byType.get(resourceType)?.all() ?? []
  }
}

type ByName = Map<string, Map<string, Acl[]>>

/** The patterns of one type of resources. A prefix is looked up by each length that prefixes have. */
class Patterns {
  readonly #literals: ByName = new Map()
  readonly #prefixes: ByName = new Map()
  /** Of prefixes, ascending, without repetition. */
  #prefixLengths: readonly number[] = []

  add(acl: Acl): void {
    const byName = this.#of(acl)
    const byPrincipal = byName.get(acl.resourceName) ?? new Map<string, Acl[]>()
    byName.set(acl.resourceName, byPrincipal)
    const acls = byPrincipal.get(acl.principal)
    if (acls === undefined) byPrincipal.set(acl.principal, [acl])
    else acls.push(acl)
    const { length } = acl.resourceName
    if (byName === this.#prefixes && !this.#prefixLengths.includes(length))
      this.#prefixLengths = [...this.#prefixLengths, length].sort((a, b) => a - b)
  }

  remove(acl: Acl): void {
    const byName = this.#of(acl)
    const byPrincipal = byName.get(acl.resourceName)
    const left = byPrincipal?.get(acl.principal)?.filter((each) => each !== acl)
    if (byPrincipal === undefined || left === undefined) return
    if (left.length > 0) byPrincipal.set(acl.principal, left)
    else byPrincipal.delete(acl.principal)
    if (byPrincipal.size > 0) return
    byName.delete(acl.resourceName)
  }

  *matching(name: string): Generator<AclsByPrincipal> {
    const own = this.#literals.get(name)
    if (own !== undefined) yield own
    const ofAll = name === WILDCARD ? undefined : this.#literals.get(WILDCARD)
    if (ofAll !== undefined) yield ofAll
    for (const length of this.#prefixLengths) {
      if (length > name.length) return
      const ofPrefix = this.#prefixes.get(name.slice(0, length))
      if (ofPrefix !== undefined) yield ofPrefix
    }
  }

  *all(): Generator<AclsByPrincipal> {
    yield* this.#literals.values()
    yield* this.#prefixes.values()
  }

  #of({ patternType }: Acl): ByName {
    return patternType === aclPatternTypes.prefixed ? this.#prefixes : this.#literals
  }
}
