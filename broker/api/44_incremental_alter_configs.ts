// IncrementalAlterConfigs: sets, unsets, and adds to or takes from lists, of a topic or a broker.
// Versions: 0-1
// Behaviour: every resource has its own outcome: all of its changes or none. validateOnly does all checks and nothing else.
// Appending to a list that is not set begins with what holds now.

import {
  incrementalAlterConfigs,
  type IncrementalAlterConfigsRequest,
} from '../../protocol/api/44_incremental_alter_configs.ts'
import { KafkaError } from '../../protocol/errors.ts'
import type { Overrides } from '../../storage/store.ts'
import type { ConfigResource, ConfigResources } from '../config-resources.ts'
import { duplicatesIn } from '../duplicates.ts'
import type { Handler } from '../net/handler.ts'

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
    async handle({ resources, validateOnly }) {
      const changes = resources.map(({ resourceType, resourceName, configs }) => {
        const change = (before: Overrides, resource: ConfigResource) =>
          changed(before, configs, resource)
        return { resourceType, resourceName, change }
      })
      return { responses: await configResources.changeAll(changes, validateOnly) }
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
  const [twice] = duplicatesIn(operations.map(({ name }) => name))
  if (twice !== undefined)
    throw new KafkaError('INVALID_REQUEST', `${twice.slice(0, 256)} is changed twice`)
  const overrides = new Map(Object.entries(before))
  for (const operation of operations) {
    const { name } = operation
    const value = valueAfter(operation, before, resource)
    if (value === undefined) overrides.delete(name)
    else overrides.set(name, value)
  }
  return Object.fromEntries(overrides)
}

/** @returns undefined when it is no longer set */
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
  const present = itemsOf(before[name] ?? valueNow(resource, name))
  const given = itemsOf(value)
  const items =
    configOperation === APPEND
      ? new Set([...present, ...given])
      : present.filter((item) => !given.includes(item))
  return [...items].join(',')
}

function valueNow(resource: ConfigResource, name: string): string {
  return resource.describe().find((config) => config.name === name)?.value ?? ''
}

function itemsOf(list: string): string[] {
  return list
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
}
