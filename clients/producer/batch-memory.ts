// BatchMemory: the memory of batches that are through, for the next ones. Memory that was never used costs more than the
// records that are written into it. Any thread; one for each producer.

/** Smaller memory is cheap. */
const MEMORY_BYTES_MIN = 16 * 1024
/** Kept while nothing is sent. */
const KEPT_BYTES_MAX = 2 * 1024 * 1024

export class BatchMemory {
  readonly #spare: Buffer[] = []
  #spareBytes = 0

  /** @returns given; at least that many bytes */
  take(bytesExpected: number): Buffer {
    const spare = this.#spare.at(-1)
    if (spare === undefined || spare.length < bytesExpected)
      return Buffer.allocUnsafe(bytesExpected)
    this.#spareBytes -= spare.length
    return this.#spare.pop()!
  }

  /** @param memory given: nobody reads it any more */
  giveBack(memory: Buffer): void {
    const { length } = memory
    if (length < MEMORY_BYTES_MIN || this.#spareBytes + length > KEPT_BYTES_MAX) return
    this.#spareBytes += length
    this.#spare.push(memory)
  }
}
