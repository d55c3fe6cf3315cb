// The format of a table's changes as records of its log. Any thread.

import { pack, unpack } from './packed.ts'

export interface RecordFormat<Key extends string, Value> {
  /** An undefined value deletes the key. */
  encode(key: Key, value: Value | undefined): EncodedRecord
  /**
   * @param key borrowed, like the value
   * @returns undefined for a record of a kind that is not this table's
   * @throws {Error} for a record without meaning
   */
  decode(key: Buffer, value: Buffer | null): DecodedRecord<Key, Value> | undefined
}

export interface EncodedRecord {
  readonly key: Uint8Array
  readonly value: Uint8Array | null
}

export interface DecodedRecord<Key extends string, Value> {
  readonly key: Key
  readonly value: Value | undefined
  /** An earlier release wrote it in its own format: it is rewritten once. */
  readonly isOld?: boolean
  /** Of an old record: it is pending in this producer's open transaction. */
  readonly producer?: TableProducer
}

/** The producer whose transaction makes changes take effect when it commits. */
export interface TableProducer {
  readonly producerId: number
  readonly producerEpoch: number
}

/**
 * A key as text, a value as MessagePack: the format of the broker's own table, and of all tables in earlier releases.
 */
export function packedFormat<Key extends string, Value>(): RecordFormat<Key, Value> {
  return {
    encode: (key, value) => ({
      key: Buffer.from(key),
      value: value === undefined ? null : pack(value),
    }),
    decode: (key, value) => ({
      key: key.toString() as Key,
      value: value === null ? undefined : (unpack(value) as Value),
    }),
  }
}
