// Scrub: reads every segment once per interval, piece by piece at a limited rate, to find rot before a consumer does;
// and at once a segment in which a reader found rot. The writer quarantines rot; the scrubber counts and logs it.
// Network thread. Semantics: docs/formats/cleaning.md

import { KafkaError } from '../../protocol/errors.ts'
import { extentsFrom, type Extent, type SegmentView } from '../read/batch-walk.ts'
import type { Clock } from '../clock.ts'
import { partitionDirectory } from '../layout.ts'
import type { LogView } from '../read/log-view.ts'
import { beginsElsewhere, sumOfHeads } from '../segment/heads.ts'
import { describeRot } from '../segment/quarantined.ts'
import type { CleanerConfig, ScrubCounts } from '../store.ts'
import type { Request } from '../writer/writer-client.ts'
import type { Outcome } from '../writer/commands.ts'
import type { CleanerPort } from './port.ts'
import { beforeFirst, scrubPlaceText, type ScrubPlace } from './scrub-place.ts'
import type { Quarantined } from '../log-facts.ts'

export interface ScrubDeps {
  readonly clock: Clock
  readonly dataDir: string
  readonly port: CleanerPort
  readonly logs: () => Iterable<LogView>
  readonly config: () => CleanerConfig
  /** @throws {KafkaError} when the writer refuses */
  readonly ask: (request: Request) => Promise<Outcome>
  readonly warn: (message: string) => void
  /** The place of the previous process. */
  readonly place: ScrubPlace | undefined
}

/** The size of one piece; other tasks of the cleaner wait for one piece at most. */
const PIECE_BYTES_MAX = 4 * 1024 * 1024
/** If a reader found rot that the scrubber did not find, the segment is not scrubbed again for this long. */
const SUSPECT_AGAIN_MS = 60_000
const KEEP_PLACE_MS = 10_000
/** The most log lines about one segment; further rot is only counted. */
const SAID_MAX = 20

export class Scrub {
  readonly counts: { -readonly [Name in keyof ScrubCounts]: number } = {
    passes: 0,
    segments: 0,
    readBytes: 0,
    failures: 0,
    corruptBatches: 0,
  }
  readonly #deps: ScrubDeps
  #place: ScrubPlace | undefined
  /** Monotonic ms. */
  #placeKeptMs = -Infinity
  /** Monotonic ms of each segment's last scrub for a suspicion. */
  readonly #suspected = new WeakMap<SegmentView, number>()

  constructor(deps: ScrubDeps) {
    this.#deps = deps
    this.#place = deps.place
  }

  /** ms until the next pass starts or continues. */
  get dueInMs(): number {
    const place = this.#place
    if (!place || place.after) return 0
    const { scrubIntervalMs } = this.#deps.config()
    const sinceMs = Math.max(0, this.#deps.clock.now() - place.startedMs)
    return Math.max(0, scrubIntervalMs - sinceMs)
  }

  /** A pass over all segments, from the last place. Resolves at its end. */
  async run(isStopped: () => boolean): Promise<void> {
    const { logs, clock } = this.#deps
    if (!this.#place?.after) this.#place = { startedMs: clock.now(), after: beforeFirst }
    const { startedMs, after } = this.#place
    const left = Array.from(logs(), (log) => ({ log, directory: directoryOf(log) }))
      .filter(({ directory }) => directory >= after!.directory)
      .sort((a, b) => (a.directory < b.directory ? -1 : 1))
    for (const { log, directory } of left) {
      let last = directory === after!.directory ? after!.baseOffset : -1
      for (let next = nextSegment(log, last); next && !isStopped(); next = nextSegment(log, last)) {
        await this.#scrub(log, next, isStopped, true)
        if (isStopped()) return
        last = next.baseOffset
        this.#place = { startedMs, after: { directory, baseOffset: last } }
        await this.#keepPlace(KEEP_PLACE_MS)
      }
      if (isStopped()) return
    }
    this.#place = { startedMs, after: undefined }
    this.counts.passes++
    if (this.counts.segments > 0) await this.#keepPlace(0)
  }

  /** A reader found rot in the segment. Resolves when its readable part is known. */
  async suspect(segment: SegmentView): Promise<void> {
    const { logs, clock } = this.#deps
    const nowMs = clock.monotonic()
    if (nowMs - (this.#suspected.get(segment) ?? -Infinity) < SUSPECT_AGAIN_MS) return
    this.#suspected.set(segment, nowMs)
    for (const log of logs()) {
      if (log.segments.includes(segment)) await this.#scrub(log, segment, () => false, false)
    }
  }

  async #scrub(
    log: LogView,
    segment: SegmentView,
    isStopped: () => boolean,
    isPaced: boolean,
  ): Promise<void> {
    try {
      const extents = extentsOf(log, segment)
      let headsSum = 0
      for (const extent of extents) {
        const sum = await this.#scrubExtent(log, extent, isStopped, isPaced)
        if (sum === undefined) return
        headsSum = sumOfHeads(headsSum, sum)
      }
      if (isAll(log, segment, extents)) await this.#judgeAll(log, extents[0]!, headsSum)
      await this.#scrubTxnIndex(log, segment)
      this.counts.segments++
    } catch (error) {
      if (!(error instanceof KafkaError)) throw error
      // The log or the segment was deleted: the writer no longer knows it.
    }
  }

  /** @returns the sum of the heads of its good batches; undefined when the scrub stopped early */
  async #scrubExtent(
    log: LogView,
    extent: Extent,
    isStopped: () => boolean,
    isPaced: boolean,
  ): Promise<number | undefined> {
    const { port, config, clock } = this.#deps
    const { segment, endOffset, endPosition, isSparse, epochs } = extent
    let { startPosition: position, startOffset: offset } = extent
    let headsSum = 0
    while (position < endPosition || offset < endOffset) {
      const { scrubBytesPerSecond } = config()
      const bytesMax = Math.min(PIECE_BYTES_MAX, scrubBytesPerSecond)
      const { path, baseOffset: segmentBaseOffset } = segment
      const where = { path, segmentBaseOffset, position, offset, endPosition, endOffset }
      const piece = { ...where, isSparse, epochs, bytesMax }
      const { scrubbed, failure } = await port.ask({ kind: 'scrub', piece })
      if (isStopped() || log.isRemoved || isMoving(segment)) return undefined
      if (!scrubbed) {
        this.#fail(`${path}.log`, failure)
        return undefined
      }
      this.counts.readBytes += scrubbed.position - position
      if (segment.heads && beginsElsewhere(segment.heads, scrubbed.firstChecksum)) {
        await this.#quarantine(log, extentsOf(log, segment).map(asQuarantined))
        return undefined
      }
      headsSum = sumOfHeads(headsSum, scrubbed.headsSum)
      if (scrubbed.bad.length > 0) await this.#quarantine(log, scrubbed.bad)
      const pauseMs = ((scrubbed.position - position) / scrubBytesPerSecond) * 1000
      if (isPaced) await new Promise<void>((resolve) => clock.after(pauseMs, resolve))
      if (isStopped()) return undefined
      if (scrubbed.position === endPosition) break
      ;({ position, offset } = scrubbed)
    }
    return headsSum
  }

  /** Each batch is sound and follows the previous one. This checks that they are also the batches that were written. */
  async #judgeAll(log: LogView, extent: Extent, headsSum: number): Promise<void> {
    const { segment, startPosition: position, startOffset: offset, ...rest } = extent
    const excess = (headsSum - segment.heads!.sum) >>> 0
    if (excess === 0) return
    const { path, baseOffset: segmentBaseOffset } = segment
    const whole = { path, segmentBaseOffset, position, offset, ...rest, bytesMax: Infinity }
    const { blamed, failure } = await this.#deps.port.ask({ kind: 'blame', whole, excess })
    if (isMoving(segment) || !(await this.#isThere(log, segment))) return
    if (blamed) await this.#quarantine(log, [blamed])
    else this.#fail(`${path}.log`, failure)
  }

  async #scrubTxnIndex(log: LogView, segment: SegmentView): Promise<void> {
    const { abortedCount, abortedChecksum, isTxnIndexRotten } = segment
    if (abortedCount === 0 || abortedChecksum === undefined || isTxnIndexRotten) return
    const path = `${segment.path}.txnindex`
    const start = { abortedCount, abortedChecksum }
    const { isSound, failure } = await this.#deps.port.ask({ kind: 'scrubTxnIndex', path, start })
    if (isSound || isMoving(segment) || !(await this.#isThere(log, segment))) return
    if (failure !== undefined) return this.#fail(path, failure)
    log.noteRottenTxnIndex(segment)
    this.#deps.warn(
      `${path} is not what was written: readers of committed records are refused there until the broker is restarted, which makes it anew`,
    )
  }

  /**
   * The writer deletes files first and reports it afterwards: after this answer all earlier deletions are known here.
   */
  async #isThere(log: LogView, segment: SegmentView): Promise<boolean> {
    await this.#deps.ask({ kind: 'producers', slot: log.slot })
    return !log.isRemoved && log.segments.includes(segment)
  }

  #fail(path: string, failure: string | undefined): void {
    this.counts.failures++
    this.#deps.warn(`${path} cannot be scrubbed: ${failure}`)
  }

  async #quarantine(log: LogView, bad: readonly Quarantined[]): Promise<void> {
    const { ask, warn } = this.#deps
    const found = bad.filter((rot) => isNews(log, rot))
    if (found.length === 0) return
    const { quarantined } = await ask({ kind: 'quarantine', slot: log.slot, ranges: found })
    log.quarantine(quarantined!)
    this.counts.corruptBatches += found.length
    for (const rot of found.slice(0, SAID_MAX)) warn(describeRot(log.path, rot))
    if (found.length > SAID_MAX) warn(`${log.path}: ${found.length - SAID_MAX} more such ranges`)
  }

  async #keepPlace(atMostEveryMs: number): Promise<void> {
    const { clock, port, dataDir } = this.#deps
    if (clock.monotonic() - this.#placeKeptMs < atMostEveryMs) return
    this.#placeKeptMs = clock.monotonic()
    await port.ask({ kind: 'keepPlace', dataDir, text: scrubPlaceText(this.#place!) })
  }
}

/** False if the log start has passed the range, or another scrub of the segment has found it meanwhile. */
function isNews({ logStartOffset, quarantined }: LogView, rot: Quarantined): boolean {
  const isKnown = quarantined.some(
    ({ startOffset, endOffset }) => startOffset < rot.endOffset && rot.startOffset < endOffset,
  )
  return rot.endOffset > logStartOffset && !isKnown
}

function directoryOf({ topic, partition }: LogView): string {
  return partitionDirectory(topic.name, partition)
}

function nextSegment(log: LogView, after: number): SegmentView | undefined {
  if (log.isRemoved) return undefined
  return log.segments.find(({ baseOffset, endPosition }) => baseOffset > after && endPosition > 0)
}

/** The readable ranges of a segment now. */
function extentsOf(log: LogView, segment: SegmentView): Extent[] {
  const extents: Extent[] = []
  for (const extent of extentsFrom(log, segment.baseOffset)) {
    if (extent.segment !== segment) break
    extents.push(extent)
  }
  return extents
}

/** Did the scrub read all batches that the segment had when it was sealed, and is their sum known? */
function isAll(
  { quarantined, segments }: LogView,
  segment: SegmentView,
  extents: readonly Extent[],
): boolean {
  const isOfSegment = (rot: Quarantined) => rot.segmentBaseOffset === segment.baseOffset
  return (
    segment.heads !== undefined &&
    extents[0]?.endPosition === segment.endPosition && // else the segment was sealed meanwhile
    segments.includes(segment) &&
    !quarantined.some(isOfSegment)
  )
}

function asQuarantined({ segment, ...extent }: Extent): Quarantined {
  const { startOffset, endOffset, startPosition, endPosition } = extent
  const segmentBaseOffset = segment.baseOffset
  return { startOffset, endOffset, segmentBaseOffset, startPosition, endPosition }
}

/** A swap replaces the segment: the bytes read may be of either file. */
function isMoving({ isReplaced, swap }: SegmentView): boolean {
  return isReplaced || swap !== undefined
}
