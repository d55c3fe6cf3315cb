// How many files and sockets the process may have open, and how the broker divides them. Read once at start.

import { readFileSync } from 'node:fs'

/** @returns Infinity where the system does not tell */
export function openFilesMax(): number {
  try {
    const limits = readFileSync('/proc/self/limits', 'utf8')
    const [, soft] = /^Max open files\s+(\d+)/m.exec(limits) ?? []
    return soft === undefined ? Infinity : Number(soft)
  } catch {
    return Infinity // no Linux
  }
}

/** What Node, its threads, the listeners and whatever is open for a moment only need. */
const OTHERS = 40

export interface OpenFilesShares {
  readonly connections: number
  /** Of the HTTP port. */
  readonly http: number
  readonly readers: number
  readonly writer: number
}

/** How many of each may be open. */
export function shareOfOpenFiles(limit: number): OpenFilesShares {
  const share = (part: number) => Math.max(1, Math.floor((limit - OTHERS) * part))
  return {
    connections: share(1 / 2),
    http: share(1 / 16),
    readers: share(1 / 4),
    writer: share(1 / 8),
  }
}
