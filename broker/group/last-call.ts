// Last call: before a deadline counts against a member, what it has sent meanwhile must have had a chance to be read.
// A loop that stood still runs its timers before it reads its sockets. Network thread.

import type { Clock, Timer } from '../../storage/clock.ts'

/** A turn of the loop, in which it reads its sockets once. */
export const LAST_TURN_MS = 1
/** Long enough for some turns, to read all that has come during a stall. */
const LAST_CALL_MS = 100
/** A timer that fires later than this was held up by our own loop: there is more to read. */
const STALL_MS = 50

/**
 * Calls back when what was due has had its last call: a turn later, and after a stall not before the loop has turned freely
 * for a while.
 *
 * @param dueMs monotonic: when the deadline was
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
