// DescribeClientQuotas: there are no quotas (KIP-546).
// Versions: 0-1
// Behaviour: the broker refuses the filters that Apache Kafka refuses; any other filter finds nothing.
// Not done: AlterClientQuotas (49), which would create quotas.

import {
  describeClientQuotas,
  type DescribeClientQuotasRequest,
} from '../../protocol/api/48_describe_client_quotas.ts'
import { errorCodeOf, KafkaError } from '../../protocol/errors.ts'
import type { Handler } from '../handler.ts'
import type { Work } from '../work.ts'

type Components = DescribeClientQuotasRequest['components']

const ENTITY_TYPES = ['user', 'client-id', 'ip']
/** Kafka's codes for how a component matches. */
const EXACT = 0
const DEFAULT = 1
const ANY = 2

export function describeClientQuotasHandler(): Handler<typeof describeClientQuotas> {
  return {
    api: describeClientQuotas,
    async handle({ components }, context) {
      const { work } = context
      context.requireOnCluster('DescribeConfigs')
      try {
        await checkComponents(components, work)
        return { errorCode: 0, entries: [] }
      } catch (error) {
        if (!(error instanceof KafkaError)) throw error
        return { errorCode: errorCodeOf(error), errorMessage: error.message, entries: null }
      }
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
  if (!ENTITY_TYPES.includes(entityType))
    throw new KafkaError('UNSUPPORTED_VERSION', `entity type ${entityType.slice(0, 256)}`)
  if (matchType < EXACT || matchType > ANY)
    throw new KafkaError('INVALID_REQUEST', `match type ${matchType}`)
  if (matchType === EXACT && match === null)
    throw new KafkaError('INVALID_REQUEST', `no name of ${entityType} to match`)
  if (matchType === DEFAULT && match !== null)
    throw new KafkaError('INVALID_REQUEST', `the default of ${entityType} has no name`)
}
