// msgpack: the serde of MessagePack. Apart from the others, so that a program that does not export it does not load msgpackr. Pure.

import type { Packr as Packer } from 'msgpackr'
import { Packr } from 'msgpackr/pack'
import { validated, type Serde, type StandardSchema } from './serde.ts'

/** Made on first use. */
let opened: Packer | undefined
const packer = (): Packer => (opened ??= new Packr({ useRecords: false, variableMapSize: true }))

/** MessagePack, by msgpackr without its record extension, so that any other reader can decode it. */
export function msgpack<T>(): Serde<T>
export function msgpack<Input, Output>(schema: StandardSchema<Input, Output>): Serde<Output, Input>
export function msgpack(schema?: StandardSchema): Serde<unknown> {
  return validated('msgpack', schema, {
    serialize: (value) => packer().pack(value),
    deserialize: (stored) => packer().unpack(stored),
  })
}
