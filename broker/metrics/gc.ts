// GcTimes: how long garbage collection of the network thread took, one observation each. Network thread.
// It begins with the first look at the metrics, as LoopTimes does.

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
