// scrub-place: how far the scrubber has come, so that a broker which is restarted often still scrubs everything. A hint: without
// it a pass begins anew. Network thread; the cleaner's thread writes the file. Format: docs/formats/cleaning.md

import { join } from 'node:path'
import type { Fs } from '../fs.ts'
import { SCRUB_FILE } from '../layout.ts'
import { readText } from '../text-file.ts'

/** The segment that was scrubbed last. */
export interface ScrubbedSegment {
  /** Of the partition, below the data directory. */
  readonly directory: string
  readonly baseOffset: number
}

export interface ScrubPlace {
  /** When the last pass began, ms since the epoch. */
  readonly startedMs: number
  /** Undefined when it has come to its end. */
  readonly after: ScrubbedSegment | undefined
}

/** Before all that there are. */
export const beforeFirst: ScrubbedSegment = { directory: '', baseOffset: -1 }

/** @returns undefined when there is none that can be read */
export function readScrubPlace(fs: Fs, dataDir: string): ScrubPlace | undefined {
  const match = /^millrace-scrub-place 1 (\d{1,15})(?: (\S{1,255}) (\d{1,15}))?\n$/.exec(
    readText(fs, join(dataDir, SCRUB_FILE)) ?? '',
  )
  if (!match) return undefined
  const [, startedMs, directory, baseOffset] = match
  return {
    startedMs: Number(startedMs),
    after: directory === undefined ? undefined : { directory, baseOffset: Number(baseOffset) },
  }
}

export function scrubPlaceText({ startedMs, after }: ScrubPlace): string {
  const segment = after ? ` ${after.directory} ${after.baseOffset}` : ''
  return `millrace-scrub-place 1 ${Math.floor(startedMs)}${segment}\n`
}
