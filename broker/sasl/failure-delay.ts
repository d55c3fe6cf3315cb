// The delay of a failed login: its answer comes after `connection.failed.authentication.delay.ms`, or a multiple of it, so that the
// time tells nothing about the user. Network thread.

import type { Clock } from '../../storage/clock.ts'

/** @param startedAt monotonic ms. @param gone ends it at once */
export async function failureDelay(
  delayMs: number,
  startedAt: number,
  clock: Clock,
  gone: AbortSignal,
): Promise<void> {
  if (delayMs === 0 || gone.aborted) return
  const restMs = delayMs - ((clock.monotonic() - startedAt) % delayMs)
  await new Promise<void>((resolve) => {
    const timer = clock.after(restMs, resolve)
    const stop = () => {
      timer.cancel()
      resolve()
    }
    gone.addEventListener('abort', stop, { once: true })
  })
}
