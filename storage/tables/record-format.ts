// How the changes of a table lie in its log as records. Any thread.

import { pack, unpack } from '../packed.ts'

export interface RecordFormat<Key extends string, Value> {
  /** An undefined value deletes the key. */
  encode(key: Key, value: Value | undefined): EncodedRecord
  /**
   * @param key borrowed, like the value
   * @returns undefined for a record of a kind that is none of this table's
   * @throws {Error} for one that says nothing
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
  /** An earlier release wrote it, in a format of its own: it is written anew, once. */
  readonly isOld?: boolean
  /** Of an old one: pending in the open transaction of this producer. */
  readonly producer?: TableProducer
}

/** Who writes changes that count when its transaction has committed. */
export interface TableProducer {
  readonly producerId: number
  readonly producerEpoch: number
}

/** A key as text, a value as MessagePack: of the broker's own table, and of all tables in earlier releases. */
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
