// Checks the indexes of a segment against its batches: each entry must be true. Missing entries are no flaw, because
// an index is a hint. Read only. Formats: docs/formats/indexes.md

import type { Fs } from '../fs.ts'
import { OFFSET_ENTRY_BYTES, readOffsetEntry } from '../segment/offset-index.ts'
import { readTimeEntry, TIME_ENTRY_BYTES } from '../segment/time-index.ts'
import { readBytes } from '../text-file.ts'
import { batchPlaces, type BatchPlace, type ByteRange } from './batch-file.ts'

/** An unreadable range of the segment. Ends are exclusive. */
export interface BadPart extends ByteRange {
  readonly startOffset: number
  readonly endOffset: number
}

export interface SegmentToVerify {
  readonly baseOffset: number
  /** Path without a suffix. */
  readonly path: string
  /** The part of the file with batches or bad ranges. */
  readonly sizeBytes: number
  readonly bad: readonly BadPart[]
}

/** A batch, and the largest timestamp of the segment up to it. */
type Seen = BatchPlace & { readonly maxTimestampSoFar: number }

/** @returns the flaws, by suffix of the file, and the number of batches */
export function verifyIndexes(
  fs: Fs,
  segment: SegmentToVerify,
): { readonly batchCount: number; readonly flaws: ReadonlyMap<string, string> } {
  const checks = new Map([
    ['.index', offsetEntries(fs, segment)],
    ['.timeindex', timeEntries(fs, segment)],
  ])
  let batchCount = 0
  let maxTimestampSoFar = -1
  const fd = fs.open(`${segment.path}.log`, 'read')
  try {
    for (const place of batchPlaces(fs, fd, segment.sizeBytes, segment.bad)) {
      batchCount++
      maxTimestampSoFar = Math.max(maxTimestampSoFar, place.maxTimestamp)
      for (const check of checks.values()) check.see({ ...place, maxTimestampSoFar })
    }
  } finally {
    fs.close(fd)
  }
  const flaws = new Map<string, string>()
  for (const [suffix, check] of checks) {
    const wrong = check.end()
    if (wrong !== undefined) flaws.set(suffix, `entry ${wrong} does not fit its segment`)
  }
  return { batchCount, flaws }
}

/** How to check one kind of entry. */
interface Judge {
  /** Does the entry fit this batch? undefined: it is about a later one. */
  fits(entry: Uint8Array, batch: Seen): boolean | undefined
  /** Is the entry about an unreadable range? Then it may be right. */
  isOfBad(entry: Uint8Array): boolean
}

/** Checks consecutive entries of one size against batches in order. */
class EntryCheck {
  readonly #bytes: Uint8Array
  readonly #entryBytes: number
  readonly #judge: Judge
  #next = 0
  #wrong: number | undefined

  constructor(bytes: Uint8Array, entryBytes: number, judge: Judge) {
    this.#bytes = bytes
    this.#entryBytes = entryBytes
    this.#judge = judge
  }

  see(batch: Seen): void {
    this.#goOn((entry) => this.#judge.fits(entry, batch))
  }

  /** Call it after the last batch. @returns the first wrong entry; a partial one counts */
  end(): number | undefined {
    this.#goOn(() => false)
    if (this.#next < this.#bytes.length) this.#wrong ??= this.#next / this.#entryBytes
    return this.#wrong
  }

  /** Takes entries, from the first unchecked one, until one gets no verdict. */
  #goOn(verdict: (entry: Uint8Array) => boolean | undefined): void {
    for (; this.#next + this.#entryBytes <= this.#bytes.length; this.#next += this.#entryBytes) {
      const entry = this.#bytes.subarray(this.#next, this.#next + this.#entryBytes)
      const isRight = verdict(entry)
      if (isRight === undefined) return
      if (!isRight && !this.#judge.isOfBad(entry)) this.#wrong ??= this.#next / this.#entryBytes
    }
  }
}

function offsetEntries(fs: Fs, { path, baseOffset, bad }: SegmentToVerify): EntryCheck {
  const bytes = readBytes(fs, `${path}.index`) ?? Buffer.alloc(0)
  return new EntryCheck(bytes, OFFSET_ENTRY_BYTES, {
    fits(entry, batch) {
      const { lastOffset, position } = readOffsetEntry(entry, baseOffset)
      if (position > batch.position) return undefined
      return position === batch.position && lastOffset === batch.lastOffset
    },
    isOfBad(entry) {
      const { position } = readOffsetEntry(entry, baseOffset)
      return bad.some(
        ({ startPosition, endPosition }) => startPosition <= position && position < endPosition,
      )
    },
  })
}

function timeEntries(fs: Fs, { path, baseOffset, bad }: SegmentToVerify): EntryCheck {
  const bytes = readBytes(fs, `${path}.timeindex`) ?? Buffer.alloc(0)
  return new EntryCheck(bytes, TIME_ENTRY_BYTES, {
    fits(entry, batch) {
      const { timestamp, offset } = readTimeEntry(entry, baseOffset)
      if (offset > batch.lastOffset) return undefined
      return offset === batch.lastOffset && timestamp === batch.maxTimestampSoFar
    },
    isOfBad(entry) {
      const { offset } = readTimeEntry(entry, baseOffset)
      return bad.some(({ startOffset, endOffset }) => startOffset <= offset && offset < endOffset)
    },
  })
}
