// ConfigView: the properties of one component, under the component's names. Its table lies beside the component.

import type { BrokerConfig } from './config.ts'

/** A property by its name in Kafka, or what is made of one. */
type Source = keyof BrokerConfig | ((config: BrokerConfig) => unknown)

/** What a component calls it, and where it comes from. */
export type ConfigTable = Readonly<Record<string, Source>>

export type ConfigView<Table extends ConfigTable> = {
  readonly [Name in keyof Table]: Table[Name] extends keyof BrokerConfig
    ? BrokerConfig[Table[Name]]
    : Table[Name] extends (config: BrokerConfig) => infer Value
      ? Value
      : never
}

/** What the configuration says now. */
export function viewOf<const Table extends ConfigTable>(
  table: Table,
  config: BrokerConfig,
): ConfigView<Table> {
  const values = Object.entries(table).map(([name, source]) => {
    return [name, typeof source === 'string' ? config[source] : source(config)]
  })
  return Object.fromEntries(values) as ConfigView<Table>
}
