// TopicConfigs: what holds for a topic, from its own overrides, the broker's defaults and Kafka's. Network thread.

import { parseTopicConfig, topicConfigNames, topicConfigs } from '../storage/config.ts'
import type { ConfigSpec, ConfigType, TopicConfig } from '../storage/config.ts'
import type { Topic } from '../storage/store.ts'
import type { Settings } from './config.ts'

/** Kafka's codes for where a value comes from. */
export const configSources = { topic: 1, broker: 4, default: 5 } as const
/** Kafka's codes for the types of values. */
export const configTypes: Readonly<Record<ConfigType, number>> = {
  boolean: 1,
  string: 2,
  int: 3,
  long: 5,
  double: 6,
  list: 7,
}

export interface ConfigSynonym {
  readonly name: string
  readonly value: string
  readonly source: number
}

export interface DescribedConfig extends ConfigSynonym {
  readonly spec: ConfigSpec
  /** Everything that sets it, the strongest first. */
  readonly synonyms: readonly ConfigSynonym[]
}

type Overrides = Topic['config']

export class TopicConfigs {
  readonly #settings: Settings
  /** A topic whose configuration changes is another object. */
  readonly #parsed = new WeakMap<Topic, TopicConfig>()

  constructor(settings: Settings) {
    this.#settings = settings
  }

  of(topic: Topic): TopicConfig {
    let parsed = this.#parsed.get(topic)
    if (parsed === undefined) {
      parsed = this.parse(topic.config)
      this.#parsed.set(topic, parsed)
    }
    return parsed
  }

  /** @throws {KafkaError} INVALID_CONFIG */
  parse(overrides: Overrides): TopicConfig {
    return parseTopicConfig(overrides, this.#settings.topicDefaults)
  }

  /** Every configuration of a topic, in order of name. */
  describe(overrides: Overrides): DescribedConfig[] {
    return topicConfigNames.map((name) => {
      const spec: ConfigSpec = topicConfigs[name]
      const synonyms: ConfigSynonym[] = []
      const own = overrides[name]
      if (own !== undefined) synonyms.push({ name, value: own, source: configSources.topic })
      const ofBroker = this.#settings.topicDefaults[name]
      const brokerName = spec.brokerName ?? name
      if (ofBroker !== undefined)
        synonyms.push({ name: brokerName, value: ofBroker, source: configSources.broker })
      synonyms.push({ name: brokerName, value: spec.default, source: configSources.default })
      const { value, source } = synonyms[0]!
      return { name, value, source, spec, synonyms }
    })
  }
}
