// Last call: before a deadline counts against a member, what it has sent meanwhile must have had a chance to be read.
// A loop that stood still runs its timers before it reads its sockets. Network thread.

import type { Clock, Timer } from '../../storage/clock.ts'

/** Long enough for some turns of the loop. */
export const LAST_CALL_MS = 100
/** A timer that fires later than this was held up by our own loop: there is more to read. */
const STALL_MS = 50

/** Calls back soon, but not before the loop has turned freely for a while. */
export function afterLastCall(clock: Clock, callback: () => void): Timer {
  const dueMs = clock.monotonic() + LAST_CALL_MS
  let timer = clock.after(LAST_CALL_MS, () => {
    if (clock.monotonic() - dueMs > STALL_MS) timer = afterLastCall(clock, callback)
    else callback()
  })
  return { cancel: () => timer.cancel() }
}
