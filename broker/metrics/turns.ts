// TurnTimes: the durations of the writer's turns. Network thread.

import type { Turn } from '../../storage/store.ts'
import { Histogram, secondsHistogram } from './histogram.ts'

/** Batches of one turn: 1 to 1024. */
const BATCH_BUCKETS = 11

export class TurnTimes {
  readonly appendSeconds = secondsHistogram()
  readonly fsyncSeconds = secondsHistogram()
  readonly commitBatches = new Histogram(1, BATCH_BUCKETS)

  turnDone({ batchCount, writeSeconds, syncSeconds }: Turn): void {
    if (batchCount === 0) return
    this.commitBatches.observe(batchCount)
    this.appendSeconds.observe(writeSeconds)
    if (syncSeconds > 0) this.fsyncSeconds.observe(syncSeconds)
  }
}
