// BrokerConfigs: the broker's effective configuration. Dynamic values, of this broker or of all brokers, override
// those of the start, and those override Kafka's defaults (KIP-226). Network thread. Format on disk:
// docs/formats/tables.md

import { KafkaError } from '../protocol/errors.ts'
import {
  topicDefaultNames,
  valueRefused,
  type ConfigSpec,
  type TopicConfigName,
} from '../storage/config.ts'
import type { Overrides, Store } from '../storage/store.ts'
import { viewOf, type ConfigTable, type ConfigView } from './config-view.ts'
import {
  brokerConfigs,
  configSpec,
  isConfigName,
  ownName,
  parseConfig,
  type BrokerConfig,
  type ParsedConfig,
  type Settings,
} from './config.ts'
import {
  configSources,
  defaultSynonyms,
  type ConfigSynonym,
  type DescribedConfig,
} from './described-config.ts'
import { kafkaConfigs } from './kafka-configs.ts'
import { listenerPropertyName } from './listener-properties.ts'

/** The name that stands for all brokers. */
export const ALL_BROKERS = ''

/** One source of values: text by property name. */
interface Layer {
  readonly source: number
  readonly origin: string
  readonly texts: Overrides
}

export interface BrokerConfigsDeps {
  readonly settings: Settings
  readonly store: Pick<Store, 'nodeId' | 'brokerOverrides' | 'logs'>
  readonly warn: (message: string) => void
}

export class BrokerConfigs {
  /** The effective values. A change alters the object in place, so read a value when you need it. */
  readonly current: BrokerConfig
  readonly #deps: BrokerConfigsDeps
  readonly #started: Layer
  /** The views of `view`, with the table of each. */
  readonly #views = new Map<object, ConfigTable>()
  #topicDefaults: Overrides
  #onChange: () => void = () => {}

  private constructor(deps: BrokerConfigsDeps) {
    const { settings } = deps
    this.#deps = deps
    const given = Array.from(settings.given, ([name, { text }]) => [name, text] as const)
    const texts = { ...Object.fromEntries(given), 'node.id': this.#nodeName }
    this.#started = { source: configSources.staticBroker, origin: 'start', texts }
    this.current = { ...settings.broker }
    this.#topicDefaults = settings.topicDefaults
  }

  /** When it resolves the dynamic values of earlier runs are in effect. */
  static async open(deps: BrokerConfigsDeps): Promise<BrokerConfigs> {
    const configs = new BrokerConfigs(deps)
    const { brokerOverrides } = deps.store
    for (const broker of [configs.#nodeName, ALL_BROKERS]) {
      for (const [name, text] of Object.entries(brokerOverrides.get(broker))) {
        if (!isUsable(name, text)) deps.warn(`${name}=${text} (${originOf(broker)}) is passed over`)
      }
    }
    for (const note of deps.settings.notes) deps.warn(note)
    configs.#noteIdle(deps.settings.given.keys())
    await configs.#apply()
    return configs
  }

  /** Defaults of topic configs: text by topic property name. Another object after a change. */
  get topicDefaults(): Overrides {
    return this.#topicDefaults
  }

  /** The properties of a component. A change alters the object in place, so read a value when you need it. */
  view<const Table extends ConfigTable>(table: Table): ConfigView<Table> {
    const view = viewOf(table, this.current)
    this.#views.set(view, table)
    return view
  }

  /** At most one listener; called after a change of `current` and all views. */
  onChange(callback: () => void): void {
    this.#onChange = callback
  }

  /** @param broker node id as text, or `ALL_BROKERS` */
  overrides(broker: string): Overrides {
    return usable(this.#deps.store.brokerOverrides.get(broker))
  }

  /** @throws {KafkaError} INVALID_CONFIG for an unknown name */
  specOf(broker: string, name: string): ConfigSpec {
    return configSpec(name, originOf(broker))
  }

  /** @throws {KafkaError} INVALID_CONFIG, INVALID_REQUEST for a property that the broker reads only at its start */
  check(broker: string, overrides: Overrides): void {
    for (const [name, text] of Object.entries(overrides)) {
      const spec = this.specOf(broker, name)
      if (spec.isReadOnly) {
        const message = `cannot update ${name} dynamically: the broker reads it when it starts`
        throw new KafkaError('INVALID_REQUEST', message)
      }
      if (spec.parse(text) === undefined) throw valueRefused(name, text, spec)
    }
  }

  /** Durable and in effect when it resolves. @throws {KafkaError} as `check`, or the error of `change` */
  async change(broker: string, change: (before: Overrides) => Overrides): Promise<void> {
    await this.#deps.store.brokerOverrides.change(broker, (before) => {
      const overrides = change(usable(before))
      this.check(broker, overrides)
      this.#noteIdle(Object.keys(overrides).filter((name) => overrides[name] !== before[name]))
      return overrides
    })
    await this.#apply()
  }

  /**
   * In order of name; for all brokers only their dynamic values.
   *
   * @param asked null: every property, but those without effect only if they are set
   */
  describe(broker: string, asked: ReadonlySet<string> | null): DescribedConfig[] {
    if (broker === ALL_BROKERS) {
      const all = this.#layerOf(ALL_BROKERS)
      const names = Object.keys(all.texts).filter((name) => asked?.has(name) ?? true)
      return names.sort().map((name) => {
        const config = this.#described(name, [all])
        return { ...config, synonyms: config.synonyms.slice(0, 1) }
      })
    }
    const layers = this.#layers
    const names = asked === null ? namesToShow(layers) : [...asked].filter(isConfigName)
    return names.sort().map((name) => this.#described(name, layers))
  }

  /** The sources of a topic configuration's default, the strongest first. */
  synonymsOf(topicName: TopicConfigName): ConfigSynonym[] {
    return synonyms(brokerNamesOf(topicName), this.#layers)
  }

  #described(name: string, layers: readonly Layer[]): DescribedConfig {
    const spec = configSpec(name, 'broker')
    const topicName = inMs.find(([brokerName]) => brokerName === name)?.[1]
    const names = topicName === undefined ? [ownName(name)] : brokerNamesOf(topicName)
    const set = synonyms(names, layers)
    const fallback = { name, value: spec.default, source: configSources.default }
    const fallbacks = topicName === undefined ? [fallback] : defaultSynonyms(topicName)
    const [strongest = fallback] = set
    const isInUnit = topicName === undefined || strongest.name === name
    const value = isInUnit ? strongest.value : this.#topicDefaults[topicName]!
    const all = [...set, ...fallbacks]
    return { ...strongest, name, value, spec, synonyms: all, isReadOnly: spec.isReadOnly }
  }

  /** Warns of properties of Apache Kafka that have no effect here. */
  #noteIdle(names: Iterable<string>): void {
    const idle = [...names].filter((name) => configSpec(name, '').inert)
    if (idle.length > 0) this.#deps.warn(`these properties have no effect: ${idle.join(', ')}`)
  }

  async #apply(): Promise<void> {
    const given = new Map<string, { text: string; origin: string }>()
    for (const { origin, texts } of this.#layers.toReversed()) {
      for (const [name, text] of Object.entries(texts)) given.set(name, { text, origin })
    }
    const { broker, topicDefaults }: ParsedConfig = parseConfig(given)
    Object.assign(this.current, broker)
    for (const [view, table] of this.#views) Object.assign(view, viewOf(table, this.current))
    this.#topicDefaults = topicDefaults
    this.#onChange()
    await this.#deps.store.logs.setTopicDefaults(topicDefaults)
  }

  /** The strongest first. */
  get #layers(): readonly Layer[] {
    return [this.#layerOf(this.#nodeName), this.#layerOf(ALL_BROKERS), this.#started]
  }

  #layerOf(broker: string): Layer {
    const { dynamicBroker, dynamicDefaultBroker } = configSources
    const source = broker === ALL_BROKERS ? dynamicDefaultBroker : dynamicBroker
    return { source, origin: originOf(broker), texts: this.overrides(broker) }
  }

  get #nodeName(): string {
    return String(this.#deps.store.nodeId)
  }
}

function originOf(broker: string): string {
  return broker === ALL_BROKERS ? 'all brokers' : `broker ${broker}`
}

/** Without the names in larger units, whose values appear in ms. */
const inMs = topicDefaultNames.filter(([, , unitMs]) => unitMs === 1)

function namesToShow(layers: readonly Layer[]): string[] {
  const set = layers.flatMap(({ texts }) =>
    Object.keys(texts).filter(
      (name) => Object.hasOwn(kafkaConfigs, name) || listenerPropertyName(name) !== undefined,
    ),
  )
  return [...new Set([...Object.keys(brokerConfigs), ...inMs.map(([name]) => name), ...set])]
}

/** The broker property that sets the default, and its names in larger units. */
function brokerNamesOf(topicName: TopicConfigName): string[] {
  return topicDefaultNames
    .filter(([, name]) => name === topicName)
    .map(([brokerName]) => brokerName)
}

function synonyms(names: readonly string[], layers: readonly Layer[]): ConfigSynonym[] {
  return layers.flatMap(({ source, texts }) =>
    names.flatMap((name) => {
      const value = texts[name]
      return value === undefined ? [] : [{ name, value, source }]
    }),
  )
}

/** Leaves out properties that this release does not know, or reads only at its start. */
function usable(overrides: Overrides): Overrides {
  return Object.fromEntries(
    Object.entries(overrides).filter(([name, text]) => isUsable(name, text)),
  )
}

function isUsable(name: string, text: string): boolean {
  try {
    const spec = configSpec(name, '')
    return !spec.isReadOnly && spec.parse(text) !== undefined
  } catch {
    return false
  }
}
