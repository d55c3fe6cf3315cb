// Parts of a store that do something else than they should: what planted bugs are made of. Tests only.

import type { Log, RecordFormat, Store, Table } from '../../../storage/store.ts'

/** The object, but for what is changed. */
export function disguised<T extends object>(target: T, changes: Partial<T>): T {
  return new Proxy(target, {
    get(_target, key) {
      if (key in changes) return Reflect.get(changes, key)
      const value: unknown = Reflect.get(target, key)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

/** A store whose logs are changed. */
export function withLogs(store: Store, change: (log: Log) => Partial<Log>): Store {
  const honest = new WeakMap<Log, Log>()
  const real = (log: Log) => honest.get(log) ?? log
  return disguised(store, {
    log(topic, partition) {
      const log = store.log(topic, partition)
      if (log === undefined) return undefined
      const changed = disguised(log, change(log))
      honest.set(changed, log)
      return changed
    },
    append: (log, ...rest) => store.append(real(log), ...rest),
    endTransaction: (log, marker) => store.endTransaction(real(log), marker),
  })
}

/** A store of which one table loses or changes what is written to it. */
export function withTable(
  store: Store,
  name: string,
  change: (table: Table<string, any>) => Partial<Table<string, any>>,
): Store {
  return disguised(store, {
    async openTable<Key extends string, Value>(
      opened: string,
      format: RecordFormat<Key, Value>,
    ): Promise<Table<Key, Value>> {
      const table = await store.openTable(opened, format)
      return opened === name ? disguised(table, change(table as never) as never) : table
    },
  })
}
