// The rules for a log's watermarks, asserted wherever they are written and read. Any thread.

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

/** A consumer never sees a watermark fall. */
export function assertRisen(before: Watermarks, after: Watermarks): void {
  const isRisen =
    before.logStartOffset <= after.logStartOffset &&
    before.lastStableOffset <= after.lastStableOffset &&
    before.highWatermark <= after.highWatermark &&
    before.logEndOffset <= after.logEndOffset
  assert(isRisen, 'watermarks only rise')
}
