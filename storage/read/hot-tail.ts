// HotTail: estimates which records of a log are in the page cache, so that reading them stalls no one: those after
// which all logs together have written little. Network thread.

import { totalmem } from 'node:os'

const MIB = 1024 * 1024
const HOT_BYTES_MAX = 256 * MIB
/** The fraction of the machine's or container's memory for which the last written bytes count as cached. */
const HOT_SHARE = 1 / 64
/** The most marks of a log; its hot part begins at one of them. */
const MARKS_MAX = 16

/** Counts the bytes that all logs of a store have written, and the bytes that count as hot. */
export class PageCache {
  readonly hotBytes: number
  bytesWritten = 0

  constructor(hotBytes: number = hotBytesHere()) {
    this.hotBytes = hotBytes
  }
}

export class HotTail {
  readonly #pageCache: PageCache
  /** Oldest first. */
  readonly #marks: { readonly offset: number; readonly bytesWritten: number }[] = []

  constructor(pageCache: PageCache) {
    this.#pageCache = pageCache
  }

  /** Records from here on are hot; Infinity: none. */
  get startOffset(): number {
    this.#forgetCold()
    return this.#marks[0]?.offset ?? Infinity
  }

  /** Records from `offset` on have become readable. */
  grew(offset: number, bytes: number): void {
    const { bytesWritten, hotBytes } = this.#pageCache
    this.#forgetCold()
    const sinceMark = bytesWritten - (this.#marks.at(-1)?.bytesWritten ?? -Infinity)
    if (sinceMark >= hotBytes / MARKS_MAX) this.#marks.push({ offset, bytesWritten })
    this.#pageCache.bytesWritten = bytesWritten + bytes
  }

  #forgetCold(): void {
    const { bytesWritten, hotBytes } = this.#pageCache
    const isCold = (mark: { bytesWritten: number }) => bytesWritten - mark.bytesWritten > hotBytes
    while (this.#marks.length > 0 && isCold(this.#marks[0]!)) this.#marks.shift()
  }
}

function hotBytesHere(): number {
  const memoryBytes = Math.min(totalmem(), process.constrainedMemory() || Infinity)
  return Math.min(HOT_BYTES_MAX, memoryBytes * HOT_SHARE)
}
