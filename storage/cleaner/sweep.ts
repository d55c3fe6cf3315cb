// RetentionSweep: checks every log, and moves its log start past segments that exceed the limits. The writer deletes
// them. Network thread. Semantics: docs/formats/cleaning.md

import { KafkaError } from '../../protocol/errors.ts'
import type { SegmentView } from '../read/batch-walk.ts'
import type { Clock } from '../clock.ts'
import type { TopicConfig } from '../config.ts'
import type { Fs } from '../fs.ts'
import type { LogView } from '../read/log-view.ts'
import type { Reader } from '../store.ts'
import type { BelievedClock } from './believed-clock.ts'
import { countOverAge, countOverSize, type RetentionLimits } from './retention.ts'

export interface RetentionCounts {
  deletedSegments: number
  deletedBytes: number
}

export interface RetentionSweepDeps {
  readonly fs: Fs
  readonly clock: Clock
  readonly believed: BelievedClock
  readonly logs: () => Iterable<LogView>
  readonly configOf: (log: LogView) => TopicConfig
  /** Durable when it resolves. @throws {KafkaError} when the writer refuses */
  readonly trim: (log: LogView, logStartOffset: number) => Promise<unknown>
  readonly reader: Reader
}

/** Logs checked before the sweep yields to the event loop; they share one checkpoint. */
const LOGS_A_TURN = 128
/** The most segments of one trim, which renames their files while appends wait. */
const SEGMENTS_A_TRIM = 64

interface Excess {
  readonly log: LogView
  readonly newStartOffset: number
  readonly segmentCount: number
  readonly sizeBytes: number
}

export class RetentionSweep {
  readonly counts: RetentionCounts = { deletedSegments: 0, deletedBytes: 0 }
  readonly #deps: RetentionSweepDeps
  /** The newest timestamp of the active segment, which must be read for it; valid while the log does not grow. */
  readonly #activeTimestamps = new WeakMap<SegmentView, { endOffset: number; timestamp: number }>()

  constructor(deps: RetentionSweepDeps) {
    this.#deps = deps
  }

  /** Resolves when every log is within its limits, or the writer has refused. */
  async run(isStopped: () => boolean): Promise<void> {
    let waiting = [...this.#deps.logs()]
    while (waiting.length > 0 && !isStopped()) {
      const again = await this.#sweepSome(waiting.slice(0, LOGS_A_TURN))
      waiting = [...again, ...waiting.slice(LOGS_A_TURN)]
      await new Promise<void>((resolve) => this.#deps.clock.after(0, resolve))
    }
  }

  /** @returns the logs with more to delete */
  async #sweepSome(logs: readonly LogView[]): Promise<LogView[]> {
    const found = await Promise.all(logs.map((log) => this.#excessOf(log)))
    const excesses = found.filter((excess) => excess !== undefined)
    const trimmed = await Promise.all(excesses.map((excess) => this.#trim(excess)))
    return trimmed.flatMap((log) => log ?? [])
  }

  async #excessOf(log: LogView): Promise<Excess | undefined> {
    const config = this.#deps.configOf(log)
    if (!config['cleanup.policy'].includes('delete')) return undefined
    const limits: RetentionLimits = {
      retentionMs: config['retention.ms'],
      retentionBytes: config['retention.bytes'],
    }
    const nowMs = this.#deps.believed.now()
    const count = Math.min(await this.#countOver(log, limits, nowMs), SEGMENTS_A_TRIM)
    if (count === 0) return undefined
    const { segments } = log
    return {
      log,
      newStartOffset: segments[count]?.baseOffset ?? log.highWatermark,
      segmentCount: count,
      sizeBytes: segments.slice(0, count).reduce((sum, each) => sum + each.endPosition, 0),
    }
  }

  /**
   * How many of the oldest segments to delete. The active one counts only if it is the last one left and wholly
   * visible.
   */
  async #countOver(log: LogView, limits: RetentionLimits, nowMs: number): Promise<number> {
    const { segments } = log
    const sealed = segments.filter(({ maxTimestamp }) => maxTimestamp < Infinity)
    const sizes = segments.map(({ endPosition }) => endPosition)
    const overSize = countOverSize(sizes, limits)
    const timesOf = (index: number) => this.#timesOf(segments[index]!)
    const overAge = countOverAge(sealed.length, timesOf, nowMs, limits)
    const count = Math.max(Math.min(overSize, sealed.length), overAge)
    if (count < segments.length - 1 || !isActiveVisible(log)) return count
    if (overSize === segments.length) return segments.length
    const maxTimestamp = limits.retentionMs < 0 ? undefined : await this.#activeTimestamp(log)
    if (maxTimestamp === undefined) return count
    const active = { ...this.#timesOf(segments.at(-1)!), maxTimestamp }
    return count + countOverAge(1, () => active, nowMs, limits)
  }

  #timesOf({ path, maxTimestamp }: SegmentView) {
    const { fs } = this.#deps
    return {
      maxTimestamp,
      get modifiedMs() {
        return fs.stat(`${path}.log`)?.modifiedMs ?? Infinity
      },
    }
  }

  /** @returns -1 when no record has a time; undefined when the segment cannot be read now, or the log grew meanwhile */
  async #activeTimestamp(log: LogView): Promise<number | undefined> {
    const { logEndOffset: endOffset } = log
    const active = log.segments.at(-1)!
    const known = this.#activeTimestamps.get(active)
    if (known?.endOffset === endOffset) return known.timestamp
    try {
      const timestamp = (await this.#deps.reader.offsetForMaxTimestamp(log))?.timestamp ?? -1
      if (log.logEndOffset !== endOffset) return undefined
      this.#activeTimestamps.set(active, { endOffset, timestamp })
      return timestamp
    } catch (error) {
      if (error instanceof KafkaError) return undefined
      throw error
    }
  }

  /** @returns the log if it may have more to delete */
  async #trim(excess: Excess): Promise<LogView | undefined> {
    const { log, newStartOffset, segmentCount, sizeBytes } = excess
    try {
      await this.#deps.trim(log, newStartOffset)
    } catch (error) {
      if (error instanceof KafkaError) return undefined // the log was deleted meanwhile, or the disk is full: the next sweep tries again
      throw error
    }
    this.counts.deletedSegments += segmentCount
    this.counts.deletedBytes += sizeBytes
    return segmentCount === SEGMENTS_A_TRIM ? log : undefined
  }
}

function isActiveVisible(log: LogView): boolean {
  return log.segments.at(-1)!.endPosition > 0 && log.highWatermark === log.logEndOffset
}
