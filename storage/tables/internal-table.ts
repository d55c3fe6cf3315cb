// InternalTable: a table in its own internal topic. The first change creates the topic; before that it costs a start
// nothing. Network thread. Format: docs/formats/tables.md

import type { Change, RecordFormat, Table, TableProducer, Tables, Topics } from '../store.ts'
import { tableConfig, type LogTable } from './log-table.ts'

type Open = <Key extends string, Value>(
  name: string,
  format: RecordFormat<Key, Value>,
) => Promise<LogTable<Key, Value>>

/** @param open opens the table in the topic, which exists */
export function internalTables(topics: Topics, open: Open): Tables {
  return {
    open: (name, format) => InternalTable.open(name, { topics, open: () => open(name, format) }),
  }
}

interface InternalTableDeps<Key extends string, Value> {
  readonly topics: Topics
  /** Opens the table in the topic, which exists. */
  readonly open: () => Promise<LogTable<Key, Value>>
}

class InternalTable<Key extends string, Value> implements Table<Key, Value> {
  readonly #name: string
  readonly #deps: InternalTableDeps<Key, Value>
  #table: LogTable<Key, Value> | undefined
  #opening: Promise<LogTable<Key, Value>> | undefined

  private constructor(name: string, deps: InternalTableDeps<Key, Value>) {
    this.#name = name
    this.#deps = deps
  }

  static async open<Key extends string, Value>(
    name: string,
    deps: InternalTableDeps<Key, Value>,
  ): Promise<InternalTable<Key, Value>> {
    const table = new InternalTable(name, deps)
    if (deps.topics.get(name)) await table.#opened()
    return table
  }

  get(key: Key): Value | undefined {
    return this.#table?.get(key)
  }

  entries(): Iterable<[Key, Value]> {
    return this.#table?.entries() ?? []
  }

  /** Changes that come while the topic is being created wait for it, in order. */
  async write(changes: readonly Change<Key, Value>[]): Promise<void> {
    const table = await this.#opened()
    await table.write(changes)
  }

  async writePending(
    producer: TableProducer,
    changes: readonly (readonly [key: Key, value: Value])[],
  ): Promise<void> {
    const table = await this.#opened()
    await table.writePending(producer, changes)
  }

  /** A table without a topic has no transaction to end. */
  async end(producer: TableProducer, isCommit: boolean): Promise<readonly Change<Key, Value>[]> {
    if (this.#opening === undefined) return []
    const table = await this.#opened()
    return table.end(producer, isCommit)
  }

  pending(): Iterable<readonly [producerId: number, key: Key]> {
    return this.#table?.pending() ?? []
  }

  pendingOf(producerId: number): Iterable<Key> {
    return this.#table?.pendingOf(producerId) ?? []
  }

  isPending(key: Key): boolean {
    return this.#table?.isPending(key) ?? false
  }

  #opened(): Promise<LogTable<Key, Value>> {
    this.#opening ??= this.#makeAndOpen().catch((error: unknown) => {
      this.#opening = undefined // the disk may have room again at the next change
      throw error
    })
    return this.#opening
  }

  async #makeAndOpen(): Promise<LogTable<Key, Value>> {
    const { topics, open } = this.#deps
    if (!topics.get(this.#name)) {
      await topics.create({ name: this.#name, partitionCount: 1, config: tableConfig })
    }
    this.#table = await open()
    return this.#table
  }
}
