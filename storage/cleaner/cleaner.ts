// LogCleaner: the background work on logs and its schedule. Retention deletes records that are too old or exceed the
// size limit, compaction keeps the latest record of each key, the scrubber looks for rot. Network thread: it decides;
// the writer and the cleaner's thread do the work. See docs/formats/cleaning.md

import type { SegmentView } from '../read/batch-walk.ts'
import type { Clock, Timer } from '../clock.ts'
import type { TopicConfig } from '../config.ts'
import type { Fs } from '../fs.ts'
import type { LogView } from '../read/log-view.ts'
import type { Cleaner, CleanerConfig, CleanerCounts, Reader } from '../store.ts'
import type { Request } from '../writer/writer-client.ts'
import type { Outcome } from '../writer/commands.ts'
import { BelievedClock } from './believed-clock.ts'
import { Compaction } from './compaction.ts'
import type { CleanerPort } from './port.ts'
import { Scrub } from './scrub.ts'
import { readScrubPlace } from './scrub-place.ts'
import { RetentionSweep } from './sweep.ts'

export const cleanerDefaults: CleanerConfig = {
  retentionCheckIntervalMs: 300_000,
  clockGraceMs: 86_400_000,
  isCompactionEnabled: true,
  backoffMs: 15_000,
  dedupeBufferBytes: 128 * 1024 * 1024,
  ioBytesPerSecond: Infinity,
  scrubIntervalMs: 7 * 24 * 3_600_000,
  scrubBytesPerSecond: 16 * 1024 * 1024,
}

/**
 * The first check comes soon after the start, because a broker that never runs for a whole interval must delete too.
 */
const FIRST_CHECK_MS_MAX = 30_000
const FIRST_SCRUB_MS_MIN = 60_000
/** The longest delay of a Node timer. */
const TIMER_MS_MAX = 0x7fffffff

export interface CleanerDeps {
  readonly fs: Fs
  readonly dataDir: string
  readonly clock: Clock
  readonly config: Partial<CleanerConfig> | undefined
  /** Wall time at which the data was last in use; undefined: unknown. */
  readonly lastSeenMs: number | undefined
  readonly logs: () => Iterable<LogView>
  readonly configOf: (log: LogView) => TopicConfig
  /** @throws {KafkaError} when the writer refuses */
  readonly ask: (request: Request) => Promise<Outcome>
  readonly reader: Reader
  /** Owned: stopped with the cleaner. */
  readonly port: CleanerPort
  readonly warn: (message: string) => void
}

export class LogCleaner implements Cleaner {
  readonly #deps: CleanerDeps
  readonly #sweep: RetentionSweep
  readonly #compaction: Compaction
  readonly #scrub: Scrub
  #config: CleanerConfig
  #sweepTimer: Timer | undefined
  #isSweeping = false
  #compactionTimer: Timer | undefined
  #isCompacting = false
  #scrubTimer: Timer | undefined
  /** Scrubs in progress, of all logs or of one suspected segment. */
  #scrubCount = 0
  #isScrubbing = false
  #isStopped = false

  constructor(deps: CleanerDeps) {
    const { fs, dataDir, clock, lastSeenMs, logs, configOf, ask, reader, port, warn } = deps
    this.#deps = deps
    this.#config = { ...cleanerDefaults, ...deps.config }
    const graceMs = () => this.#config.clockGraceMs
    const believed = new BelievedClock({ clock, lastSeenMs, graceMs, warn })
    const trim = ({ slot }: LogView, logStartOffset: number) =>
      ask({ kind: 'trim', slot, logStartOffset })
    this.#sweep = new RetentionSweep({ fs, clock, believed, logs, configOf, trim, reader })
    const config = () => this.#config
    const onRot = (segment: SegmentView) => this.suspect(segment)
    const shared = { clock, port, logs, config, ask, warn }
    this.#compaction = new Compaction({ ...shared, configOf, reader, onRot })
    const place = readScrubPlace(fs, dataDir)
    this.#scrub = new Scrub({ ...shared, dataDir, place })
    this.#sweepAfter(Math.min(this.#config.retentionCheckIntervalMs, FIRST_CHECK_MS_MAX))
    this.#compactLater()
    this.#scrubAfter(Math.max(this.#scrub.dueInMs, FIRST_SCRUB_MS_MIN))
  }

  get counts(): CleanerCounts {
    const { counts: retention } = this.#sweep
    return { retention, compaction: this.#compaction.counts, scrub: this.#scrub.counts }
  }

  configure(config: Partial<CleanerConfig>): void {
    const before = this.#config
    this.#config = { ...before, ...config }
    const { retentionCheckIntervalMs } = this.#config
    this.#compactLater()
    if (this.#config.scrubIntervalMs !== before.scrubIntervalMs)
      this.#scrubAfter(this.#scrub.dueInMs)
    if (retentionCheckIntervalMs === before.retentionCheckIntervalMs || this.#isSweeping) return
    this.#sweepAfter(retentionCheckIntervalMs)
  }

  /** Running work ends at its next request. */
  async stop(): Promise<void> {
    this.#isStopped = true
    this.#sweepTimer?.cancel()
    this.#compactionTimer?.cancel()
    this.#scrubTimer?.cancel()
    await this.#deps.port.stop()
  }

  #sweepAfter(delayMs: number): void {
    this.#sweepTimer?.cancel()
    const { clock } = this.#deps
    this.#sweepTimer = clock.after(Math.min(delayMs, TIMER_MS_MAX), () => {
      void this.#sweepNow() // the sweep handles refusals itself; any other error ends the process
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
    this.#restIfIdle()
    this.#compactLater()
  }

  /** A reader found rot in this segment: it is scrubbed at once. */
  suspect(segment: SegmentView): void {
    if (this.#isStopped) return
    void this.#scrubbing(() => this.#scrub.suspect(segment)) // as above
  }

  #scrubAfter(delayMs: number): void {
    this.#scrubTimer?.cancel()
    if (this.#isScrubbing || this.#isStopped || this.#config.scrubIntervalMs <= 0) return
    this.#scrubTimer = this.#deps.clock.after(Math.min(delayMs, TIMER_MS_MAX), () => {
      const { dueInMs } = this.#scrub
      if (dueInMs > 0) this.#scrubAfter(dueInMs)
      else void this.#scrubAll() // as above
    })
  }

  async #scrubAll(): Promise<void> {
    this.#isScrubbing = true
    const isStopped = () => this.#isStopped || this.#config.scrubIntervalMs <= 0
    await this.#scrubbing(() => this.#scrub.run(isStopped))
    this.#isScrubbing = false
    this.#scrubAfter(this.#scrub.dueInMs)
  }

  async #scrubbing(work: () => Promise<void>): Promise<void> {
    this.#scrubCount++
    await work()
    this.#scrubCount--
    this.#restIfIdle()
  }

  #restIfIdle(): void {
    if (this.#scrubCount === 0 && !this.#isCompacting && !this.#isStopped)
      this.#deps.port.endThread()
  }
}
