// Values as MessagePack: of tables, and of what earlier releases kept. Any thread.

import { Packr } from 'msgpackr/pack'

// Plain maps, which any msgpack reader knows; bytes are copies, for what they were read from is borrowed.
const packr = new Packr({ useRecords: false, copyBuffers: true })

export function pack(value: unknown): Buffer {
  return packr.pack(value)
}

/** @throws {Error} when the bytes are not one value */
export function unpack(value: Uint8Array): unknown {
  return packr.unpack(value)
}
