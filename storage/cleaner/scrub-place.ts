// scrub-place: the scrubber's place, so that a broker that restarts often still scrubs every segment. A hint: without
// it a pass starts at the first segment. Network thread; the cleaner's thread writes the file. Format:
// docs/formats/cleaning.md

import { join } from 'node:path'
import type { Fs } from '../fs.ts'
import { SCRUB_FILE } from '../layout.ts'
import { readText } from '../text-file.ts'

/** The last scrubbed segment. */
export interface ScrubbedSegment {
  /** The partition's directory, below the data directory. */
  readonly directory: string
  readonly baseOffset: number
}

export interface ScrubPlace {
  /** Start of the last pass, ms since the epoch. */
  readonly startedMs: number
  /** undefined: the pass has ended. */
  readonly after: ScrubbedSegment | undefined
}

/** Comes before every segment. */
export const beforeFirst: ScrubbedSegment = { directory: '', baseOffset: -1 }

/** @returns undefined when there is no readable place */
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
