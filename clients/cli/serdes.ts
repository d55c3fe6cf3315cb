// Serdes: how `tail` and `produce` see the bytes of a value, by the name given to --serde. Pure.

import { isUtf8 } from 'node:buffer'
import type { ValueCodec } from './record-json.ts'

export const serdeNames = ['string', 'json', 'msgpack', 'bytes'] as const
export type SerdeName = (typeof serdeNames)[number]

const text: ValueCodec = {
  decode: (bytes) => bytes.toString(),
  encode: (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)),
}

const json: ValueCodec = {
  decode: (bytes) => JSON.parse(bytes.toString()),
  encode: (value) => Buffer.from(JSON.stringify(value)),
}

const base64: ValueCodec = {
  decode: (bytes) => bytes.toString('base64'),
  encode: (value) => Buffer.from(String(value), 'base64'),
}

export async function codecFor(name: SerdeName): Promise<ValueCodec> {
  if (name === 'string') return text
  if (name === 'json') return json
  if (name === 'bytes') return base64
  const { msgpack } = await import('../serde.ts')
  const serde = msgpack<unknown>()
  return {
    decode: (bytes) => serde.deserialize(bytes),
    encode: (value) => Buffer.from(serde.serialize(value)!),
  }
}

/** Without --serde: JSON when it is JSON, else text, else the bytes. */
export function guess(bytes: Buffer): unknown {
  if (!isUtf8(bytes)) return bytes
  const value = bytes.toString()
  try {
    return JSON.parse(value)
  } catch {
    return value
  }
}
