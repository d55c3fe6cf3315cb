// BatchMemory: keeps the memory of acknowledged batches for new ones, because memory that was never used costs more
// than the records written into it. Any thread; one for each producer.

/** The allocator is quick with smaller buffers: they are not kept. */
const MEMORY_BYTES_MIN = 16 * 1024
/** The most bytes kept. */
const KEPT_BYTES_MAX = 2 * 1024 * 1024

export class BatchMemory {
  readonly #spare: Buffer[] = []
  #spareBytes = 0

  /** @returns given; at least `bytesExpected` bytes */
  take(bytesExpected: number): Buffer {
    const spare = this.#spare.at(-1)
    if (spare === undefined || spare.length < bytesExpected)
      return Buffer.allocUnsafe(bytesExpected)
    this.#spareBytes -= spare.length
    return this.#spare.pop()!
  }

  /** @param memory given: no one may read it any more */
  giveBack(memory: Buffer): void {
    const { length } = memory
    if (length < MEMORY_BYTES_MIN || this.#spareBytes + length > KEPT_BYTES_MAX) return
    this.#spareBytes += length
    this.#spare.push(memory)
  }
}
