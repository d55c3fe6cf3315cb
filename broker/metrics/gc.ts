// GcTimes: the durations of garbage collections on the network thread. It starts with the first request for metrics,
// as LoopTimes does. Network thread.

import { PerformanceObserver } from 'node:perf_hooks'
import { secondsHistogram } from './histogram.ts'

export class GcTimes {
  readonly seconds = secondsHistogram()
  #observer: PerformanceObserver | undefined

  /** Idempotent. */
  start(): void {
    if (this.#observer) return
    this.#observer = new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) this.seconds.observe(duration / 1000)
    })
    this.#observer.observe({ entryTypes: ['gc'] })
  }

  stop(): void {
    this.#observer?.disconnect()
  }
}
