// The limit on open files and sockets of the process, and its division among the broker's parts. Read once at the
// start.

import { readFileSync } from 'node:fs'

/** @returns Infinity where the system tells no limit */
export function openFilesMax(): number {
  try {
    const limits = readFileSync('/proc/self/limits', 'utf8')
    const [, soft] = /^Max open files\s+(\d+)/m.exec(limits) ?? []
    return soft === undefined ? Infinity : Number(soft)
  } catch {
    return Infinity // no Linux
  }
}

/** For Node, its threads, the listeners and files that are open only for a moment. */
const OTHERS = 40

export interface OpenFilesShares {
  readonly connections: number
  /** Of the HTTP port. */
  readonly http: number
  readonly readers: number
  readonly writer: number
}

/** How many files of each kind may be open. */
export function shareOfOpenFiles(limit: number): OpenFilesShares {
  const share = (part: number) => Math.max(1, Math.floor((limit - OTHERS) * part))
  return {
    connections: share(1 / 2),
    http: share(1 / 16),
    readers: share(1 / 4),
    writer: share(1 / 8),
  }
}
