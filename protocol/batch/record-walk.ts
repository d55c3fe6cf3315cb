// RecordWalk: one record after the other of a batch's decompressed section, without making objects: where each lies, its key,
// and whether it has a value. What is kept of a batch is copied byte for byte. Any thread. Format: docs/formats/record-batch.md

import { KafkaError } from '../errors.ts'

export class RecordWalk {
  /** Of the record that `next` moved to: its first byte, with its length; and the byte after its last. */
  start = 0
  end = 0
  /** Where its timestamp delta lies, and what it is. */
  timestampAt = 0
  timestampEnd = 0
  timestampDelta = 0
  offsetDelta = 0
  keyStart = 0
  /** -1 without a key. */
  keyEnd = -1
  hasValue = false

  #bytes: Uint8Array = new Uint8Array(0)
  #position = 0
  #sectionEnd = 0
  #recordsLeft = 0

  /** Before the first of `recordCount` records that fill `bytes` from `start` to `end`. */
  reset(bytes: Uint8Array, start: number, end: number, recordCount: number): void {
    this.#bytes = bytes
    this.#position = start
    this.#sectionEnd = end
    this.#recordsLeft = recordCount
  }

  /** @returns false after the last one. @throws {KafkaError} CORRUPT_MESSAGE */
  next(): boolean {
    if (this.#recordsLeft === 0) {
      if (this.#position !== this.#sectionEnd) throw corrupt()
      return false
    }
    this.#recordsLeft--
    this.start = this.#position
    const length = this.#varint()
    this.end = this.#position + length
    if (length < 0 || this.end > this.#sectionEnd) throw corrupt()
    this.#position++ // attributes, unused
    this.timestampAt = this.#position
    this.timestampDelta = this.#varint()
    this.timestampEnd = this.#position
    this.offsetDelta = this.#varint()
    const keyBytes = this.#varint()
    this.keyStart = this.#position
    this.keyEnd = keyBytes < 0 ? -1 : this.#position + keyBytes
    this.#position += Math.max(0, keyBytes)
    if (this.#position >= this.end) throw corrupt()
    this.hasValue = this.#varint() >= 0
    this.#position = this.end
    return true
  }

  /** Zig-zag, up to 64 bits; exact up to 2^53. */
  #varint(): number {
    const bytes = this.#bytes
    const byte = bytes[this.#position++]!
    if (byte < 0x80) return (byte >>> 1) ^ -(byte & 1)
    let low = byte & 0x7f
    let scale = 0x80
    for (let i = 1; i < 10; i++) {
      const next = bytes[this.#position++]
      if (next === undefined) break
      low += (next & 0x7f) * scale
      scale *= 0x80
      if (next < 0x80) return low % 2 === 0 ? low / 2 : -(low - 1) / 2 - 1
    }
    throw corrupt()
  }
}

function corrupt(): KafkaError {
  return new KafkaError('CORRUPT_MESSAGE', 'records that do not fill their batch')
}

/** @param value an integer; put at the end of `bytes` */
export function pushVarint(bytes: number[], value: number): void {
  let rest = value < 0 ? -2 * value - 1 : 2 * value
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80)
    rest = Math.floor(rest / 0x80)
  }
  bytes.push(rest)
}
