// TopicConfigs: what holds for a topic, from its own overrides, the broker's defaults and Kafka's. Network thread.

import { parseTopicConfig, topicConfigNames, topicConfigs } from '../storage/config.ts'
import type { ConfigSpec, TopicConfig } from '../storage/config.ts'
import type { Topic } from '../storage/store.ts'
import type { Settings } from './config.ts'
import {
  configSources,
  describedConfig,
  fromBroker,
  type DescribedConfig,
} from './described-config.ts'

type Overrides = Topic['config']

export class TopicConfigs {
  readonly #defaults: Settings['topicDefaults']
  /** A topic whose configuration changes is another object. */
  readonly #parsed = new WeakMap<Topic, TopicConfig>()

  constructor({ topicDefaults }: Settings) {
    this.#defaults = topicDefaults
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
    return parseTopicConfig(overrides, this.#defaults)
  }

  /** Every configuration of a topic, in order of name. */
  describe(overrides: Overrides): DescribedConfig[] {
    return topicConfigNames.map((name) => {
      const spec: ConfigSpec = topicConfigs[name]
      const own = overrides[name]
      return describedConfig(name, spec, [
        own === undefined ? undefined : { name, value: own, source: configSources.topic },
        fromBroker(spec.brokerName ?? name, this.#defaults[name]),
      ])
    })
  }
}
