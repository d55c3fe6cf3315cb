// ConfigAdmin: describes and changes configurations of topics and brokers. Apache Kafka before 2.3 can only
// replace all settings of a resource: there the client reads them, changes them and writes them back.

import { describeConfigs } from '../../protocol/api/32_describe_configs.ts'
import { alterConfigs } from '../../protocol/api/33_alter_configs.ts'
import { incrementalAlterConfigs } from '../../protocol/api/44_incremental_alter_configs.ts'
import { KafkaError } from '../../protocol/errors.ts'
import type { Api, RequestInput, ResponseOf } from '../../protocol/schema.ts'
import { callOptions, callRows, type Call, type CallOptions } from '../call.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { checked, flag, listOf, namesTo, required, rule, shape, text, whole } from '../options.ts'
import { forEach, refusalOf } from '../partial-error.ts'
import { topicLike, topicOf, type TopicLike } from '../topic.ts'

/** A topic, a broker by its node id, or the settings of all brokers. */
export type ConfigResource = { readonly topic: TopicLike } | { readonly broker: number | 'all' }

export interface ConfigDescription {
  readonly resource: ConfigResource
  readonly entries: readonly ConfigEntry[]
}

/** A source of a configuration's value, and the name that it uses. */
export interface ConfigSynonym {
  readonly name: string
  /** null for a secret. */
  readonly value: string | null
  readonly source: ConfigSource
}

export interface ConfigEntry extends ConfigSynonym {
  readonly isReadOnly: boolean
  readonly isSensitive: boolean
  /** All sources that set it, the strongest first; without the first, the second applies. */
  readonly synonyms: readonly ConfigSynonym[]
}

/** The source of a value, by Kafka's numbers. */
const configSources = [
  'unknown',
  'topic',
  'dynamicBroker',
  'dynamicDefaultBroker',
  'staticBroker',
  'default',
] as const
export type ConfigSource = (typeof configSources)[number]

type ConfigValue = string | number | boolean

export interface ConfigChange {
  readonly resource: ConfigResource
  readonly set?: Readonly<Record<string, ConfigValue>> | undefined
  /** Names that fall back to their default. */
  readonly unset?: readonly string[] | undefined
  /** Adds items to lists. Comma-separated. */
  readonly append?: Readonly<Record<string, string>> | undefined
  /** Removes items from lists. Comma-separated. */
  readonly subtract?: Readonly<Record<string, string>> | undefined
}

export const configValue = rule<ConfigValue>('text, a number, true or false', (value) =>
  ['string', 'number', 'boolean'].includes(typeof value),
)
const resource = rule<ConfigResource>(
  "{ topic } or { broker: its id, or 'all' }",
  (value) =>
    ('topic' in value && topicLike.allows(value.topic)) ||
    value.broker === 'all' ||
    nodeId.allows(value.broker),
)
const nodeId = whole()
const listChange = namesTo(text(0))
const changeList = listOf(
  shape<ConfigChange>({
    resource: required(resource),
    set: namesTo(configValue),
    unset: listOf(text()),
    append: listChange,
    subtract: listChange,
  }),
)

interface AlterOptions extends CallOptions {
  readonly validateOnly?: boolean | undefined
}
const alterOptions = shape<AlterOptions>({ ...callRows, validateOnly: flag })

/** Kafka's numbers of resource types. */
const RESOURCE_TOPIC = 2
const RESOURCE_BROKER = 4

/** Kafka's numbers of operations on a config (KIP-339). */
const SET = 0
const DELETE = 1
const APPEND = 2
const SUBTRACT = 3

interface Operation {
  readonly name: string
  readonly configOperation: number
  readonly value: string | null
}

/** Calls with several resources throw a `PartialError` if some fail; the others are then done. */
export class ConfigAdmin {
  readonly #cluster: Cluster

  /** @internal */
  constructor(cluster: Cluster) {
    this.#cluster = cluster
  }

  async describe(
    resources: readonly ConfigResource[],
    options: CallOptions = {},
  ): Promise<ConfigDescription[]> {
    checked('admin.configs.describe', listOf(resource), resources, 'resources')
    const call = this.#cluster.call(checked('admin.configs.describe', callOptions, options))
    return await Promise.all(resources.map((each) => this.#describe(each, call)))
  }

  /**
   * For each resource the broker makes all changes or none.
   *
   * @param options.validateOnly check everything, change nothing
   */
  async alter(changes: readonly ConfigChange[], options: AlterOptions = {}): Promise<void> {
    checked('admin.configs.alter', changeList, changes, 'changes')
    const call = this.#cluster.call(checked('admin.configs.alter', alterOptions, options))
    const { validateOnly = false } = options
    await forEach(changes, (change) => this.#alter(change, validateOnly, call))
  }

  async #describe(resource: ConfigResource, call: Call): Promise<ConfigDescription> {
    const request = { resources: [nameOf(resource)], includeSynonyms: true }
    const answer = await this.#ask(
      describeConfigs,
      request,
      resource,
      call,
      ({ results }) => results,
    )
    return { resource, entries: answer.configs.map(entryOf) }
  }

  async #alter(change: ConfigChange, validateOnly: boolean, call: Call): Promise<void> {
    const { resource } = change
    const configs = operationsOf(change)
    const request = { resources: [{ ...nameOf(resource), configs }], validateOnly }
    const api = incrementalAlterConfigs
    try {
      await this.#ask(api, request, resource, call, ({ responses }) => responses)
    } catch (error) {
      if (!(error instanceof KafkaError) || error.code !== 'UNSUPPORTED_VERSION') throw error
      await this.#replace(resource, configs, validateOnly, call)
    }
  }

  /** Not atomic: overwrites changes that another client makes at the same time. */
  async #replace(
    resource: ConfigResource,
    operations: readonly Operation[],
    validateOnly: boolean,
    call: Call,
  ): Promise<void> {
    const { entries } = await this.#describe(resource, call)
    const own = ownSource(resource)
    const values = new Map<string, string>()
    for (const { name, value, source } of entries) {
      if (source !== own) continue
      if (value !== null) values.set(name, value)
      else if (!operations.some((operation) => operation.name === name)) throw secretLost(name)
    }
    for (const { name, configOperation, value } of operations) {
      const present = values.get(name) ?? entries.find((entry) => entry.name === name)?.value ?? ''
      if (configOperation === DELETE) values.delete(name)
      else values.set(name, changedValue(configOperation, present, value!))
    }
    const configs = Array.from(values, ([name, value]) => ({ name, value }))
    const request = { resources: [{ ...nameOf(resource), configs }], validateOnly }
    await this.#ask(alterConfigs, request, resource, call, ({ responses }) => responses)
  }

  /** One request for one resource, retried. It goes to the broker itself for a broker's configs. @returns its answer */
  async #ask<
    A extends Api<any, any>,
    R extends { readonly errorCode: number; readonly errorMessage: string | null },
  >(
    api: A,
    request: RequestInput<A>,
    resource: ConfigResource,
    call: Call,
    answersOf: (response: ResponseOf<A>) => readonly R[],
  ): Promise<R> {
    const node = 'broker' in resource && resource.broker !== 'all' ? resource.broker : undefined
    return await this.#cluster.retrying(call, async () => {
      if (node !== undefined) await this.#cluster.describe([], call)
      const [answer] = answersOf(await this.#cluster.ask(api, request, node ?? 'any', call))
      const refusal = refusalOf(configResourceText(resource), answer)
      if (refusal !== undefined) throw refusal
      return answer!
    })
  }
}

function nameOf(resource: ConfigResource): { resourceType: number; resourceName: string } {
  if ('topic' in resource)
    return { resourceType: RESOURCE_TOPIC, resourceName: topicOf(resource.topic).name }
  const resourceName = resource.broker === 'all' ? '' : String(resource.broker)
  return { resourceType: RESOURCE_BROKER, resourceName }
}

/** The resource, for messages. */
export function configResourceText(resource: ConfigResource): string {
  if ('topic' in resource) return topicOf(resource.topic).name
  return resource.broker === 'all' ? 'all brokers' : `broker ${resource.broker}`
}

/** The source of settings of the resource itself. */
export function ownSource(resource: ConfigResource): ConfigSource {
  if ('topic' in resource) return 'topic'
  return resource.broker === 'all' ? 'dynamicDefaultBroker' : 'dynamicBroker'
}

function operationsOf({ set, unset = [], append, subtract }: ConfigChange): Operation[] {
  const each = (
    configOperation: number,
    values: Readonly<Record<string, ConfigValue>> = {},
  ): Operation[] =>
    Object.entries(values).map(([name, value]) => ({ name, configOperation, value: String(value) }))
  return [
    ...each(SET, set),
    ...unset.map((name) => ({ name, configOperation: DELETE, value: null })),
    ...each(APPEND, append),
    ...each(SUBTRACT, subtract),
  ]
}

function changedValue(operation: number, present: string, value: string): string {
  if (operation === SET) return value
  const items = present === '' ? [] : present.split(',')
  const given = value.split(',')
  if (operation === SUBTRACT) return items.filter((item) => !given.includes(item)).join(',')
  return [...new Set([...items, ...given])].join(',')
}

function secretLost(name: string): KafkaError {
  return new KafkaError(
    'UNSUPPORTED_VERSION',
    `this broker can only replace all configs, and does not tell ${name}, which would be lost`,
  )
}

interface DescribedSynonym {
  readonly name: string
  readonly value: string | null
  readonly source: number
}

function entryOf(entry: {
  readonly name: string
  readonly value: string | null
  readonly readOnly: boolean
  readonly configSource: number
  readonly isSensitive: boolean
  readonly synonyms: readonly DescribedSynonym[]
}): ConfigEntry {
  const { name, value, readOnly, configSource, isSensitive, synonyms } = entry
  return {
    ...synonymOf({ name, value, source: configSource }),
    isReadOnly: readOnly,
    isSensitive,
    synonyms: synonyms.map(synonymOf),
  }
}

function synonymOf({ name, value, source }: DescribedSynonym): ConfigSynonym {
  return { name, value, source: configSources[source] ?? 'unknown' }
}
