// DescribeClientQuotas: there are no quotas.
// Versions: 0-1
// Behaviour: a filter that Apache Kafka refuses is refused, any other finds nothing.
// Not done: AlterClientQuotas (49), without which no quota comes to be.

import {
  describeClientQuotas,
  type DescribeClientQuotasRequest,
} from '../../protocol/api/48_describe_client_quotas.ts'
import { errorCodeOf, KafkaError } from '../../protocol/errors.ts'
import { duplicatesIn } from '../duplicates.ts'
import type { Handler } from '../net/handler.ts'

type Components = DescribeClientQuotasRequest['components']

const ENTITY_TYPES = ['user', 'client-id', 'ip']
/** Kafka's codes for how a component matches. */
const EXACT = 0
const DEFAULT = 1
const ANY = 2

export function describeClientQuotasHandler(): Handler<typeof describeClientQuotas> {
  return {
    api: describeClientQuotas,
    handle({ components }) {
      try {
        check(components)
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
function check(components: Components): void {
  components.forEach(checkComponent)
  const types = components.map(({ entityType }) => entityType)
  const [twice] = duplicatesIn(types)
  if (twice !== undefined) throw new KafkaError('INVALID_REQUEST', `${twice} is named twice`)
  if (types.includes('ip') && types.length > 1)
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
