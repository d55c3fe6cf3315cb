// ScramCredentialTable: the users' SCRAM credentials, each a record of the metadata table. Network thread.
// Format: docs/formats/tables.md

import type { ScramMechanism } from '../../protocol/sasl/scram.ts'
import type { ScramChange, ScramCredential, ScramCredentials, StoredCredential } from '../store.ts'
import { scramCredentials, scramKey, type MetadataTable } from './metadata.ts'

/** Records in a batch. */
const BATCH_CHANGES_MAX = 256

export class ScramCredentialTable implements ScramCredentials {
  readonly #table: MetadataTable
  revision = 0
  /** The last change that is under way. */
  #changing: Promise<unknown> = Promise.resolve()

  constructor(table: MetadataTable) {
    this.#table = table
  }

  find(mechanism: ScramMechanism, user: string): ScramCredential | undefined {
    return this.#table.get(scramKey(mechanism, user)) as ScramCredential | undefined
  }

  list(): Iterable<StoredCredential> {
    return scramCredentials(this.#table)
  }

  change(decide: () => Promise<readonly ScramChange[]>): Promise<void> {
    const mine = this.#changing.then(async () => this.#write(await decide()))
    this.#changing = mine.catch(() => {}) // its caller hears of it
    return mine
  }

  async #write(changes: readonly ScramChange[]): Promise<void> {
    for (let i = 0; i < changes.length; i += BATCH_CHANGES_MAX) {
      const batch = changes.slice(i, i + BATCH_CHANGES_MAX)
      await this.#table.write(
        batch.map(({ mechanism, user, credential }) => [scramKey(mechanism, user), credential]),
      )
      this.revision++
    }
  }
}
