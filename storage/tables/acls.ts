// AclTable: a record of the metadata table for each ACL. What an ACL means is the broker's business.
// Network thread. Format: docs/formats/tables.md

import type { AclRecord, AclRecords, Change } from '../store.ts'
import { ACL_PREFIX, aclKey, type MetadataTable } from './metadata.ts'

export class AclTable implements AclRecords {
  readonly #table: MetadataTable

  constructor(table: MetadataTable) {
    this.#table = table
  }

  *list(): Iterable<[id: string, acl: AclRecord]> {
    for (const [key, record] of this.#table.entries()) {
      if (key.startsWith(ACL_PREFIX)) yield [key.slice(ACL_PREFIX.length), record as AclRecord]
    }
  }

  write(changes: readonly Change<string, AclRecord>[]): Promise<void> {
    return this.#table.write(changes.map(([id, acl]) => [aclKey(id), acl]))
  }
}
