// BufferPool: reusable read buffers, so that fetching makes no garbage.
// Network thread. Sizes are powers of two, so that a buffer fits the next read too.

const SMALLEST_BYTES = 4096
/** Larger buffers are not reused. */
const LARGEST_BYTES = 16 * 1024 * 1024

export class BufferPool {
  readonly #freeBytesMax: number
  readonly #freeBySize = new Map<number, Buffer[]>()
  #freeBytes = 0

  constructor(freeBytesMax: number) {
    this.#freeBytesMax = freeBytesMax
  }

  /** @returns a buffer of at least `bytes`, with any contents; the caller's until `give` */
  take(bytes: number): Buffer {
    if (bytes > LARGEST_BYTES) return Buffer.allocUnsafeSlow(bytes)
    const sizeBytes = Math.max(SMALLEST_BYTES, 2 ** Math.ceil(Math.log2(bytes)))
    const free = this.#freeBySize.get(sizeBytes)?.pop()
    if (!free) return Buffer.allocUnsafeSlow(sizeBytes)
    this.#freeBytes -= sizeBytes
    return free
  }

  /** @param buffer given: a whole buffer from `take`, once */
  give(buffer: Buffer): void {
    if (buffer.length > LARGEST_BYTES) return
    if (this.#freeBytes + buffer.length > this.#freeBytesMax) return
    this.#freeBytes += buffer.length
    const free = this.#freeBySize.get(buffer.length)
    if (free) free.push(buffer)
    else this.#freeBySize.set(buffer.length, [buffer])
  }
}
