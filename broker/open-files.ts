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

/** The rest is for files being written, for HTTP, and for what Node itself opens. */
export function shareOfOpenFiles(limit: number): { connections: number; readers: number } {
  return { connections: Math.floor(limit / 2), readers: Math.floor(limit / 4) }
}
