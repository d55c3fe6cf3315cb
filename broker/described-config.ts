// Configuration values as DescribeConfigs shows them, with all the places that set them. Network thread.

import {
  topicConfigs,
  topicDefaultNames,
  type ConfigSpec,
  type ConfigType,
  type TopicConfigName,
} from '../storage/config.ts'

/** Kafka's codes for where a value comes from. */
export const configSources = {
  topic: 1,
  dynamicBroker: 2,
  dynamicDefaultBroker: 3,
  staticBroker: 4,
  default: 5,
} as const

/** Kafka's codes for the types of values. */
export const configTypes: Readonly<Record<ConfigType, number>> = {
  boolean: 1,
  string: 2,
  int: 3,
  short: 4,
  long: 5,
  double: 6,
  list: 7,
  class: 8,
  password: 9,
}

/** One place that sets a property, under its name or that of a synonym. */
export interface ConfigSynonym {
  readonly name: string
  readonly value: string
  readonly source: number
}

export interface DescribedConfig extends ConfigSynonym {
  readonly spec: ConfigSpec
  /** All places that set it, the strongest first. */
  readonly synonyms: readonly ConfigSynonym[]
  readonly isReadOnly: boolean
}

/** Kafka's default of a topic configuration: the broker property in the largest unit has one. None without such a property. */
export function defaultSynonyms(topicName: TopicConfigName): ConfigSynonym[] {
  const ofTopic = topicDefaultNames.filter(([, each]) => each === topicName)
  return ofTopic.slice(-1).map(([name, , unitMs]) => {
    const { default: text } = topicConfigs[topicName]
    const value = unitMs === 1 ? text : String(Number(text) / unitMs)
    return { name, value, source: configSources.default }
  })
}
