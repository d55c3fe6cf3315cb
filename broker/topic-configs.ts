// TopicConfigs: what holds for a topic, from its own overrides, the broker's defaults and Kafka's. Network thread.

import {
  parseTopicConfig,
  topicConfigNames,
  topicConfigs,
  type ConfigSpec,
  type TopicConfig,
} from '../storage/config.ts'
import type { Overrides, Topic } from '../storage/store.ts'
import type { BrokerConfigs } from './broker-configs.ts'
import { configSources, type DescribedConfig } from './described-config.ts'

export class TopicConfigs {
  readonly #broker: BrokerConfigs
  /** A topic whose configuration changes is another object, and so are changed defaults. */
  #parsed = new WeakMap<Topic, TopicConfig>()
  #defaults: Overrides | undefined

  constructor(broker: BrokerConfigs) {
    this.#broker = broker
  }

  of(topic: Topic): TopicConfig {
    const { topicDefaults } = this.#broker
    if (topicDefaults !== this.#defaults) {
      this.#defaults = topicDefaults
      this.#parsed = new WeakMap()
    }
    let parsed = this.#parsed.get(topic)
    if (parsed === undefined) {
      parsed = parseTopicConfig(topic.config, topicDefaults)
      this.#parsed.set(topic, parsed)
    }
    return parsed
  }

  /** Every configuration of a topic, in order of name. */
  describe(overrides: Overrides): DescribedConfig[] {
    return topicConfigNames.map((name) => {
      const spec: ConfigSpec = topicConfigs[name]
      const inherited = this.#broker.synonymsOf(name)
      const own = overrides[name]
      const ofTopic = own === undefined ? [] : [{ name, value: own, source: configSources.topic }]
      const fallback = {
        name: spec.brokerName ?? name,
        value: spec.default,
        source: configSources.default,
      }
      const synonyms = [...ofTopic, ...inherited, fallback]
      const value = own ?? this.#broker.topicDefaults[name] ?? spec.default
      return { name, value, source: synonyms[0]!.source, spec, synonyms, isReadOnly: false }
    })
  }
}
