// BrokerOverrideTable: the brokers' dynamic configuration: a record of the metadata table for each broker that has
// any, and one for all brokers. Network thread. Format: docs/formats/tables.md

import type { BrokerOverrides, Overrides } from '../store.ts'
import { brokerKey, type BrokerRecord, type MetadataTable } from './metadata.ts'

export class BrokerOverrideTable implements BrokerOverrides {
  readonly #table: MetadataTable
  /** The last change in progress, of any broker: each change sees the result of the one before it. */
  #changing: Promise<unknown> = Promise.resolve()

  constructor(table: MetadataTable) {
    this.#table = table
  }

  get(broker: string): Overrides {
    return (this.#table.get(brokerKey(broker)) as BrokerRecord | undefined)?.config ?? {}
  }

  change(broker: string, change: (before: Overrides) => Overrides): Promise<void> {
    const mine = this.#changing.then(() => this.#change(broker, change))
    this.#changing = mine.catch(() => {}) // the caller gets the error
    return mine
  }

  async #change(broker: string, change: (before: Overrides) => Overrides): Promise<void> {
    const config = change(this.get(broker))
    const isEmpty = Object.keys(config).length === 0
    await this.#table.write([[brokerKey(broker), isEmpty ? undefined : { config }]])
  }
}
