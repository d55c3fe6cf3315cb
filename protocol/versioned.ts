// A message after an int16 with its version, as in the opaque fields of groups and in records of Kafka's internal topics.
// Any thread.

import { decode, encode } from './compile.ts'
import { KafkaError } from './errors.ts'
import type { Decoded, Encoded, Message } from './schema.ts'
import { Reader, Writer } from './wire.ts'

export function encodeVersioned<M extends Message<any>>(
  table: M,
  value: Encoded<M>,
  version: number,
): Buffer {
  const writer = new Writer()
  writer.int16(version)
  encode(table, version, writer, value)
  return Buffer.concat(writer.chunks())
}

/** -1 if there is no room for a version. */
export function versionOf(bytes: Uint8Array): number {
  return bytes.length < 2 ? -1 : (bytes[0]! << 8) | bytes[1]!
}

/**
 * Decodes all of `from`, in a version that the table has.
 *
 * @param from borrowed by the bytes fields of the returned message
 * @throws {KafkaError} CORRUPT_MESSAGE
 */
export function decodeWhole<M extends Message<any>>(table: M, from: Uint8Array): Decoded<M> {
  const version = versionOf(from)
  const { name, versions } = table
  if (version < versions.from || version > versions.to) {
    throw new KafkaError('CORRUPT_MESSAGE', `there is no ${name} ${version}`)
  }
  const reader = new Reader(from, 2)
  const decoded = decode(table, version, reader)
  if (reader.remaining > 0) {
    throw new KafkaError('CORRUPT_MESSAGE', `${reader.remaining} bytes behind a ${name}`)
  }
  return decoded
}
