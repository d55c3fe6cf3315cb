// AlterClientQuotas: sets and removes quotas of users, client ids and addresses (KIP-546, KIP-612). Durable and in effect when
// the answer goes out.
// Versions: 0-1
// Behaviour: every entity has its own outcome, whole or not at all, in the order of the request; one that is named twice is
// refused. Removing what is not there is no error. With validateOnly all checks are done and nothing else.
// Not as Kafka: the first of two entries for an entity has no effect either; NaN, which throttles nobody, and host names of
// addresses are refused.

import {
  alterClientQuotas,
  type AlterClientQuotasRequest,
} from '../../protocol/api/49_alter_client_quotas.ts'
import { errorCodeOf, KafkaError } from '../../protocol/errors.ts'
import type { Handler } from '../handler.ts'
import type { ClientQuotas, EntityQuotas } from '../quota/client-quotas.ts'
import { entityId, entityOf, entityText, invalid } from '../quota/entity.ts'
import { checkQuota } from '../quota/quota-names.ts'
import type { Work } from '../work.ts'

type Entry = AlterClientQuotasRequest['entries'][number]

/** Of one request. */
const ENTRIES_MAX = 10_000

/** What becomes of an entry of the request: the quotas that its entity is to have, or why not. */
interface Outcome {
  readonly entry: Entry
  readonly decided: EntityQuotas | KafkaError
}

interface AlterClientQuotasDeps {
  readonly quotas: ClientQuotas
}

export function alterClientQuotasHandler({
  quotas,
}: AlterClientQuotasDeps): Handler<typeof alterClientQuotas> {
  return {
    api: alterClientQuotas,
    async handle({ entries, validateOnly }, context) {
      context.requireOnCluster('AlterConfigs')
      const { work } = context
      if (entries.length > ENTRIES_MAX)
        throw new KafkaError('POLICY_VIOLATION', `${entries.length} entries; want ${ENTRIES_MAX}`)
      let outcomes: readonly Outcome[] = []
      const changed = () =>
        outcomes.flatMap(({ decided }) => (decided instanceof KafkaError ? [] : [decided]))
      await quotas.change(async () => {
        outcomes = await outcomesOf(entries, quotas, work)
        return validateOnly ? [] : changed()
      })
      if (!validateOnly)
        context.changed(
          'quotas changed',
          changed().map(({ entity }) => entityText(entity)),
        )
      return { entries: await work.each(outcomes, answerTo) }
    },
    refuse: ({ entries }, code) => ({
      entries: entries.map(({ entity }) => ({ errorCode: code, entity })),
    }),
  }
}

/** One for each entity. */
async function outcomesOf(
  entries: readonly Entry[],
  quotas: ClientQuotas,
  work: Work,
): Promise<Outcome[]> {
  const outcomes = new Map<string, Outcome>()
  await work.forEach(entries, (entry) => {
    const decided = decide(entry, quotas)
    const key = decided instanceof KafkaError ? rawKey(entry) : entityId(decided.entity)
    const isTwice = outcomes.has(key)
    outcomes.set(key, { entry, decided: isTwice ? invalid('the entity is named twice') : decided })
  })
  return [...outcomes.values()]
}

/** Of an entity that cannot be. */
function rawKey({ entity }: Entry): string {
  const names = entity.map(({ entityType, entityName }) => JSON.stringify([entityType, entityName]))
  return names.sort().join()
}

/** The quotas that the entity has after the change. */
function decide(entry: Entry, quotas: ClientQuotas): EntityQuotas | KafkaError {
  try {
    const entity = entityOf(entry.entity)
    const after = new Map(Object.entries(quotas.quotasOf(entity)))
    const keys = new Set(entry.ops.map(({ key }) => key))
    if (keys.size < entry.ops.length) throw invalid('a quota is named twice')
    for (const { key, value, remove } of entry.ops) {
      if (remove) after.delete(key)
      else {
        checkQuota(entity, key, value)
        after.set(key, value)
      }
    }
    return { entity, quotas: Object.fromEntries(after) }
  } catch (error) {
    if (error instanceof KafkaError) return error
    throw error
  }
}

/** Of a type that is named twice the last name is answered, as in Apache Kafka. */
function answerTo({ entry, decided }: Outcome) {
  const byType = new Map(entry.entity.map((each) => [each.entityType, each]))
  const entity = [...byType.values()]
  if (!(decided instanceof KafkaError)) return { errorCode: 0, entity }
  return { errorCode: errorCodeOf(decided), errorMessage: decided.reason, entity }
}
