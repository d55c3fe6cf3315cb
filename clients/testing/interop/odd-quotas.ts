// Odd questions about quotas: values, entities and filters that make no sense, beside some that do.

import { describeClientQuotas } from '../../../protocol/api/48_describe_client_quotas.ts'
import { alterClientQuotas } from '../../../protocol/api/49_alter_client_quotas.ts'
import { everyVersion, question, type Question } from './odd-question.ts'

export function ofQuotas(): Question[] {
  type Component = readonly [entityType: string, matchType: number, match: string | null]
  const filters: (readonly Component[])[] = [
    [],
    [['user', 2, null]],
    [
      ['user', 2, null],
      ['user', 0, 'a'],
    ],
    [['user', 0, null]],
    [['user', 1, 'a']],
    [['user', 9, null]],
    [['client-id', 1, null]],
    [['ip', 0, '127.0.0.1']],
    [
      ['ip', 0, '127.0.0.1'],
      ['user', 2, null],
    ],
    [['planet', 0, 'a']],
    [['', 0, 'a']],
  ]
  return filters.flatMap((filter) => {
    const components = filter.map(([entityType, matchType, match]) => {
      return { entityType, matchType, match }
    })
    return everyVersion(describeClientQuotas, { components, strict: false })
  })
}

type Named = readonly (readonly [type: string, name: string | null])[]
/** No value: the quota is removed. */
type Values = readonly (readonly [quota: string, value?: number])[]

/** The outcomes in an order of our own: Kafka's is that of a hash map. */
function alterQuotas(
  entries: readonly (readonly [Named, Values])[],
  validateOnly = false,
): Question {
  const request = {
    entries: entries.map(([entity, values]) => ({
      entity: entity.map(([entityType, entityName]) => ({ entityType, entityName })),
      ops: values.map(([key, value]) => ({ key, value: value ?? 0, remove: value === undefined })),
    })),
    validateOnly,
  }
  const about = JSON.stringify([entries, validateOnly])
  return question(alterClientQuotas, request, about, (answer) =>
    answer.entries
      .map(({ errorCode, entity }) => JSON.stringify([errorCode, sortedByType(entity)]))
      .sort(),
  )
}

function sortedByType<Item extends { readonly entityType: string }>(
  entity: readonly Item[],
): Item[] {
  return [...entity].sort((a, b) => (a.entityType < b.entityType ? -1 : 1))
}

const QUOTA_NAMES = [
  'producer_byte_rate',
  'request_percentage',
  'controller_mutation_rate',
] as const
const ANN: Named = [['user', 'ann']]
const ip = (name: string | null): Named => [['ip', name]]
const rate: Values = [['producer_byte_rate', 1]]

const oddValues: readonly Values[number][] = [
  ...[-1, 0, 1.5, 1.0000001, 1e300, 2 ** 63, 1].map((value) => [QUOTA_NAMES[0], value] as const),
  ...[-5, 0, 0.5, Infinity].map((value) => [QUOTA_NAMES[1], value] as const),
  ...[0, 0.5].map((value) => [QUOTA_NAMES[2], value] as const),
  ...['planet', '', 'connection_creation_rate', 'SCRAM-SHA-256'].map((name) => [name, 1] as const),
]
const oddConnectionRates: readonly Values[number][] = [
  ...[10.5, -1, 0, 2 ** 31, 1].map((value) => ['connection_creation_rate', value] as const),
  ['producer_byte_rate', 1],
]
const refusedEntities: readonly Named[] = [
  [],
  [['planet', 'a']],
  [['', 'a']],
  [...ANN, ['planet', 'b']],
  [...ANN, ['ip', '127.0.0.1']],
  [
    ['client-id', 'a'],
    ['ip', null],
  ],
  [['user', '']],
  [['client-id', '']],
]
const oddEntities: readonly Named[] = [
  [...ANN, ['user', 'ben']],
  [['user', null]],
  [
    ['user', null],
    ['client-id', null],
  ],
  [
    ['client-id', 'c'],
    ['user', null],
  ],
  [['client-id', '<default>']],
]

/** Each request changes nothing when it is sent a second time, or is refused the same way. */
export function ofQuotaChanges(): Question[] {
  const bad = [[['user', 'bad']], [['planet', 1]]] as const
  return [
    ...oddValues.map((each) => alterQuotas([[ANN, [each]]])),
    ...oddConnectionRates.map((each) => alterQuotas([[ip('127.0.0.9'), [each]]])),
    ...['10.0.0.0/8', 'no.such.host.invalid', '', '::1', null].map((name) =>
      alterQuotas([[ip(name), [['connection_creation_rate', 1]]]]),
    ),
    ...[...refusedEntities, ...oddEntities].map((entity) => alterQuotas([[entity, rate]])),
    alterQuotas([[[['user', 'nobody']], [['producer_byte_rate'], ['planet']]]]),
    alterQuotas([[[['user', 'nobody']], []]]),
    alterQuotas([[[['user', 'twice']], [...rate, ...rate]]]),
    alterQuotas([[[['user', 'half']], [...rate, ['planet', 1]]]]),
    alterQuotas([[[['user', 'good']], rate], bad]),
    alterQuotas([[[['user', 'checked']], rate], bad], true),
    alterQuotas([]),
    ...quotaLookUps(),
    ...[ANN, ...oddEntities, [['user', 'good']] as const].map((entity) =>
      alterQuotas([[entity, QUOTA_NAMES.map((name) => [name] as const)]]),
    ),
    ...['127.0.0.9', '::1', null].map((name) =>
      alterQuotas([[ip(name), [['connection_creation_rate']]]]),
    ),
    ...quotaLookUps(),
  ]
}

function quotaLookUps(): Question[] {
  const [EXACT, DEFAULT, ANY] = [0, 1, 2]
  return [
    quotasFound(false),
    quotasFound(true),
    quotasFound(false, ['user', ANY, null]),
    quotasFound(true, ['user', ANY, null]),
    quotasFound(false, ['user', DEFAULT, null]),
    quotasFound(true, ['user', DEFAULT, null]),
    quotasFound(false, ['client-id', EXACT, 'c']),
    quotasFound(false, ['user', EXACT, 'ann']),
    quotasFound(false, ['ip', ANY, null]),
    quotasFound(false, ['ip', EXACT, '::1']),
  ]
}

function quotasFound(
  strict: boolean,
  ...filter: (readonly [entityType: string, matchType: number, match: string | null])[]
): Question {
  const components = filter.map(([entityType, matchType, match]) => {
    return { entityType, matchType, match }
  })
  return question(
    describeClientQuotas,
    { components, strict },
    JSON.stringify([filter, strict]),
    ({ entries }) =>
      entries!
        .map(({ entity, values }) => {
          const of = values.map(({ key, value }) => `${key}=${value}`).sort()
          return JSON.stringify([sortedByType(entity), of])
        })
        .sort(),
  )
}
