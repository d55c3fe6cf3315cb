// DescribeClientQuotas: the entities that a filter finds, and their quotas (KIP-546).
// Versions: 0-1
// Behaviour: the broker refuses the filters that Apache Kafka refuses. A strict filter finds entities of just its types; any
// other one those of further types too. Without a filter all are found, and with a strict one none.

import {
  describeClientQuotas,
  type DescribeClientQuotasRequest,
  type DescribeClientQuotasResponse,
} from '../../protocol/api/48_describe_client_quotas.ts'
import { errorCodeOf, KafkaError } from '../../protocol/errors.ts'
import type { Handler } from '../handler.ts'
import type { ClientQuotas, EntityQuotas } from '../quota/client-quotas.ts'
import { canonicalName, isEntityType, namesOf, type QuotaEntity } from '../quota/entity.ts'
import type { Work } from '../work.ts'

type Components = DescribeClientQuotasRequest['components']
type Entry = NonNullable<DescribeClientQuotasResponse['entries']>[number]

/** Kafka's codes for how a component matches. */
const EXACT = 0
const DEFAULT = 1
const ANY = 2

interface DescribeClientQuotasDeps {
  readonly quotas: ClientQuotas
}

export function describeClientQuotasHandler({
  quotas,
}: DescribeClientQuotasDeps): Handler<typeof describeClientQuotas> {
  return {
    api: describeClientQuotas,
    async handle({ components, strict }, context) {
      const { work } = context
      context.requireOnCluster('DescribeConfigs')
      try {
        await checkComponents(components, work)
      } catch (error) {
        if (!(error instanceof KafkaError)) throw error
        return { errorCode: errorCodeOf(error), errorMessage: error.reason, entries: null }
      }
      const found: EntityQuotas[] = []
      await work.forEach(quotas.list(), (each) => {
        if (matches(each.entity, components, strict)) found.push(each)
      })
      return { errorCode: 0, entries: await work.each(found, entryOf) }
    },
    refuse: (_request, code) => ({ errorCode: code, entries: null }),
  }
}

/** @throws {KafkaError} INVALID_REQUEST, UNSUPPORTED_VERSION */
async function checkComponents(components: Components, work: Work): Promise<void> {
  const types = new Set<string>()
  await work.forEach(components, (component) => {
    checkComponent(component)
    types.add(component.entityType)
  })
  if (types.size < components.length)
    throw new KafkaError('INVALID_REQUEST', 'an entity type is named twice')
  if (types.has('ip') && types.size > 1)
    throw new KafkaError('INVALID_REQUEST', 'ip goes with no other entity type')
}

function checkComponent({ entityType, matchType, match }: Components[number]): void {
  if (entityType === '') throw new KafkaError('INVALID_REQUEST', 'an empty entity type')
  if (!isEntityType(entityType))
    throw new KafkaError('UNSUPPORTED_VERSION', `entity type ${entityType.slice(0, 256)}`)
  if (matchType < EXACT || matchType > ANY)
    throw new KafkaError('INVALID_REQUEST', `match type ${matchType}`)
  if (matchType === EXACT && match === null)
    throw new KafkaError('INVALID_REQUEST', `no name of ${entityType} to match`)
  if (matchType !== EXACT && match !== null)
    throw new KafkaError('INVALID_REQUEST', `${entityType} matches by no name, and has one`)
}

function matches(entity: QuotaEntity, components: Components, isStrict: boolean): boolean {
  if (isStrict && Object.keys(entity).length !== components.length) return false
  return components.every(({ entityType, matchType, match }) => {
    const name = entity[entityType as keyof QuotaEntity]
    if (name === undefined) return false
    if (matchType === DEFAULT) return name === null
    return matchType === ANY || isSame(entityType, name, match)
  })
}

function isSame(type: string, name: string | null, match: string | null): boolean {
  if (name === null || match === null) return false
  return canonicalName(type, name) === canonicalName(type, match)
}

function entryOf({ entity, quotas }: EntityQuotas): Entry {
  return {
    entity: namesOf(entity),
    values: Object.entries(quotas).map(([key, value]) => ({ key, value })),
  }
}
