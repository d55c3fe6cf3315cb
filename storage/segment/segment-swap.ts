// The swap of a compacted segment for those that it was made from, by names alone: after a crash at any step a start finds
// either the old segments, whole, or a `*.swap` that says which ones it replaces, and finishes what was begun.
// Writer thread. Steps: docs/formats/cleaning.md

import { join } from 'node:path'
import { orDiskFailure, syncOrDie } from '../disk-failure.ts'
import type { Fs } from '../fs.ts'
import {
  CLEANED_SUFFIX,
  parseSegmentFile,
  parseSwapFile,
  segmentFile,
  segmentSuffixes,
  SWAP_SUFFIX,
  swapFile,
  type SwapRange,
} from '../layout.ts'

/** The `.log` comes last wherever order matters: without it the other files mean nothing. */
const suffixesLogLast = segmentSuffixes.toReversed()

/** `*.cleaned` becomes `*.swap`: from here on the old segments are of no account. Durable when it returns. */
export function commitSwap(fs: Fs, path: string, range: SwapRange): void {
  renameAll(fs, path, (suffix) => {
    const name = swapFile(range, suffix)
    return [name + CLEANED_SUFFIX, name + SWAP_SUFFIX]
  })
}

/** Before the old segments are touched: they count again. Durable when it returns. */
export function takeBackSwap(fs: Fs, path: string, range: SwapRange): void {
  for (const suffix of segmentSuffixes)
    remove(fs, join(path, swapFile(range, suffix) + SWAP_SUFFIX))
  syncOrDie(path, () => fs.syncDirectory(path))
}

/** When the old segments are out of the way, durably: the new one gets its name. Durable when it returns. */
export function finishSwap(fs: Fs, path: string, range: SwapRange): void {
  renameAll(fs, path, (suffix) => [
    swapFile(range, suffix) + SWAP_SUFFIX,
    segmentFile(range.baseOffset, suffix),
  ])
}

/** Nobody wants it. */
export function discardCleaned(fs: Fs, path: string, range: SwapRange): void {
  for (const suffix of segmentSuffixes)
    remove(fs, join(path, swapFile(range, suffix) + CLEANED_SUFFIX))
}

/** At a start: finishes what was committed. @returns what was replaced, in order */
export function finishSwaps(fs: Fs, path: string): SwapRange[] {
  const names = fs.readDirectory(path).map(({ name }) => name)
  const swaps = names.flatMap((name) => parseSwapFile(name) ?? [])
  const committed = swaps.filter(({ suffix }) => suffix === '.log')
  for (const range of committed) {
    for (const name of names) {
      const base = parseSegmentFile(name)?.baseOffset
      if (base !== undefined && base >= range.baseOffset && base < range.endOffset)
        remove(fs, join(path, name))
    }
    syncOrDie(path, () => fs.syncDirectory(path))
    finishSwap(fs, path, range)
  }
  for (const { suffix, ...range } of swaps)
    remove(fs, join(path, swapFile(range, suffix) + SWAP_SUFFIX))
  return committed.sort((a, b) => a.baseOffset - b.baseOffset)
}

function renameAll(
  fs: Fs,
  path: string,
  namesOf: (suffix: (typeof segmentSuffixes)[number]) => readonly [from: string, to: string],
): void {
  for (const suffix of suffixesLogLast) {
    const [from, to] = namesOf(suffix).map((name) => join(path, name)) as [string, string]
    if (fs.stat(from)) orDiskFailure(from, () => fs.rename(from, to))
  }
  syncOrDie(path, () => fs.syncDirectory(path))
}

function remove(fs: Fs, path: string): void {
  if (fs.stat(path)) fs.removeFile(path)
}
