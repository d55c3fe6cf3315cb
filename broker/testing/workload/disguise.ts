// Parts of a store with changed behaviour, from which planted bugs are made. Tests only.

import type {
  Log,
  ProducerIds,
  RecordFormat,
  Store,
  Table,
  Writer,
} from '../../../storage/store.ts'

/** The object with some members changed. */
export function disguised<T extends object>(target: T, changes: Partial<T>): T {
  return new Proxy(target, {
    get(_target, key) {
      if (key in changes) return Reflect.get(changes, key)
      const value: unknown = Reflect.get(target, key)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

/** A store with a changed writer. */
export function withWriter(store: Store, change: (writer: Writer) => Partial<Writer>): Store {
  return disguised(store, { writer: disguised(store.writer, change(store.writer)) })
}

export function withProducerIds(
  store: Store,
  change: (ids: ProducerIds) => Partial<ProducerIds>,
): Store {
  return disguised(store, { producerIds: disguised(store.producerIds, change(store.producerIds)) })
}

/** A store with changed logs. */
export function withLogs(store: Store, change: (log: Log) => Partial<Log>): Store {
  const honest = new WeakMap<Log, Log>()
  const real = (log: Log) => honest.get(log) ?? log
  const logs = disguised(store.logs, {
    get(topic, partition) {
      const log = store.logs.get(topic, partition)
      if (log === undefined) return undefined
      const changed = disguised(log, change(log))
      honest.set(changed, log)
      return changed
    },
  })
  const { writer, reader } = store
  const unwrapping = disguised(store, {
    writer: disguised(writer, {
      append: (log, ...rest) => writer.append(real(log), ...rest),
      endTransaction: (log, marker) => writer.endTransaction(real(log), marker),
    }),
    reader: disguised(reader, {
      read: (log, ...rest) => reader.read(real(log), ...rest),
      abortedTransactions: (log, ...rest) => reader.abortedTransactions(real(log), ...rest),
    }),
  })
  return disguised(unwrapping, { logs })
}

/** A store with one table that loses or changes writes. */
export function withTable(
  store: Store,
  name: string,
  change: (table: Table<string, any>) => Partial<Table<string, any>>,
): Store {
  const tables = disguised(store.tables, {
    async open<Key extends string, Value>(
      opened: string,
      format: RecordFormat<Key, Value>,
    ): Promise<Table<Key, Value>> {
      const table = await store.tables.open(opened, format)
      return opened === name ? disguised(table, change(table as never) as never) : table
    },
  })
  return disguised(store, { tables })
}
