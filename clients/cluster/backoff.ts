// Backoff: the pause before a retry. Pure but for the clock's random numbers.

import type { Clock } from '../clock.ts'

export interface BackoffOptions {
  readonly backoffMs: number
  readonly backoffMaxMs: number
}

/** @param failures in a row, from 1; @returns ms: doubles up to the maximum, plus or minus a random fifth */
export function backoffMs(failures: number, options: BackoffOptions, clock: Clock): number {
  const doubled = options.backoffMs * 2 ** Math.min(failures - 1, 30)
  return Math.min(doubled, options.backoffMaxMs) * (0.8 + 0.4 * clock.random())
}
