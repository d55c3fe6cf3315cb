// Gathered: gathers output in one buffer until the next write. Any thread.
// Made for some hundred bytes per record. The source of its copies is at the end of the same buffer, because such a copy is
// three times as fast as from another buffer, which needs a view.

import type { Shown } from './show.ts'

/** Receives the printed parts of a record, in order. */
export interface Sink {
  /** Writes bytes unchanged: for pipes. @param bytes copied */
  bytes(bytes: Uint8Array): void
  /** Writes a part of `bytes`, which should be the same buffer as in the last call. */
  part(bytes: Buffer, at: number, sizeBytes: number): void
  byte(byte: number): void
  /** A whole number, in digits. */
  decimal(value: number): void
  /** Writes text unchanged: for pipes. */
  text(text: string): void
  shown(shown: Shown): void
}

const MEMORY_BYTES_MIN = 256 * 1024
const UTF8_BYTES_MAX = 3
/** Up to this length a loop is faster than the call that copies. */
const LOOP_BYTES_MAX = 16
/** Larger parts are copied from their own buffer. */
const SOURCE_BYTES_MAX = 4 * 1024 * 1024
const DIGITS_MAX = 16
const ZERO = 0x30
const MINUS = 0x2d
/** The digits of smaller numbers are computed in 31 bits, which is fast. */
const SHORT_MAX = 1_000_000_000

export class Gathered implements Sink {
  #memory = Buffer.allocUnsafe(MEMORY_BYTES_MIN)
  #sizeBytes = 0
  /** The buffer whose bytes are at the end of the memory, too. */
  #source: Buffer | undefined
  #sourceAt = MEMORY_BYTES_MIN

  get sizeBytes(): number {
    return this.#sizeBytes
  }

  /** @returns all gathered bytes; valid until the next call that adds bytes */
  take(): Buffer {
    const all = this.#memory.subarray(0, this.#sizeBytes)
    this.#sizeBytes = 0
    return all
  }

  byte(byte: number): void {
    this.#reserve(1)
    this.#memory[this.#sizeBytes++] = byte
  }

  bytes(bytes: Uint8Array): void {
    const { length } = bytes
    this.#reserve(length)
    if (length > LOOP_BYTES_MAX) this.#memory.set(bytes, this.#sizeBytes)
    else for (let i = 0; i < length; i++) this.#memory[this.#sizeBytes + i] = bytes[i]!
    this.#sizeBytes += length
  }

  part(bytes: Buffer, at: number, sizeBytes: number): void {
    if (sizeBytes === bytes.length) return this.bytes(bytes)
    if (bytes.length > SOURCE_BYTES_MAX) return this.bytes(bytes.subarray(at, at + sizeBytes))
    this.#reserve(sizeBytes)
    if (bytes !== this.#source) this.#keep(bytes, sizeBytes)
    const start = this.#sourceAt + at
    this.#memory.copyWithin(this.#sizeBytes, start, start + sizeBytes)
    this.#sizeBytes += sizeBytes
  }

  decimal(value: number): void {
    if (!Number.isSafeInteger(value)) return this.text(`${value}`)
    this.#reserve(1 + DIGITS_MAX)
    if (value < 0) this.#memory[this.#sizeBytes++] = MINUS
    const size = Math.abs(value)
    const high = size < SHORT_MAX ? 0 : Math.floor(size / SHORT_MAX)
    const low = size - high * SHORT_MAX
    if (high > 0) this.#digits(high, 1)
    this.#digits(low, high > 0 ? 9 : 1)
  }

  /** @param value below 2^31 */
  #digits(value: number, countMin: number): void {
    let count = 1
    for (let power = 10; count < countMin || power <= value; power *= 10) count++
    let rest = value | 0
    for (let at = this.#sizeBytes + count - 1; at >= this.#sizeBytes; at--) {
      const tenth = (rest / 10) | 0
      this.#memory[at] = ZERO + rest - 10 * tenth
      rest = tenth
    }
    this.#sizeBytes += count
  }

  text(text: string): void {
    this.#reserve(text.length * UTF8_BYTES_MAX)
    this.#sizeBytes += this.#memory.write(text, this.#sizeBytes)
  }

  shown(shown: Shown): void {
    this.text(shown.text)
  }

  #reserve(byteCount: number): void {
    if (this.#sizeBytes + byteCount > this.#sourceAt) this.#grow(this.#sizeBytes + byteCount)
  }

  /** @param roomBytes the bytes to be added, at least */
  #keep(source: Buffer, roomBytes: number): void {
    const needed = this.#sizeBytes + Math.max(roomBytes, MEMORY_BYTES_MIN) + source.length
    if (needed > this.#memory.length) this.#grow(needed)
    this.#source = source
    this.#sourceAt = this.#memory.length - source.length
    this.#memory.set(source, this.#sourceAt)
  }

  /** Drops the source, whose room is needed. */
  #grow(bytesNeeded: number): void {
    this.#source = undefined
    if (bytesNeeded > this.#memory.length) {
      const larger = Buffer.allocUnsafe(Math.max(bytesNeeded, 2 * this.#memory.length))
      larger.set(this.#memory.subarray(0, this.#sizeBytes))
      this.#memory = larger
    }
    this.#sourceAt = this.#memory.length
  }
}
