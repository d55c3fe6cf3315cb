// Checks the records of a batch against the format, one after the other, and reports the first that breaks it.
// Hot, on the way of every produced byte: makes no object per record. Any thread. Format: docs/formats/record-batch.md

/** What the check needs besides the format. Deltas are to the batch's base timestamp, ms. */
export interface RecordBounds {
  /** Are the offset deltas 0, 1, 2, ...? In a compacted batch they only rise, up to this. */
  readonly lastOffsetDelta: number | 'dense'
  readonly isKeyRequired: boolean
  readonly timestampDeltaMin: number
  readonly timestampDeltaMax: number
  /** The delta of a record without a timestamp, which is always allowed. */
  readonly noTimestampDelta: number
}

export interface CheckedRecords {
  /** The record that breaks the format, and how; the check reads no record after it. */
  readonly flaw: { readonly recordIndex: number; readonly what: string } | undefined
  /** Indexes of the records that need a key and have none. */
  readonly keyless: readonly number[]
  /** Indexes of the records that are too early or too late. */
  readonly untimely: readonly number[]
  /** The largest timestamp delta; -Infinity without records. */
  readonly timestampDeltaMax: number
}

const INT32_BYTES_MAX = 5
const INT64_BYTES_MAX = 10

/** Hot: costs about 15 ns per record of 100 bytes, which is why the position is passed by value. */
export class RecordCheck {
  /** The position after the last varint. */
  #end = 0

  /** @param end of the records, which need not be the end of `bytes` */
  check(
    bytes: Uint8Array,
    start: number,
    end: number,
    recordCount: number,
    bounds: RecordBounds,
  ): CheckedRecords {
    const keyless: number[] = []
    const untimely: number[] = []
    const { lastOffsetDelta, isKeyRequired, noTimestampDelta } = bounds
    const { timestampDeltaMin: earliest, timestampDeltaMax: latest } = bounds
    const isDense = lastOffsetDelta === 'dense'
    let timestampDeltaMax = -Infinity
    let offsetDeltaMin = 0
    let index = 0
    let flaw: CheckedRecords['flaw']
    try {
      let at = start
      for (; index < recordCount; index++) {
        const length = this.#varint(bytes, at)
        const recordEnd = this.#end + length
        if (recordEnd > end) throw new Flaw(`its length is ${length}, ${end - at} bytes are left`)
        const timestampDelta = this.#varlong(bytes, this.#end + 1) // after the attributes
        if (timestampDelta > timestampDeltaMax) timestampDeltaMax = timestampDelta
        if (timestampDelta < earliest || timestampDelta > latest) {
          if (timestampDelta !== noTimestampDelta) untimely.push(index)
        }
        const offsetDelta = this.#varint(bytes, this.#end)
        if (offsetDelta !== offsetDeltaMin) {
          if (isDense || offsetDelta < offsetDeltaMin || offsetDelta > lastOffsetDelta)
            throw new Flaw(`its offset delta is ${offsetDelta}`)
        }
        offsetDeltaMin = offsetDelta + 1
        const keyBytes = this.#varint(bytes, this.#end)
        at = this.#end
        if (keyBytes >= 0) at += keyBytes
        else if (keyBytes !== -1) throw new Flaw(`the length of its key is ${keyBytes}`)
        else if (isKeyRequired) keyless.push(index)
        const valueBytes = this.#varint(bytes, at)
        at = this.#end
        if (valueBytes >= 0) at += valueBytes
        else if (valueBytes !== -1) throw new Flaw(`the length of its value is ${valueBytes}`)
        const headerCount = this.#varint(bytes, at)
        at = headerCount === 0 ? this.#end : this.#endOfHeaders(bytes, headerCount, recordEnd)
        if (at !== recordEnd) throw new Flaw(`its length is ${length}, its fields end elsewhere`)
      }
      if (at !== end) throw new Flaw(`${end - at} bytes are left behind the last record`)
    } catch (error) {
      if (!(error instanceof Flaw)) throw error
      flaw = { recordIndex: Math.min(index, recordCount - 1), what: error.message }
    }
    return { flaw, keyless, untimely, timestampDeltaMax }
  }

  /** The headers, after their count. The check stops at `recordEnd`, whatever count the record states. */
  #endOfHeaders(bytes: Uint8Array, count: number, recordEnd: number): number {
    if (count < 0) throw new Flaw(`it has ${count} headers`)
    let at = this.#end
    for (let i = 0; i < count; i++) {
      if (at >= recordEnd) throw new Flaw(`it has ${count} headers, and ends before header ${i}`)
      const nameBytes = this.#varint(bytes, at)
      if (nameBytes < 0) throw new Flaw(`the length of a header's name is ${nameBytes}`)
      const valueBytes = this.#varint(bytes, this.#end + nameBytes)
      if (valueBytes < -1) throw new Flaw(`the length of a header's value is ${valueBytes}`)
      at = this.#end + Math.max(0, valueBytes)
    }
    return at
  }

  /** An int32, zig-zag. A byte past the end of `bytes` is undefined, and no comparison with undefined is true. */
  #varint(bytes: Uint8Array, at: number): number {
    const byte = bytes[at]!
    if (byte < 0x80) {
      this.#end = at + 1
      return (byte >>> 1) ^ -(byte & 1)
    }
    const next = bytes[at + 1]!
    if (next < 0x80) {
      this.#end = at + 2
      return (((byte & 0x7f) | (next << 7)) >>> 1) ^ -(byte & 1)
    }
    return this.#longVarint(bytes, at, INT32_BYTES_MAX)
  }

  /** An int64, zig-zag; exact up to 2^53. */
  #varlong(bytes: Uint8Array, at: number): number {
    const isShort = bytes[at]! < 0x80 || bytes[at + 1]! < 0x80
    return isShort ? this.#varint(bytes, at) : this.#longVarint(bytes, at, INT64_BYTES_MAX)
  }

  #longVarint(bytes: Uint8Array, at: number, sizeBytesMax: number): number {
    const third = bytes[at + 2]!
    if (third < 0x80) {
      this.#end = at + 3
      const value = (bytes[at]! & 0x7f) | ((bytes[at + 1]! & 0x7f) << 7) | (third << 14)
      return (value >>> 1) ^ -(value & 1)
    }
    const bits = sizeBytesMax === INT32_BYTES_MAX ? 32 : 64
    let value = 0
    let scale = 1
    for (let i = 0; i < sizeBytesMax; i++) {
      const byte = bytes[at + i]
      if (byte === undefined) throw new Flaw('a varint ends behind the batch')
      value += (byte & 0x7f) * scale
      scale *= 0x80
      if (byte >= 0x80) continue
      if (value >= 2 ** bits) break
      this.#end = at + i + 1
      return bytes[at]! & 1 ? -(value - 1) / 2 - 1 : value / 2
    }
    throw new Flaw(`a varint of more than ${bits} bits`)
  }
}

/** Caught within this module. */
class Flaw extends Error {
  override readonly name = 'Flaw'
}
