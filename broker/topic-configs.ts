// TopicConfigs: the sources of a topic's properties: its own overrides, the broker's defaults, or Kafka's. The
// effective values of a log are `log.config`. Network thread.

import { topicConfigNames, topicConfigs, type ConfigSpec } from '../storage/config.ts'
import type { Overrides } from '../storage/store.ts'
import type { BrokerConfigs } from './broker-configs.ts'
import { configSources, defaultSynonyms, type DescribedConfig } from './described-config.ts'

export class TopicConfigs {
  readonly #broker: BrokerConfigs
  constructor(broker: BrokerConfigs) {
    this.#broker = broker
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
