// Cleaner: the background work on logs, and when it is done: retention deletes what is too old or too much, compaction keeps
// the latest record of each key. Network thread: it decides and asks, others do. See docs/formats/cleaning.md

import type { Clock, Timer } from '../clock.ts'
import type { TopicConfig } from '../config.ts'
import type { Fs } from '../fs.ts'
import type { PartitionLog } from '../log.ts'
import type { CleanerConfig, CleanerCounts } from '../store.ts'
import type { Request } from '../writer-client.ts'
import type { Outcome } from '../writer/commands.ts'
import { BelievedClock } from './believed-clock.ts'
import { Compaction } from './compaction.ts'
import type { CleanerPort } from './port.ts'
import { RetentionSweep } from './sweep.ts'

export const cleanerDefaults: CleanerConfig = {
  retentionCheckIntervalMs: 300_000,
  clockGraceMs: 86_400_000,
  isCompactionEnabled: true,
  backoffMs: 15_000,
  dedupeBufferBytes: 128 * 1024 * 1024,
  ioBytesPerSecond: Infinity,
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
  readonly ask: (request: Request) => Promise<Outcome>
  /** Owned: stopped with the cleaner. */
  readonly port: CleanerPort
  readonly warn: (message: string) => void
}

export class Cleaner {
  readonly #deps: CleanerDeps
  readonly #sweep: RetentionSweep
  readonly #compaction: Compaction
  #config: CleanerConfig
  #sweepTimer: Timer | undefined
  #isSweeping = false
  #compactionTimer: Timer | undefined
  #isCompacting = false
  #isStopped = false

  constructor(deps: CleanerDeps) {
    const { fs, clock, lastSeenMs, logs, configOf, ask, port, warn } = deps
    this.#deps = deps
    this.#config = { ...cleanerDefaults, ...deps.config }
    const graceMs = () => this.#config.clockGraceMs
    const believed = new BelievedClock({ clock, lastSeenMs, graceMs, warn })
    const trim = ({ slot }: PartitionLog, logStartOffset: number) =>
      ask({ kind: 'trim', slot, logStartOffset })
    this.#sweep = new RetentionSweep({ fs, clock, believed, logs, configOf, trim })
    const config = () => this.#config
    this.#compaction = new Compaction({ clock, port, logs, configOf, config, ask, warn })
    this.#sweepAfter(Math.min(this.#config.retentionCheckIntervalMs, FIRST_CHECK_MS_MAX))
    this.#compactLater()
  }

  get counts(): CleanerCounts {
    return { retention: this.#sweep.counts, compaction: this.#compaction.counts }
  }

  /** Takes effect at once. */
  configure(config: Partial<CleanerConfig>): void {
    const before = this.#config
    this.#config = { ...before, ...config }
    const { retentionCheckIntervalMs } = this.#config
    this.#compactLater()
    if (retentionCheckIntervalMs === before.retentionCheckIntervalMs || this.#isSweeping) return
    this.#sweepAfter(retentionCheckIntervalMs)
  }

  /** What is under way ends with the next thing that it asks. */
  async stop(): Promise<void> {
    this.#isStopped = true
    this.#sweepTimer?.cancel()
    this.#compactionTimer?.cancel()
    await this.#deps.port.stop()
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
  #compactLater(): void {
    this.#compactionTimer?.cancel()
    if (this.#isCompacting || this.#isStopped || !this.#config.isCompactionEnabled) return
    const delayMs = Math.min(this.#config.backoffMs, TIMER_MS_MAX)
    this.#compactionTimer = this.#deps.clock.after(delayMs, () => {
      void this.#compactNow() // as above
    })
  }

  async #compactNow(): Promise<void> {
    this.#isCompacting = true
    await this.#compaction.run(() => this.#isStopped || !this.#config.isCompactionEnabled)
    this.#isCompacting = false
    this.#compactLater()
  }
}
