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
import { configSources, defaultSynonyms, type DescribedConfig } from './described-config.ts'

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

  /** Configurations of a topic, in order of name. @param asked null: all */
  describe(overrides: Overrides, asked: ReadonlySet<string> | null): DescribedConfig[] {
    const names = topicConfigNames.filter((name) => asked?.has(name) ?? true)
    return names.map((name) => {
      const spec: ConfigSpec = topicConfigs[name]
      const inherited = this.#broker.synonymsOf(name)
      const own = overrides[name]
      const ofTopic = own === undefined ? [] : [{ name, value: own, source: configSources.topic }]
      const synonyms = [...ofTopic, ...inherited, ...defaultSynonyms(name)]
      const value = own ?? this.#broker.topicDefaults[name] ?? spec.default
      const source = synonyms[0]?.source ?? configSources.default
      return { name, value, source, spec, synonyms, isReadOnly: false }
    })
  }
}
