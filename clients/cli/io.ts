// Io: the inputs, outputs and end of a command: those of the process, or a test's in their place.

import type { Readable, Writable } from 'node:stream'

export interface Io {
  readonly stdin: Readable & { readonly isTTY?: boolean }
  readonly stdout: Output
  readonly stderr: Output
  readonly env: Readonly<Record<string, string | undefined>>
  /** The exit code that a command sets when it has finished and found a problem. */
  exitCode?: number | string | null | undefined
  /** Calls `act` at each ^C. */
  on(event: 'SIGINT', act: () => void): unknown
  /** Ends the process at once. */
  exit(code: number): void
}

/** Only a process's own outputs have a file descriptor. */
export type Output = Writable & {
  readonly isTTY?: boolean
  readonly columns?: number
  readonly fd?: number
}
