// Gathered: what is to be written next, gathered in one piece of memory. Any thread.
// It is made for some hundred bytes a record. What it copies lies at the end of the same memory, for there a copy is three
// times as fast as from elsewhere, which takes an object.

import type { Shown } from './show.ts'

/** Takes what is printed of a record, in order. */
export interface Sink {
  /** Goes out as it is: for pipes. @param bytes copied */
  bytes(bytes: Uint8Array): void
  /** The same of a part of it, which had better be a part of what the last one was of. */
  part(bytes: Buffer, at: number, sizeBytes: number): void
  byte(byte: number): void
  /** A whole number, in digits. */
  decimal(value: number): void
  /** Text that goes out as it is: for pipes. */
  text(text: string): void
  shown(shown: Shown): void
}

const MEMORY_BYTES_MIN = 256 * 1024
const UTF8_BYTES_MAX = 3
/** Up to here a loop beats the call that copies. */
const LOOP_BYTES_MAX = 16
/** What is larger is copied from where it is. */
const SOURCE_BYTES_MAX = 4 * 1024 * 1024
const DIGITS_MAX = 16
const ZERO = 0x30
const MINUS = 0x2d
/** Of a number that fits 31 bits, with which arithmetic is fast. */
const SHORT_MAX = 1_000_000_000

export class Gathered implements Sink {
  #memory = Buffer.allocUnsafe(MEMORY_BYTES_MIN)
  #sizeBytes = 0
  /** What lies at the end of the memory, too. */
  #source: Buffer | undefined
  #sourceAt = MEMORY_BYTES_MIN

  get sizeBytes(): number {
    return this.#sizeBytes
  }

  /** @returns all of it; valid until more is added */
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

  /** @param value fits 31 bits */
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

  /** @param roomBytes what is going to be added, at least */
  #keep(source: Buffer, roomBytes: number): void {
    const needed = this.#sizeBytes + Math.max(roomBytes, MEMORY_BYTES_MIN) + source.length
    if (needed > this.#memory.length) this.#grow(needed)
    this.#source = source
    this.#sourceAt = this.#memory.length - source.length
    this.#memory.set(source, this.#sourceAt)
  }

  /** The source makes way. */
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
