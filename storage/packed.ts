// Values as MessagePack, for tables and for files of earlier releases. Any thread.

import { Packr } from 'msgpackr/pack'

// Plain maps, which any msgpack reader knows. Bytes are copied, because the source is borrowed.
const packr = new Packr({ useRecords: false, copyBuffers: true })

export function pack(value: unknown): Buffer {
  return packr.pack(value)
}

/** @throws {Error} when the bytes are not exactly one value */
export function unpack(value: Uint8Array): unknown {
  return packr.unpack(value)
}
