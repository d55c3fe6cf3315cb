// ClientQuotas: the quotas that hold, and which of them is a client's. A change is durable before it takes effect, and one
// change waits for the one before it. Network thread. Format on disk: docs/formats/tables.md

import { KafkaError } from '../../protocol/errors.ts'
import type { Change, ClientQuotaRecords } from '../../storage/store.ts'
import { checkEntity, entityId, type QuotaEntity } from './entity.ts'
import { checkQuota, type ClientQuotaName } from './quota-names.ts'

/** All are in memory. Apache Kafka has no limit. */
const ENTITIES_MAX = 100_000

export interface EntityQuotas {
  readonly entity: QuotaEntity
  /** By name. */
  readonly quotas: Readonly<Record<string, number>>
}

/** A quota, and the clients that share it. */
export interface Limit {
  readonly perSecond: number
  /** Clients with the same key are measured together. */
  readonly sensorKey: string
}

interface ClientQuotasDeps {
  readonly records: ClientQuotaRecords
  readonly warn: (message: string) => void
}

export class ClientQuotas {
  readonly #records: ClientQuotaRecords
  readonly #byId = new Map<string, EntityQuotas>()
  /** The last change that is under way. */
  #changing: Promise<unknown> = Promise.resolve()
  /** Rises with every change. */
  generation = 0
  #ofClientsCount = 0
  #ofAddressesCount = 0

  /** What is stored holds from now on, but for what another release has left that this one does not know. */
  constructor({ records, warn }: ClientQuotasDeps) {
    this.#records = records
    for (const [id, stored] of records.list()) {
      try {
        checkEntity(stored.entity)
        for (const [name, value] of Object.entries(stored.quotas))
          checkQuota(stored.entity, name, value)
        this.#set(id, stored)
      } catch (error) {
        warn(`the stored quotas ${id} have no effect: ${(error as Error).message}`)
      }
    }
  }

  /** Entities of users and client ids that have quotas. */
  get ofClientsCount(): number {
    return this.#ofClientsCount
  }

  /** Addresses that have quotas. */
  get ofAddressesCount(): number {
    return this.#ofAddressesCount
  }

  list(): Iterable<EntityQuotas> {
    return this.#byId.values()
  }

  quotasOf(entity: QuotaEntity): EntityQuotas['quotas'] {
    return this.#byId.get(entityId(entity))?.quotas ?? {}
  }

  /**
   * Durable when it resolves; of all changes a crash leaves all or none.
   *
   * @param decide has its turn when all earlier changes are done; an entity without quotas goes. @throws what it throws
   * @throws {KafkaError} INVALID_REQUEST for too many; KAFKA_STORAGE_ERROR. Then nothing has changed
   */
  change(decide: () => Promise<readonly EntityQuotas[]>): Promise<void> {
    const mine = this.#changing.then(async () => this.#write(await decide()))
    this.#changing = mine.catch(() => {}) // its caller hears of it
    return mine
  }

  async #write(changed: readonly EntityQuotas[]): Promise<void> {
    const changes = changed.map((each): Change<string, EntityQuotas> => {
      return [entityId(each.entity), isEmpty(each) ? undefined : each]
    })
    const addedCount = changes.filter(([id, value]) => value && !this.#byId.has(id)).length
    if (this.#byId.size + addedCount > ENTITIES_MAX)
      throw new KafkaError('INVALID_REQUEST', `quotas of more than ${ENTITIES_MAX} entities`)
    if (changes.length > 0) await this.#records.write(changes)
    for (const [id, value] of changes) this.#set(id, value)
  }

  #set(id: string, value: EntityQuotas | undefined): void {
    const before = this.#byId.get(id)
    if (before !== undefined) this.#count(before, -1)
    if (value === undefined) this.#byId.delete(id)
    else this.#byId.set(id, value)
    if (value !== undefined) this.#count(value, 1)
    this.generation++
  }

  #count({ entity }: EntityQuotas, change: number): void {
    if (entity.ip === undefined) this.#ofClientsCount += change
    else this.#ofAddressesCount += change
  }

  /** The quota that goes before all others: precedence as in Apache Kafka. */
  limitOf(name: ClientQuotaName, user: string, clientId: string): Limit | undefined {
    const both = JSON.stringify([user, clientId])
    const ofUser = JSON.stringify([user])
    const ofClient = JSON.stringify([null, clientId])
    const levels: readonly (readonly [entity: QuotaEntity, sensorKey: string])[] = [
      [{ user, 'client-id': clientId }, both],
      [{ user, 'client-id': null }, both],
      [{ user }, ofUser],
      [{ user: null, 'client-id': clientId }, both],
      [{ user: null, 'client-id': null }, both],
      [{ user: null }, ofUser],
      [{ 'client-id': clientId }, ofClient],
      [{ 'client-id': null }, ofClient],
    ]
    for (const [entity, sensorKey] of levels) {
      const perSecond = this.quotasOf(entity)[name]
      if (perSecond !== undefined) return { perSecond, sensorKey }
    }
    return undefined
  }

  /** Connections per second of one address. @returns undefined for no limit */
  connectionRateOf(address: string): number | undefined {
    const own = this.quotasOf({ ip: address })['connection_creation_rate']
    return own ?? this.quotasOf({ ip: null })['connection_creation_rate']
  }
}

function isEmpty({ quotas }: EntityQuotas): boolean {
  return Object.keys(quotas).length === 0
}
