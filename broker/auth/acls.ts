// Acls: the ACLs that hold. A change is durable before it takes effect, and one change waits for the one before it. Network
// thread. Format on disk: docs/formats/tables.md

import { KafkaError } from '../../protocol/errors.ts'
import type { AclRecords } from '../../storage/store.ts'
import { aclId, checkAcl, matcherOf, type Acl, type AclFilter } from './acl.ts'
import type { StandardAuthorizer } from './standard-authorizer.ts'

/** All are in memory. Apache Kafka has no limit. */
const ACLS_MAX = 100_000

interface AclsDeps {
  readonly records: AclRecords
  readonly authorizer: Pick<StandardAuthorizer, 'add' | 'remove'>
  readonly warn: (message: string) => void
}

export class Acls {
  readonly #deps: AclsDeps
  readonly #byId = new Map<string, Acl>()
  /** The last change that is under way. */
  #changing: Promise<unknown> = Promise.resolve()

  /** What is stored holds from now on, but for what another release has left that this one does not know. */
  constructor(deps: AclsDeps) {
    this.#deps = deps
    for (const [id, acl] of deps.records.list()) {
      try {
        checkAcl(acl)
        this.#put(id, acl)
      } catch (error) {
        deps.warn(`the stored ACL ${id} has no effect: ${(error as Error).message}`)
      }
    }
  }

  get count(): number {
    return this.#byId.size
  }

  *find(filter: AclFilter): Generator<Acl> {
    const isFound = matcherOf(filter)
    for (const acl of this.#byId.values()) if (isFound(acl)) yield acl
  }

  /**
   * One that is there already stays as it is.
   *
   * @param acls checked
   * @throws {KafkaError} INVALID_REQUEST for too many; KAFKA_STORAGE_ERROR. Then nothing has changed
   */
  create(acls: readonly Acl[]): Promise<void> {
    return this.#change(async () => {
      const added = new Map(acls.map((acl) => [aclId(acl), acl]))
      for (const id of this.#byId.keys()) added.delete(id)
      if (this.count + added.size > ACLS_MAX)
        throw new KafkaError('INVALID_REQUEST', `there are ${this.count} ACLs; ${ACLS_MAX} may be`)
      if (added.size === 0) return
      await this.#deps.records.write([...added])
      for (const [id, acl] of added) this.#put(id, acl)
    })
  }

  /**
   * One that is gone already is no error.
   *
   * @throws {KafkaError} KAFKA_STORAGE_ERROR. Then nothing has changed
   */
  delete(acls: Iterable<Acl>): Promise<void> {
    return this.#change(async () => {
      const ids = new Set(Array.from(acls, aclId).filter((id) => this.#byId.has(id)))
      if (ids.size === 0) return
      await this.#deps.records.write(Array.from(ids, (id) => [id, undefined]))
      for (const id of ids) this.#drop(id)
    })
  }

  #change(change: () => Promise<void>): Promise<void> {
    const mine = this.#changing.then(change)
    this.#changing = mine.catch(() => {}) // its caller hears of it
    return mine
  }

  #put(id: string, acl: Acl): void {
    this.#byId.set(id, acl)
    this.#deps.authorizer.add(acl)
  }

  #drop(id: string): void {
    const acl = this.#byId.get(id)!
    this.#byId.delete(id)
    this.#deps.authorizer.remove(acl)
  }
}
