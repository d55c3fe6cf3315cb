// Swaps a compacted segment in for its source segments, by renames alone: after a crash at any step a start finds
// either the old segments, whole, or a `*.swap` whose name tells the range that it replaces, and finishes the swap.
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

/** The `.log` comes last wherever the order matters: without it the other files mean nothing. */
const suffixesLogLast = segmentSuffixes.toReversed()

/** `*.cleaned` becomes `*.swap`: from here on the old segments no longer count. Durable when it returns. */
export function commitSwap(fs: Fs, path: string, range: SwapRange): void {
  renameAll(fs, path, (suffix) => {
    const name = swapFile(range, suffix)
    return [name + CLEANED_SUFFIX, name + SWAP_SUFFIX]
  })
}

/** Before the old segments are touched: makes them count again. Durable when it returns. */
export function takeBackSwap(fs: Fs, path: string, range: SwapRange): void {
  for (const suffix of segmentSuffixes)
    remove(fs, join(path, swapFile(range, suffix) + SWAP_SUFFIX))
  syncOrDie(path, () => fs.syncDirectory(path))
}

/** Gives the new segment its name, once the old segments are durably out of the way. Durable when it returns. */
export function finishSwap(fs: Fs, path: string, range: SwapRange): void {
  renameAll(fs, path, (suffix) => [
    swapFile(range, suffix) + SWAP_SUFFIX,
    segmentFile(range.baseOffset, suffix),
  ])
}

/** Removes the compacted segment. */
export function discardCleaned(fs: Fs, path: string, range: SwapRange): void {
  for (const suffix of segmentSuffixes)
    remove(fs, join(path, swapFile(range, suffix) + CLEANED_SUFFIX))
}

/**
 * At a start: finishes committed swaps, and removes the old segments. The new segment keeps its name until a
 * checkpoint lists it, because only that name tells that offsets may be missing.
 *
 * @returns the range of each, in order; the caller calls `finishSwap`
 */
export function resumeSwaps(fs: Fs, path: string): SwapRange[] {
  const names = fs.readDirectory(path).map(({ name }) => name)
  const found = names.flatMap((name) => parseSwapFile(name) ?? [])
  const ranges = found
    .filter(({ suffix }) => suffix === '.log')
    .map(({ baseOffset, endOffset }) => ({ baseOffset, endOffset }))
    .sort((one, other) => one.baseOffset - other.baseOffset)
  const isReplaced = (offset: number) =>
    ranges.some((range) => range.baseOffset <= offset && offset < range.endOffset)
  for (const name of names) {
    const base = parseSegmentFile(name)?.baseOffset
    if (base !== undefined && isReplaced(base)) remove(fs, join(path, name))
  }
  for (const { suffix, ...range } of found) {
    const isCommitted = ranges.some((each) => swapFile(each, suffix) === swapFile(range, suffix))
    if (!isCommitted) remove(fs, join(path, swapFile(range, suffix) + SWAP_SUFFIX))
  }
  if (found.length > 0) syncOrDie(path, () => fs.syncDirectory(path))
  return ranges
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
