// Compaction: picks the dirtiest log, has the cleaner compact it group by group, and has the writer swap each group
// in, until no log is dirty enough. Network thread. Semantics: docs/formats/cleaning.md

import { KafkaError } from '../../protocol/errors.ts'
import { Offset } from '../../protocol/ids.ts'
import type { SegmentView } from '../read/batch-walk.ts'
import type { Clock } from '../clock.ts'
import type { TopicConfig } from '../config.ts'
import type { LogView } from '../read/log-view.ts'
import type { CleanerConfig, CompactionCounts, Reader } from '../store.ts'
import type { Request } from '../writer/writer-client.ts'
import type { Outcome } from '../writer/commands.ts'
import type { Cleaned, Pass, SourceSegment } from './worker/compactor.ts'
import { type Dirtiness, dirtinessOf } from './dirtiness.ts'
import type { CleanerAnswer, CleanerPort, CleanerTask } from './port.ts'

export interface CompactionDeps {
  readonly clock: Clock
  readonly port: CleanerPort
  readonly logs: () => Iterable<LogView>
  readonly configOf: (log: LogView) => TopicConfig
  readonly config: () => CleanerConfig
  /** @throws {KafkaError} when the writer refuses */
  readonly ask: (request: Request) => Promise<Outcome>
  readonly reader: Reader
  readonly warn: (message: string) => void
  /** Called with a segment in which a pass found rot. */
  readonly onRot: (segment: SegmentView) => void
}

interface Candidate {
  readonly log: LogView
  readonly config: TopicConfig
  readonly dirtiness: Dirtiness
}

/** A log whose compaction failed is left alone for this long. */
const FAILED_WAIT_MS = 600_000
/** The same if segments of the log were deleted during the pass. */
const OVERTAKEN_WAIT_MS = 1000

export class Compaction {
  readonly counts: { -readonly [Name in keyof CompactionCounts]: number } = {
    passes: 0,
    failures: 0,
    readBytes: 0,
    writtenBytes: 0,
    recordsDropped: 0,
    seconds: 0,
    uncleanablePartitions: 0,
  }
  readonly #deps: CompactionDeps
  /** The monotonic ms until which the log is left alone. */
  readonly #failed = new Map<LogView, number>()

  constructor(deps: CompactionDeps) {
    this.#deps = deps
  }

  /** Resolves when no log is dirty enough. */
  async run(isStopped: () => boolean): Promise<void> {
    while (!isStopped()) {
      const next = await this.#dirtiest()
      if (!next) break
      await this.#compact(next, isStopped)
    }
  }

  async #dirtiest(): Promise<Candidate | undefined> {
    const { logs, configOf, clock } = this.#deps
    this.#forgive()
    let best: Candidate | undefined
    for (const log of logs()) {
      const config = configOf(log)
      if (!config['cleanup.policy'].includes('compact') || this.#failed.has(log)) continue
      const dirtiness = dirtinessOf(log, config, clock.now())
      if (dirtiness.dirty.length === 0) continue
      if (dirtiness.ratio <= (best?.dirtiness.ratio ?? 0)) continue
      const isDue =
        dirtiness.ratio > config['min.cleanable.dirty.ratio'] ||
        (await this.#hasWaitedTooLong(log, config))
      if (isDue) best = { log, config, dirtiness }
    }
    return best
  }

  #forgive(): void {
    for (const [log, untilMs] of this.#failed) {
      if (log.isRemoved || untilMs <= this.#deps.clock.monotonic()) this.#failed.delete(log)
    }
    this.counts.uncleanablePartitions = this.#failed.size
  }

  async #hasWaitedTooLong(log: LogView, config: TopicConfig): Promise<boolean> {
    const maxLagMs = config['max.compaction.lag.ms']
    const nowMs = this.#deps.clock.now()
    if (maxLagMs > nowMs) return false
    try {
      const first = Math.max(log.firstDirtyOffset, log.logStartOffset)
      const timestamp = await this.#deps.reader.timestampAt(log, Offset(first))
      return timestamp !== undefined && nowMs - timestamp > maxLagMs
    } catch (error) {
      if (error instanceof KafkaError) return false
      throw error
    }
  }

  async #compact(candidate: Candidate, isStopped: () => boolean): Promise<void> {
    const { log } = candidate
    const { clock, warn } = this.#deps
    const startMs = clock.monotonic()
    let failure: string | undefined
    let wasOvertaken = false
    try {
      failure = await this.#pass(candidate, isStopped)
    } catch (error) {
      if (!(error instanceof KafkaError)) throw error
      failure = error.message
      wasOvertaken = error.code === 'NOT_LEADER_OR_FOLLOWER'
    }
    this.counts.seconds += (clock.monotonic() - startMs) / 1000
    this.counts.passes++
    if (failure === undefined || log.isRemoved || isStopped()) return
    this.#failed.set(log, clock.monotonic() + (wasOvertaken ? OVERTAKEN_WAIT_MS : FAILED_WAIT_MS))
    if (wasOvertaken) return
    this.counts.failures++
    warn(`${log.topic.name}-${log.partition} is not compacted for now: ${failure}`)
  }

  /** @returns the reason of a failure */
  async #pass(candidate: Candidate, isStopped: () => boolean): Promise<string | undefined> {
    const { log, dirtiness } = candidate
    const pass = await this.#passOver(candidate)
    const { ioBytesPerSecond: bytesPerSecond } = this.#deps.config()
    const answer = await this.#task({ kind: 'map', pass, bytesPerSecond })
    const { mapped } = answer
    if (!mapped) return this.#failureOf(log, dirtiness.dirty, answer)
    let left = [...dirtiness.clean, ...dirtiness.dirty].filter(
      ({ baseOffset }) => baseOffset < mapped.endOffset,
    )
    while (left.length > 0) {
      if (isStopped() || log.isRemoved) return 'it was stopped'
      const answer = await this.#task({ kind: 'clean', segments: left })
      const { cleaned } = answer
      if (!cleaned) return this.#failureOf(log, left, answer)
      await this.#swap(log, cleaned)
      left = left.slice(cleaned.segmentCount)
    }
    const firstDirtyOffset = mapped.endOffset
    await this.#deps.ask({ kind: 'compacted', slot: log.slot, firstDirtyOffset })
    log.firstDirtyOffset = firstDirtyOffset
    return undefined
  }

  /** @throws {KafkaError} NOT_LEADER_OR_FOLLOWER when the pass failed only because a segment was deleted meanwhile */
  async #failureOf(
    log: LogView,
    segments: readonly SourceSegment[],
    { failure, rottenBaseOffset }: CleanerAnswer,
  ): Promise<string | undefined> {
    // The writer deletes files first and reports it afterwards: after this answer all earlier deletions are known
    // here.
    await this.#deps.ask({ kind: 'producers', slot: log.slot })
    const byBase = new Map(log.segments.map((segment) => [segment.baseOffset, segment]))
    if (segments.every(({ baseOffset }) => byBase.has(baseOffset))) {
      const rotten = rottenBaseOffset === undefined ? undefined : byBase.get(rottenBaseOffset)
      if (rotten) this.#deps.onRot(rotten)
      return failure
    }
    throw new KafkaError('NOT_LEADER_OR_FOLLOWER', 'segments were deleted under it')
  }

  async #swap(log: LogView, { segment, recordsDropped }: Cleaned): Promise<void> {
    if (!segment) return
    const release = log.holdFiles(segment)
    try {
      await this.#deps.ask({ kind: 'swap', slot: log.slot, segment })
    } finally {
      release()
    }
    this.counts.recordsDropped += recordsDropped
  }

  async #task(task: CleanerTask): Promise<CleanerAnswer> {
    const answer = await this.#deps.port.ask(task)
    this.counts.readBytes += answer.readBytes
    this.counts.writtenBytes += answer.writtenBytes
    return answer
  }

  async #passOver({ log, config, dirtiness }: Candidate): Promise<Pass> {
    const { ask, clock, reader } = this.#deps
    const { clean, dirty } = dirtiness
    const { producers = [] } = await ask({ kind: 'producers', slot: log.slot })
    const first = [...clean, ...dirty][0]!
    const firstDirtyOffset = Math.max(log.firstDirtyOffset, log.logStartOffset)
    const from = Offset(Math.max(log.logStartOffset, first.baseOffset))
    const to = Offset(dirty.at(-1)!.endOffset)
    return {
      path: log.path,
      dirty,
      logStartOffset: log.logStartOffset,
      firstDirtyOffset,
      aborted: await reader.abortedTransactions(log, from, to),
      abortedInDirty: await reader.abortedTransactions(log, Offset(firstDirtyOffset), to),
      producers,
      keepsMarkers: log.quarantined.length > 0,
      nowMs: clock.now(),
      deleteRetentionMs: config['delete.retention.ms'],
      indexIntervalBytes: config['index.interval.bytes'],
      segmentBytesMax: config['segment.bytes'],
      keyMapBytesMax: this.#deps.config().dedupeBufferBytes,
    }
  }
}
