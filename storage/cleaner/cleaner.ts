// Cleaner: the background work on logs, and when it is done: retention deletes what is too old or too much.
// Network thread: it decides and asks, the writer does. See docs/formats/cleaning.md

import type { Clock, Timer } from '../clock.ts'
import type { TopicConfig } from '../config.ts'
import type { Fs } from '../fs.ts'
import type { PartitionLog } from '../log.ts'
import type { CleanerConfig, CleanerCounts } from '../store.ts'
import { BelievedClock } from './believed-clock.ts'
import { RetentionSweep } from './sweep.ts'

export const cleanerDefaults: CleanerConfig = {
  retentionCheckIntervalMs: 300_000,
  clockGraceMs: 86_400_000,
}

/** A start has other things to do; but a broker that never lives as long as the interval must delete, too. */
const FIRST_CHECK_MS_MAX = 30_000
/** What a timer takes at most. */
const TIMER_MS_MAX = 0x7fffffff

export interface CleanerDeps {
  readonly fs: Fs
  readonly clock: Clock
  readonly config: Partial<CleanerConfig> | undefined
  /** Wall time at which the data was last in use; undefined when nothing says so. */
  readonly lastSeenMs: number | undefined
  readonly logs: () => Iterable<PartitionLog>
  readonly configOf: (log: PartitionLog) => TopicConfig
  /** @throws {KafkaError} when the writer refuses */
  readonly trim: (log: PartitionLog, logStartOffset: number) => Promise<unknown>
  readonly warn: (message: string) => void
}

export class Cleaner {
  readonly #deps: CleanerDeps
  readonly #sweep: RetentionSweep
  #config: CleanerConfig
  #sweepTimer: Timer | undefined
  #isSweeping = false
  #isStopped = false

  constructor(deps: CleanerDeps) {
    const { fs, clock, lastSeenMs, logs, configOf, trim, warn } = deps
    this.#deps = deps
    this.#config = { ...cleanerDefaults, ...deps.config }
    const graceMs = () => this.#config.clockGraceMs
    const believed = new BelievedClock({ clock, lastSeenMs, graceMs, warn })
    this.#sweep = new RetentionSweep({ fs, clock, believed, logs, configOf, trim })
    this.#sweepAfter(Math.min(this.#config.retentionCheckIntervalMs, FIRST_CHECK_MS_MAX))
  }

  get counts(): CleanerCounts {
    return { retention: this.#sweep.counts }
  }

  /** Takes effect at once. */
  configure(config: Partial<CleanerConfig>): void {
    const before = this.#config
    this.#config = { ...before, ...config }
    const { retentionCheckIntervalMs } = this.#config
    if (retentionCheckIntervalMs === before.retentionCheckIntervalMs || this.#isSweeping) return
    this.#sweepAfter(retentionCheckIntervalMs)
  }

  /** What is under way ends with the next thing that it asks the writer. */
  stop(): void {
    this.#isStopped = true
    this.#sweepTimer?.cancel()
  }

  #sweepAfter(delayMs: number): void {
    this.#sweepTimer?.cancel()
    const { clock } = this.#deps
    this.#sweepTimer = clock.after(Math.min(delayMs, TIMER_MS_MAX), () => {
      void this.#sweepNow() // refusals are its own business, anything else ends the process
    })
  }

  async #sweepNow(): Promise<void> {
    this.#isSweeping = true
    await this.#sweep.run(() => this.#isStopped)
    this.#isSweeping = false
    if (!this.#isStopped) this.#sweepAfter(this.#config.retentionCheckIntervalMs)
  }
}
