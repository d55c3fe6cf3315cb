// PrefixedRecords: the records of the metadata table whose keys have one prefix: ACLs, quotas. What they mean is the
// broker's business. Network thread. Format: docs/formats/tables.md

import type { Change, StoredRecords } from '../store.ts'
import type { MetadataKey, MetadataRecord, MetadataTable } from './metadata.ts'

export class PrefixedRecords<Value extends MetadataRecord> implements StoredRecords<Value> {
  readonly #table: MetadataTable
  readonly #prefix: string

  constructor(table: MetadataTable, prefix: string) {
    this.#table = table
    this.#prefix = prefix
  }

  *list(): Iterable<[id: string, value: Value]> {
    for (const [key, record] of this.#table.entries()) {
      if (key.startsWith(this.#prefix)) yield [key.slice(this.#prefix.length), record as Value]
    }
  }

  write(changes: readonly Change<string, Value>[]): Promise<void> {
    return this.#table.write(
      changes.map(([id, value]) => [`${this.#prefix}${id}` as MetadataKey, value]),
    )
  }
}
