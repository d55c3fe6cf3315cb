// Watermarks of a log: what they must be, wherever they are written and read. Any thread.

import { strict as assert } from 'node:assert'

export interface Watermarks {
  readonly logStartOffset: number
  readonly lastStableOffset: number
  readonly highWatermark: number
  readonly logEndOffset: number
}

export function assertOrder(
  logStartOffset: number,
  lastStableOffset: number,
  highWatermark: number,
  logEndOffset: number,
): void {
  const isOrdered =
    logStartOffset <= lastStableOffset &&
    lastStableOffset <= highWatermark &&
    highWatermark <= logEndOffset
  assert(isOrdered, 'log start <= last stable offset <= high watermark <= log end')
}

/** What a consumer was shown stays as it was. */
export function assertRisen(before: Watermarks, after: Watermarks): void {
  const isRisen =
    before.logStartOffset <= after.logStartOffset &&
    before.lastStableOffset <= after.lastStableOffset &&
    before.highWatermark <= after.highWatermark &&
    before.logEndOffset <= after.logEndOffset
  assert(isRisen, 'watermarks only rise')
}
