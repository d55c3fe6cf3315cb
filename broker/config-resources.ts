// ConfigResources: the resources whose configuration clients see and change: topics, this broker, and all brokers together.
// Network thread. Names and rules are Apache Kafka's (KIP-133, KIP-226, KIP-339).

import { errorCodeOf, KafkaError } from '../protocol/errors.ts'
import { parseTopicConfig, topicConfigSpec, type ConfigSpec } from '../storage/config.ts'
import type { Overrides, Store, Topic } from '../storage/store.ts'
import { doneAmong } from './auth/audit.ts'
import { ALL_BROKERS, type BrokerConfigs } from './broker-configs.ts'
import type { DescribedConfig } from './described-config.ts'
import type { RequestContext } from './handler.ts'
import { refuseInternal } from './internal-topics.ts'
import type { TopicConfigs } from './topic-configs.ts'

/** Kafka's codes for kinds of resources. */
export const TOPIC = 2
export const BROKER = 4

/** Properties of one resource in one request; no resource has more. */
const CONFIGS_MAX = 1000

/** A resource, as clients name it. */
export interface ResourceName {
  readonly resourceType: number
  readonly resourceName: string
}

export interface ConfigResource {
  /** The properties that are set. */
  readonly overrides: Overrides
  /** In order of name. @param asked null: all */
  describe(asked: ReadonlySet<string> | null): readonly DescribedConfig[]
  /** @throws {KafkaError} INVALID_CONFIG for an unknown property */
  specOf(name: string): ConfigSpec
  /** @throws {KafkaError} the reason why these overrides are not allowed */
  check(overrides: Overrides): void
  /** Durable and in effect when it resolves. @throws {KafkaError} as `check`, or the error of `change` */
  change(change: (before: Overrides) => Overrides): Promise<unknown>
}

/** One resource's part in a request that changes configurations. */
export interface ConfigChange extends ResourceName {
  /** @throws {KafkaError} */
  readonly change: (before: Overrides, resource: ConfigResource) => Overrides
}

export interface ChangeAnswer extends ResourceName {
  readonly errorCode: number
  readonly errorMessage: string | null
}

export class ConfigResources {
  readonly #store: Store
  readonly #topicConfigs: TopicConfigs
  readonly #brokerConfigs: BrokerConfigs

  constructor(store: Store, topicConfigs: TopicConfigs, brokerConfigs: BrokerConfigs) {
    this.#store = store
    this.#topicConfigs = topicConfigs
    this.#brokerConfigs = brokerConfigs
  }

  /** @throws {KafkaError} UNKNOWN_TOPIC_OR_PARTITION, INVALID_REQUEST */
  get({ resourceType, resourceName }: ResourceName): ConfigResource {
    if (resourceType === TOPIC) return this.#topic(resourceName)
    if (resourceType === BROKER) return this.#broker(resourceName)
    throw new KafkaError('INVALID_REQUEST', `resource type ${resourceType}`)
  }

  /** One after the other; each has its own outcome. */
  async changeAll(
    changes: readonly ConfigChange[],
    validateOnly: boolean,
    context: RequestContext,
  ): Promise<ChangeAnswer[]> {
    const twice = await context.work.duplicatesIn(keysOf(changes))
    const answers = await context.work.each(changes, (change) =>
      this.#answer(change, twice.has(keyOf(change)), validateOnly, context),
    )
    if (!validateOnly) context.changed('configurations changed', doneAmong(answers, resourceText))
    return answers
  }

  async #answer(
    { resourceType, resourceName, change }: ConfigChange,
    isDuplicate: boolean,
    validateOnly: boolean,
    context: RequestContext,
  ): Promise<ChangeAnswer> {
    const name = { resourceType, resourceName }
    try {
      if (isDuplicate) throw new KafkaError('INVALID_REQUEST', 'the resource is named twice')
      requireConfigs(context, 'AlterConfigs', name)
      const resource = this.get(name)
      if (validateOnly) resource.check(change(resource.overrides, resource))
      else await resource.change((before) => change(before, resource))
      return { errorCode: 0, errorMessage: null, ...name }
    } catch (error) {
      if (!(error instanceof KafkaError)) throw error
      return { errorCode: errorCodeOf(error), errorMessage: error.reason, ...name }
    }
  }

  #topic(name: string): ConfigResource {
    const { topics } = this.#store
    const topic = topics.get(name)
    if (topic === undefined)
      throw new KafkaError('UNKNOWN_TOPIC_OR_PARTITION', `no topic ${name.slice(0, 256)}`)
    return {
      overrides: topic.config,
      describe: (asked) => this.#topicConfigs.describe(topic.config, asked),
      specOf: topicConfigSpec,
      check: (overrides) => checkTopic(topic, overrides),
      change: (change) =>
        topics.configure(name, (before) => {
          const overrides = change(before)
          checkTopic(topic, overrides)
          return overrides
        }),
    }
  }

  #broker(name: string): ConfigResource {
    const configs = this.#brokerConfigs
    const { nodeId } = this.#store
    if (name !== ALL_BROKERS && name !== String(nodeId)) {
      const message = `this is node ${nodeId}, not ${name.slice(0, 256)}`
      throw new KafkaError('INVALID_REQUEST', message)
    }
    return {
      overrides: configs.overrides(name),
      describe: (asked) => configs.describe(name, asked),
      specOf: (each) => configs.specOf(name, each),
      check: (overrides) => configs.check(name, overrides),
      change: (change) => configs.change(name, change),
    }
  }
}

/** @throws {KafkaError} TOPIC_AUTHORIZATION_FAILED, CLUSTER_AUTHORIZATION_FAILED */
export function requireConfigs(
  context: RequestContext,
  operation: 'DescribeConfigs' | 'AlterConfigs',
  { resourceType, resourceName }: ResourceName,
): void {
  if (resourceType === TOPIC) context.require(operation, 'Topic', resourceName)
  else context.requireOnCluster(operation)
}

/** @throws {KafkaError} INVALID_REQUEST for a property that is named twice, or for too many properties */
export function checkConfigNames(configs: readonly { readonly name: string }[]): void {
  if (configs.length > CONFIGS_MAX)
    throw new KafkaError('INVALID_REQUEST', `${configs.length} configurations of one resource`)
  const seen = new Set<string>()
  for (const { name } of configs) {
    if (seen.has(name))
      throw new KafkaError('INVALID_REQUEST', `${name.slice(0, 256)} is named twice`)
    seen.add(name)
  }
}

function resourceText({ resourceType, resourceName }: ResourceName): string {
  if (resourceType === TOPIC) return `topic ${resourceName}`
  return resourceName === ALL_BROKERS ? 'all brokers' : `broker ${resourceName}`
}

function* keysOf(names: Iterable<ResourceName>): Iterable<string> {
  for (const name of names) yield keyOf(name)
}

function keyOf({ resourceType, resourceName }: ResourceName): string {
  return `${resourceType}/${resourceName}`
}

function checkTopic(topic: Topic, overrides: Overrides): void {
  refuseInternal('AlterConfigs', topic.name)
  parseTopicConfig(overrides)
}
