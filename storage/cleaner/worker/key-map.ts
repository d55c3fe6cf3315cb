// KeyMap: the last offset of each key, for any number of keys, in memory of a fixed size. It keeps only a 128-bit
// hash of a key: 24 bytes an entry, open addressing. Any thread.

const WORDS_AN_ENTRY = 6
/** Bytes of an entry: four words of hash, two of the offset. */
export const KEY_ENTRY_BYTES = 4 * WORDS_AN_ENTRY
/** A fuller table is slow. Kafka's `log.cleaner.io.buffer.load.factor`. */
const LOAD_FACTOR = 0.9
const TWO_32 = 0x1_0000_0000

export class KeyMap {
  /** Stored offsets are one higher: 0 marks a free slot. */
  readonly #words: Uint32Array
  readonly #slotCount: number
  readonly #entryCountMax: number
  readonly #seed: Uint32Array
  /** The hash of the last key. */
  readonly #hash = new Uint32Array(4)
  #entryCount = 0

  /**
   * @param entriesWanted the table has no more room than this
   * @param bytesMax nor more bytes than this
   * @param seed four random words, so that no client can choose keys with equal hashes
   */
  constructor(entriesWanted: number, bytesMax: number, seed: Uint32Array) {
    const slotsWanted = Math.ceil(entriesWanted / LOAD_FACTOR) + 1
    const slotCountMax = Math.floor(bytesMax / KEY_ENTRY_BYTES)
    this.#slotCount = Math.max(2, Math.min(slotsWanted, slotCountMax))
    this.#entryCountMax = Math.max(1, Math.floor(this.#slotCount * LOAD_FACTOR))
    this.#words = new Uint32Array(this.#slotCount * WORDS_AN_ENTRY)
    this.#seed = seed
  }

  get entryCount(): number {
    return this.#entryCount
  }

  /**
   * Notes a later offset of the key in `bytes` from `start` to `end`. @returns false when the key is new and there is
   * no room
   */
  put(bytes: Uint8Array, start: number, end: number, offset: number): boolean {
    const at = this.#find(bytes, start, end)
    const words = this.#words
    const isNew = words[at + 4] === 0 && words[at + 5] === 0
    if (isNew) {
      if (this.#entryCount === this.#entryCountMax) return false
      this.#entryCount++
      for (let i = 0; i < 4; i++) words[at + i] = this.#hash[i]!
    }
    const kept = offset + 1
    words[at + 4] = Math.floor(kept / TWO_32)
    words[at + 5] = kept % TWO_32
    return true
  }

  /** @returns -1 for a key that was never put */
  get(bytes: Uint8Array, start: number, end: number): number {
    const at = this.#find(bytes, start, end)
    return this.#words[at + 4]! * TWO_32 + this.#words[at + 5]! - 1
  }

  /** The slot of the key's entry, or the free slot for it. */
  #find(bytes: Uint8Array, start: number, end: number): number {
    hashInto(this.#hash, this.#seed, bytes, start, end)
    const [h0, h1, h2, h3] = this.#hash as unknown as [number, number, number, number]
    const words = this.#words
    let slot = Math.floor((h0 / TWO_32) * this.#slotCount)
    for (;;) {
      const at = slot * WORDS_AN_ENTRY
      if (words[at + 4] === 0 && words[at + 5] === 0) return at
      if (words[at] === h0 && words[at + 1] === h1 && words[at + 2] === h2 && words[at + 3] === h3)
        return at
      slot = slot + 1 === this.#slotCount ? 0 : slot + 1
    }
  }
}

/**
 * HalfSipHash-2-4 with its whole state as the key and four words drawn from it: keyed, and ten times as fast as calling a
 * digest of `node:crypto` for a short key.
 */
function hashInto(
  hash: Uint32Array,
  seed: Uint32Array,
  bytes: Uint8Array,
  start: number,
  end: number,
): void {
  let v0 = seed[0]! | 0
  let v1 = seed[1]! | 0
  let v2 = seed[2]! | 0
  let v3 = seed[3]! | 0
  const length = end - start
  const wordCount = (length >> 2) + 1
  let at = start
  for (let word = 0; word < wordCount; word++, at += 4) {
    const isLast = word === wordCount - 1
    let bits: number
    if (isLast) {
      bits = length << 24
      for (let i = 0; at + i < end; i++) bits |= bytes[at + i]! << (8 * i)
    } else {
      bits = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
    }
    v3 ^= bits
    for (let round = 0; round < 2; round++) {
      v0 = (v0 + v1) | 0
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
      v0 = (v0 << 16) | (v0 >>> 16)
      v2 = (v2 + v3) | 0
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
      v0 = (v0 + v3) | 0
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
      v2 = (v2 + v1) | 0
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
      v2 = (v2 << 16) | (v2 >>> 16)
    }
    v0 ^= bits
  }
  for (let out = 0; out < 4; out++) {
    v2 ^= 0xee + out
    for (let round = 0; round < 4; round++) {
      v0 = (v0 + v1) | 0
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
      v0 = (v0 << 16) | (v0 >>> 16)
      v2 = (v2 + v3) | 0
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
      v0 = (v0 + v3) | 0
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
      v2 = (v2 + v1) | 0
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
      v2 = (v2 << 16) | (v2 >>> 16)
    }
    hash[out] = (v1 ^ v3) >>> 0
  }
}
