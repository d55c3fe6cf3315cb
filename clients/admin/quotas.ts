// QuotaAdmin: quotas of users, client ids and addresses (KIP-546, KIP-612): how much clients may send, fetch and ask for
// before the broker slows them down.

import { describeClientQuotas } from '../../protocol/api/48_describe_client_quotas.ts'
import { alterClientQuotas } from '../../protocol/api/49_alter_client_quotas.ts'
import { callOptions, callRows, type CallOptions } from '../call.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { checked, either, flag, listOf, required, rule, shape, text } from '../options.ts'
import { refusalOf } from '../partial-error.ts'
import { controllerItems } from './controller.ts'

/**
 * Which clients: a user, a client id, both of them, or an address. `null` is the default, for those without quotas of their
 * own.
 */
export interface QuotaEntity {
  readonly user?: string | null | undefined
  readonly clientId?: string | null | undefined
  /** Alone: it goes with no other. */
  readonly ip?: string | null | undefined
}

/** What each broker allows all clients of an entity together. */
export interface Quotas {
  /** Bytes per second. */
  readonly producerByteRate?: number | undefined
  /** Bytes per second. */
  readonly consumerByteRate?: number | undefined
  /** Time of the broker's threads; 100 is all of one thread. */
  readonly requestPercentage?: number | undefined
  /** Partitions created and deleted, per second. */
  readonly controllerMutationRate?: number | undefined
  /** New connections per second; of an address alone. */
  readonly connectionCreationRate?: number | undefined
}

export interface EntityQuotas {
  readonly entity: QuotaEntity
  readonly quotas: Quotas
}

export interface QuotaChange {
  readonly entity: QuotaEntity
  /** `null` removes a quota; one that is left out stays as it is. */
  readonly quotas: { readonly [Name in keyof Quotas]: Quotas[Name] | null }
}

/** Entities that have all of these: a name, `null` for the default, or `true` for any. */
export interface QuotaFilter {
  readonly user?: string | null | true | undefined
  readonly clientId?: string | null | true | undefined
  readonly ip?: string | null | true | undefined
  /** Only entities of just these types: `{ user: 'ann', strict: true }` leaves out ann with a client id. */
  readonly strict?: boolean | undefined
}

/** Kafka's names. */
const quotaNames = {
  producerByteRate: 'producer_byte_rate',
  consumerByteRate: 'consumer_byte_rate',
  requestPercentage: 'request_percentage',
  controllerMutationRate: 'controller_mutation_rate',
  connectionCreationRate: 'connection_creation_rate',
} as const satisfies Record<keyof Quotas, string>
const entityTypes = { user: 'user', clientId: 'client-id', ip: 'ip' } as const
const [EXACT, DEFAULT, ANY] = [0, 1, 2] as const

type EntityType = keyof typeof entityTypes
type QuotaName = keyof typeof quotaNames

const isNull = (value: unknown) => value === null
const entityName = either<string | null>(
  'a name, or null for the default',
  text(),
  rule('null', isNull),
)
const filterName = either<string | null | true>(
  'a name, null for the default, or true for any',
  text(),
  rule('null', isNull),
  rule('true', (value) => value === true),
)
const quota = either<number | null>(
  'a number above 0, or null to remove it',
  rule('a number', (value) => typeof value === 'number' && value > 0),
  rule('null', isNull),
)
const names = { user: entityName, clientId: entityName, ip: entityName }
const changeList = listOf(
  shape<QuotaChange>({
    entity: required(shape<QuotaEntity>(names)),
    quotas: required(
      shape<QuotaChange['quotas']>({
        producerByteRate: quota,
        consumerByteRate: quota,
        requestPercentage: quota,
        controllerMutationRate: quota,
        connectionCreationRate: quota,
      }),
    ),
  }),
)
const describeOptions = shape<QuotaFilter & CallOptions>({
  ...callRows,
  user: filterName,
  clientId: filterName,
  ip: filterName,
  strict: flag,
})
const alterOptions = shape<CallOptions & { readonly validateOnly?: boolean | undefined }>({
  ...callRows,
  validateOnly: flag,
})

/** `admin.quotas` */
export class QuotaAdmin {
  readonly #cluster: Cluster

  /** @internal */
  constructor(cluster: Cluster) {
    this.#cluster = cluster
  }

  /**
   * @param filter none: all entities that have quotas
   * @throws {KafkaError} UNSUPPORTED_VERSION from brokers before Kafka 2.6
   */
  async describe(filter: QuotaFilter & CallOptions = {}): Promise<EntityQuotas[]> {
    const call = this.#cluster.call(checked('admin.quotas.describe', describeOptions, filter))
    const request = { components: componentsOf(filter), strict: filter.strict ?? false }
    const answer = await this.#cluster.retrying(call, async () => {
      const response = await this.#cluster.ask(describeClientQuotas, request, 'any', call)
      const refusal = refusalOf('quotas', response)
      if (refusal !== undefined) throw refusal
      return response
    })
    return (answer.entries ?? []).map(({ entity, values }) => ({
      entity: entityOf(entity),
      quotas: quotasOf(values),
    }))
  }

  /**
   * Sets and removes quotas. They take effect at once, for connections that are open too.
   *
   * @param options.validateOnly check everything, change nothing
   * @throws {PartialError} when some entities are refused; the others are changed
   */
  async alter(
    changes: readonly QuotaChange[],
    options: CallOptions & { readonly validateOnly?: boolean | undefined } = {},
  ): Promise<void> {
    const taken = checked('admin.quotas.alter', changeList, changes, 'changes')
    const { validateOnly = false, ...rest } = checked('admin.quotas.alter', alterOptions, options)
    if (taken.length === 0) return
    const call = this.#cluster.call(checked('admin.quotas.alter', callOptions, rest))
    const request = { entries: taken.map(entryOf), validateOnly }
    const api = alterClientQuotas
    await controllerItems(this.#cluster, call, api, request, ({ entries }) => {
      const byEntity = new Map(entries.map((each) => [keyOf(each.entity), each]))
      return taken.map(({ entity }) =>
        refusalOf(entityText(entity), byEntity.get(keyOf(namesOf(entity)))),
      )
    })
  }
}

/** `user ann, default client-id` */
export function entityText(entity: QuotaEntity): string {
  const texts = namesOf(entity).map(({ entityType, entityName }) => {
    return entityName === null ? `default ${entityType}` : `${entityType} ${entityName}`
  })
  return texts.join(', ') || 'no entity'
}

type EntityNames = readonly { readonly entityType: string; readonly entityName: string | null }[]

function namesOf(entity: QuotaEntity): { entityType: string; entityName: string | null }[] {
  return (Object.keys(entityTypes) as EntityType[]).flatMap((type) => {
    const entityName = entity[type]
    return entityName === undefined ? [] : [{ entityType: entityTypes[type], entityName }]
  })
}

/** Brokers answer in an order of their own. */
function keyOf(names: EntityNames): string {
  const texts = names.map(({ entityType, entityName }) => JSON.stringify([entityType, entityName]))
  return texts.sort().join()
}

function componentsOf(filter: QuotaFilter) {
  return (Object.keys(entityTypes) as EntityType[]).flatMap((type) => {
    const name = filter[type]
    if (name === undefined) return []
    const isExact = typeof name === 'string'
    const matchType = isExact ? EXACT : name === null ? DEFAULT : ANY
    return [{ entityType: entityTypes[type], matchType, match: isExact ? name : null }]
  })
}

function entryOf({ entity, quotas }: QuotaChange) {
  const ops = (Object.keys(quotaNames) as QuotaName[]).flatMap((name) => {
    const value = quotas[name]
    if (value === undefined) return []
    return [{ key: quotaNames[name], value: value ?? 0, remove: value === null }]
  })
  return { entity: namesOf(entity), ops }
}

/** Types of a newer broker are left out. */
function entityOf(names: EntityNames): QuotaEntity {
  const known = (Object.keys(entityTypes) as EntityType[]).flatMap((type) => {
    const found = names.find(({ entityType }) => entityType === entityTypes[type])
    return found === undefined ? [] : [[type, found.entityName]]
  })
  return Object.fromEntries(known)
}

/** Quotas of a newer broker are left out. */
function quotasOf(values: readonly { readonly key: string; readonly value: number }[]): Quotas {
  const known = (Object.keys(quotaNames) as QuotaName[]).flatMap((name) => {
    const found = values.find(({ key }) => key === quotaNames[name])
    return found === undefined ? [] : [[name, found.value]]
  })
  return Object.fromEntries(known)
}
