// Io: where a command reads, writes and ends: the process itself, or what a test puts in its place.

import type { Readable, Writable } from 'node:stream'

export interface Io {
  readonly stdin: Readable & { readonly isTTY?: boolean }
  readonly stdout: Output
  readonly stderr: Output
  readonly env: Readonly<Record<string, string | undefined>>
  /** What a command sets when it has done its work and found something wrong. */
  exitCode?: number | string | null | undefined
  /** Calls `act` at each ^C. */
  on(event: 'SIGINT', act: () => void): unknown
  /** Ends now, whatever is under way. */
  exit(code: number): void
}

/** Only a process's own outputs have a file descriptor. */
export type Output = Writable & {
  readonly isTTY?: boolean
  readonly columns?: number
  readonly fd?: number
}
