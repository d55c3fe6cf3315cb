// Backoff: how long to wait before a retry. Pure but for the clock's dice.

import type { Clock } from '../clock.ts'

export interface BackoffOptions {
  readonly backoffMs: number
  readonly backoffMaxMs: number
}

/** @param failures so far in a row, from 1; @returns ms: doubling, at most the maximum, spread by a fifth either way */
export function backoffMs(failures: number, options: BackoffOptions, clock: Clock): number {
  const doubled = options.backoffMs * 2 ** Math.min(failures - 1, 30)
  return Math.min(doubled, options.backoffMaxMs) * (0.8 + 0.4 * clock.random())
}
