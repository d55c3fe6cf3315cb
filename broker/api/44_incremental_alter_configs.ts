// IncrementalAlterConfigs: sets and unsets properties of a topic or a broker, and adds to or takes from lists (KIP-339).
// Versions: 0-1
// Behaviour: a resource gets all of its changes or none; with validateOnly all checks are done and nothing else. Appending to a
// list that is not set starts from the value that holds now. Unsetting a property that is not set is no error.

import {
  incrementalAlterConfigs,
  type IncrementalAlterConfigsRequest,
} from '../../protocol/api/44_incremental_alter_configs.ts'
import { KafkaError } from '../../protocol/errors.ts'
import { listItems, TEXT_BYTES_MAX } from '../../storage/config.ts'
import type { Overrides } from '../../storage/store.ts'
import { checkConfigNames, type ConfigResource, type ConfigResources } from '../config-resources.ts'
import type { Handler } from '../handler.ts'

type Operation = IncrementalAlterConfigsRequest['resources'][number]['configs'][number]

/** Kafka's codes. */
const SET = 0
const DELETE = 1
const APPEND = 2
const SUBTRACT = 3

export function incrementalAlterConfigsHandler({
  configResources,
}: {
  readonly configResources: ConfigResources
}): Handler<typeof incrementalAlterConfigs> {
  return {
    api: incrementalAlterConfigs,
    async handle({ resources, validateOnly }, context) {
      const changes = resources.map(({ resourceType, resourceName, configs }) => {
        const change = (before: Overrides, resource: ConfigResource) =>
          changed(before, configs, resource)
        return { resourceType, resourceName, change }
      })
      return { responses: await configResources.changeAll(changes, validateOnly, context) }
    },
    refuse: ({ resources }, code) => ({
      responses: resources.map(({ resourceType, resourceName }) => {
        return { errorCode: code, resourceType, resourceName }
      }),
    }),
  }
}

/** @throws {KafkaError} INVALID_REQUEST, INVALID_CONFIG */
function changed(
  before: Overrides,
  operations: readonly Operation[],
  resource: ConfigResource,
): Overrides {
  checkConfigNames(operations)
  const overrides = new Map(Object.entries(before))
  for (const operation of operations) {
    const { name } = operation
    const value = valueAfter(operation, before, resource)
    if (value === undefined) overrides.delete(name)
    else overrides.set(name, value)
  }
  return Object.fromEntries(overrides)
}

/** @returns undefined for a property that is no longer set */
function valueAfter(
  { name, configOperation, value }: Operation,
  before: Overrides,
  resource: ConfigResource,
): string | undefined {
  const { type } = resource.specOf(name)
  if (configOperation === DELETE) return undefined
  if (value === null) throw new KafkaError('INVALID_REQUEST', `${name} has no value`)
  if (configOperation === SET) return value
  if (configOperation !== APPEND && configOperation !== SUBTRACT)
    throw new KafkaError('INVALID_REQUEST', `operation ${configOperation} on ${name}`)
  if (type !== 'list')
    throw new KafkaError('INVALID_CONFIG', `${name} is no list: it can be set or unset`)
  if (value.length > TEXT_BYTES_MAX)
    throw new KafkaError('INVALID_CONFIG', `${value.length} characters for ${name}`)
  const present = listItems(before[name] ?? valueNow(resource, name))
  const given = value.split(',').map((item) => item.trim())
  return (configOperation === APPEND ? added(present, given) : taken(present, given)).join(',')
}

function added(present: readonly string[], given: readonly string[]): string[] {
  const isThere = new Set(present)
  return [...present, ...new Set(given.filter((item) => !isThere.has(item)))]
}

/** Each given item removes one equal item. */
function taken(present: readonly string[], given: readonly string[]): string[] {
  const left = new Map<string, number>()
  for (const item of given) left.set(item, (left.get(item) ?? 0) + 1)
  return present.filter((item) => {
    const count = left.get(item) ?? 0
    left.set(item, count - 1)
    return count <= 0
  })
}

function valueNow(resource: ConfigResource, name: string): string {
  return resource.describe(new Set([name]))[0]?.value ?? ''
}
