// Serdes: how `tail` and `produce` convert the bytes of a value, by the name of --serde. Pure.

import { isUtf8 } from 'node:buffer'
import { compactJson, parsedJson } from './json-text.ts'

export const serdeNames = ['string', 'json', 'msgpack', 'bytes'] as const
export type SerdeName = (typeof serdeNames)[number]

/** Converts a value's bytes to JSON text, and back. */
export interface ValueCodec {
  /** @throws {Error} if the bytes are no such value */
  toJson(bytes: Buffer): string
  /** @param json valid */
  fromJson(json: string): Buffer
}

const text: ValueCodec = {
  toJson: (bytes) => JSON.stringify(bytes.toString()),
  fromJson: (json) => Buffer.from(plainText(json)),
}

const json: ValueCodec = {
  toJson(bytes) {
    const value = bytes.toString()
    JSON.parse(value)
    return compactJson(value)
  },
  fromJson: (value) => Buffer.from(compactJson(value)),
}

const base64: ValueCodec = {
  toJson: (bytes) => JSON.stringify(bytes.toString('base64')),
  fromJson: (value) => Buffer.from(plainText(value), 'base64'),
}

export async function codecFor(name: SerdeName): Promise<ValueCodec> {
  if (name === 'string') return text
  if (name === 'json') return json
  if (name === 'bytes') return base64
  const { msgpack } = await import('../msgpack.ts')
  const serde = msgpack<unknown>()
  return {
    toJson: (bytes) => jsonOf(serde.deserialize(bytes)),
    fromJson: (value) => Buffer.from(serde.serialize(JSON.parse(value))!),
  }
}

/** The contents of a JSON string; other JSON is its own text. */
export function plainText(value: string): string {
  return value.startsWith('"') ? (JSON.parse(value) as string) : compactJson(value)
}

const BIG = '\0bigint:'

/** Writes integers of 64 bits as JSON numbers, without loss. */
function jsonOf(value: unknown): string {
  const marked = JSON.stringify(value, (_key, each: unknown) =>
    typeof each === 'bigint' ? `${BIG}${each}` : each,
  )
  return (marked ?? 'null').replace(/"\\u0000bigint:(-?\d+)"/g, '$1')
}

/** Without --serde: the text of a JSON value. @returns undefined if it is no JSON */
export function jsonIn(bytes: Buffer): string | undefined {
  if (!isUtf8(bytes)) return undefined
  const value = bytes.toString()
  return parsedJson(value) === undefined ? undefined : compactJson(value)
}
