// Clock: the client's only source of time and randomness. A test or a simulator passes its own. Any thread.

export interface Timer {
  /** Idempotent. */
  cancel(): void
}

export interface Clock {
  /** Wall time in ms since the epoch: for timestamps in records, never for deadlines. */
  now(): number
  /** Monotonic time in ms, fractional: for deadlines and durations. */
  monotonic(): number
  /** Calls back once after `delayMs`. Keeps the process alive, because a call waits for it. */
  after(delayMs: number, callback: () => void): Timer
  /** From 0 up to 1: for jitter and for the choice of a partition. */
  random(): number
}

/** With a longer delay a timer of Node fires at once. */
const DELAY_MS_MAX = 0x7fffffff

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(delayMs, callback) {
    const timeout = setTimeout(callback, Math.min(delayMs, DELAY_MS_MAX))
    return { cancel: () => clearTimeout(timeout) }
  },
  random: () => Math.random(),
}
