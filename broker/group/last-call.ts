// Last call: before a deadline counts against a member, the broker reads the requests that have arrived meanwhile. A
// loop that stood still runs its timers before it reads its sockets. Network thread.

import type { Clock, Timer } from '../../storage/clock.ts'

/** A turn of the loop, in which it reads its sockets once. */
export const LAST_TURN_MS = 1
/** Enough turns to read everything that arrived during a stall. */
const LAST_CALL_MS = 100
/** If a timer fires later than this, our own loop was held up: there is more to read. */
const STALL_MS = 50

/**
 * Calls back one turn after the deadline, and after a stall only when the loop has turned freely for a while.
 *
 * @param dueMs monotonic ms of the deadline
 */
export function afterLastCall(clock: Clock, dueMs: number, callback: () => void): Timer {
  const nowMs = clock.monotonic()
  const waitMs = nowMs - dueMs > STALL_MS ? LAST_CALL_MS : LAST_TURN_MS
  let timer = clock.after(waitMs, () => {
    const nextMs = nowMs + waitMs
    if (clock.monotonic() - nextMs > STALL_MS) timer = afterLastCall(clock, nextMs, callback)
    else callback()
  })
  return { cancel: () => timer.cancel() }
}
