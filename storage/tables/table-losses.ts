// TableLosses: reports to the operator what a start could not read of a table's log: where, and which keys may have
// an older value than they should. Network thread.

/** At most this many keys and places are named; the others are counted. */
const NAMED_MAX = 20
const NAME_CHARS_MAX = 120

export class TableLosses {
  readonly #table: string
  /** Damaged ranges, as first offset and bytes. */
  readonly #damaged: string[] = []
  readonly #staleKeys = new Set<string>()
  /** Producers whose transaction may have ended in a damaged range. */
  readonly #producerIds = new Set<number>()
  /** Sound batches with records that are not this table's. */
  readonly #garbage: string[] = []
  #otherKinds = 0
  #firstOther = ''
  /** Offset behind the last damaged range; 0 without one. */
  endOffset = 0

  constructor(table: string) {
    this.#table = table
  }

  noteDamage(offset: number, end: number, what: string): void {
    this.#damaged.push(`${what} at offset ${offset}`)
    this.endOffset = Math.max(this.endOffset, end)
  }

  /** A damaged range held a record of the key. */
  noteStale(key: string): void {
    this.#staleKeys.add(key)
  }

  /** The key has a later, sound record. */
  noteFresh(key: string): void {
    if (this.#staleKeys.size > 0) this.#staleKeys.delete(key)
  }

  noteEnd(producerId: number): void {
    this.#producerIds.add(producerId)
  }

  noteGarbage(offset: number, key: Uint8Array | null, error: unknown): void {
    const text = key === null ? 'no key' : `key ${nameOf(Buffer.from(key).toString())}`
    const why = String(error)
    this.#garbage.push(`offset ${offset}, ${text}: ${why.slice(0, NAME_CHARS_MAX)}`)
  }

  noteOtherKind(offset: number, key: Uint8Array): void {
    if (this.#otherKinds++ > 0) return
    this.#firstOther = `at offset ${offset}, key ${nameOf(Buffer.from(key).toString('latin1'))}`
  }

  tell(warn: (message: string) => void): void {
    if (this.#damaged.length > 0) {
      const keys =
        this.#staleKeys.size === 0
          ? 'of which keys, cannot be read'
          : `older values, or none, stand for ${listed([...this.#staleKeys].map(nameOf), 'key')}, as far as can be read`
      const ends = [...this.#producerIds].map(String)
      const open =
        ends.length === 0
          ? ''
          : `; ends of transactions are lost of producers ${listed(ends, 'id')}`
      warn(`${this.#table}: damaged: ${listed(this.#damaged, 'place')}: ${keys}${open}`)
    }
    if (this.#garbage.length > 0) {
      warn(
        `${this.#table}: records that say nothing are passed over: ${listed(this.#garbage, 'record')}`,
      )
    }
    if (this.#otherKinds > 0) {
      const first = this.#firstOther
      warn(
        `${this.#table}: ${this.#otherKinds} records are of kinds that this release does not know, the first ${first}; they are passed over`,
      )
    }
  }
}

function listed(names: readonly string[], unit: string): string {
  const named = names.slice(0, NAMED_MAX).join(', ')
  const more = names.length > NAMED_MAX ? ', ...' : ''
  return `${names.length} ${unit}${names.length === 1 ? '' : 's'} (${named}${more})`
}

function nameOf(key: string): string {
  return JSON.stringify(key.slice(0, NAME_CHARS_MAX))
}
