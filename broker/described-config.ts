// Configuration values as DescribeConfigs shows them: what set them, and what else would. Network thread.

import {
  topicConfigNames,
  topicConfigs,
  type ConfigSpec,
  type ConfigType,
} from '../storage/config.ts'
import { brokerConfigs, type Settings } from './config.ts'

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

interface ConfigSynonym {
  readonly name: string
  readonly value: string
  readonly source: number
}

export interface DescribedConfig extends ConfigSynonym {
  readonly spec: ConfigSpec
  /** Everything that sets it, the strongest first. */
  readonly synonyms: readonly ConfigSynonym[]
}

/** @param set the strongest first */
export function describedConfig(
  name: string,
  spec: ConfigSpec,
  set: readonly (ConfigSynonym | undefined)[],
): DescribedConfig {
  const fallback = {
    name: spec.brokerName ?? name,
    value: spec.default,
    source: configSources.default,
  }
  const synonyms = [...set.filter((synonym) => synonym !== undefined), fallback]
  const { value, source } = synonyms[0]!
  return { name, value, source, spec, synonyms }
}

/** Every property of the broker, defaults of topics included, in order of name. */
export function describedBrokerConfigs({ given, topicDefaults }: Settings): DescribedConfig[] {
  const described = Object.entries<ConfigSpec>(brokerConfigs).map(([name, spec]) =>
    describedConfig(name, spec, [fromBroker(name, given.get(name)?.text)]),
  )
  for (const topicName of topicConfigNames) {
    const spec: ConfigSpec = topicConfigs[topicName]
    const { brokerName } = spec
    if (brokerName === undefined) continue
    described.push(
      describedConfig(brokerName, spec, [fromBroker(brokerName, topicDefaults[topicName])]),
    )
  }
  return described.sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** @param value undefined when the broker's configuration does not set it */
export function fromBroker(name: string, value: string | undefined): ConfigSynonym | undefined {
  return value === undefined ? undefined : { name, value, source: configSources.broker }
}
