// Clock: the storage's only source of time. A simulator passes its own. Any thread.

export interface Timer {
  /** Idempotent. */
  cancel(): void
}

export interface Clock {
  /** Wall time in ms since the epoch: for timestamps in records, never for deadlines. */
  now(): number
  /** Monotonic time in ms, fractional: for deadlines and durations. */
  monotonic(): number
  /** Calls back once after `delayMs`; does not keep the process alive. */
  after(delayMs: number, callback: () => void): Timer
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(delayMs, callback) {
    const timeout = setTimeout(callback, delayMs)
    timeout.unref()
    return { cancel: () => clearTimeout(timeout) }
  },
}
