// Recovery of one partition's log: finds which parts of its files are sound, and where appends resume. After an
// orderly close it checks only names and sizes; otherwise every batch behind the checkpoint. It cuts off a torn tail
// and quarantines rot: no acknowledged record is lost silently, and records behind rot stay. Writer thread, at start.
// See docs/formats/recovery.md

import { strict as assert } from 'node:assert'
import { join } from 'node:path'
import { BATCH_OVERHEAD_BYTES, checksumOf } from '../../protocol/batch/header.ts'
import type { Clock } from '../clock.ts'
import { syncOrDie } from '../disk-failure.ts'
import type { Fs } from '../fs.ts'
import {
  segmentFile,
  type SegmentSuffix,
  STRAY_SUFFIX,
  SWAP_SUFFIX,
  swapFile,
  type SwapRange,
  UNFINISHED_SUFFIX,
} from '../layout.ts'
import type { ProducerLimits } from '../producers/producer-state.ts'
import type { EpochStart, LogConfig, Quarantined, SegmentStart } from '../log-facts.ts'
import type { Compacted, LogCheckpoint } from './recovery-checkpoint.ts'
import { lastEpochInFile } from '../segment/epoch-file.ts'
import { epochAt, withEpoch } from '../segment/epochs.ts'
import { beginsElsewhere } from '../segment/heads.ts'
import { withQuarantined } from '../segment/quarantined.ts'
import { recoverProducers, type RecoveredProducers } from './recover-producers.ts'
import { indexState, removeSegmentFiles, tidySegmentFiles } from '../segment/segment-files.ts'
import { type BadRange, SegmentScan } from './segment-scan.ts'
import { RecoveredSegment } from './recovered-segment.ts'
import { emptySegment, Segment } from '../segment/segment.ts'

const COPY_BYTES = 1024 * 1024

export interface RecoveryDeps {
  readonly fs: Fs
  readonly clock: Clock
  /** The partition's directory; it exists. */
  readonly path: string
  readonly config: LogConfig
  /** Absent: everything is checked. */
  readonly checkpoint: LogCheckpoint | undefined
  /**
   * The previous process ended because the disk failed: the page cache may hold bytes that never reached the disk, so
   * segments that grew since the checkpoint are copied to new files.
   */
  readonly distrustsCache: boolean
  readonly producerLimits: ProducerLimits
}

/** The state on disk when a log is opened. */
export interface LogStart {
  readonly logStartOffset: number
  /** Ascending, without the active one. */
  readonly sealed: readonly SegmentStart[]
  readonly active: Segment
  readonly producers: RecoveredProducers
  readonly epochs: readonly EpochStart[]
  readonly quarantined: readonly Quarantined[]
  readonly compacted: Compacted
  /** Segments that get their final names once a checkpoint lists them. */
  readonly swaps: readonly SwapRange[]
}

export interface Recovered extends LogStart {
  readonly truncatedBytes: number
  readonly cleanStart: boolean
  readonly strays: readonly string[]
}

export function recoverLog(deps: RecoveryDeps): Recovered {
  return new LogRecovery(deps).run()
}

/** A segment file before its recovery. */
interface Found {
  readonly baseOffset: number
  readonly sizeBytes: number
  /** Base offset of the next segment; undefined for the last one. */
  readonly nextBase: number | undefined
  /** Compaction may have left gaps between its batches. */
  readonly isSparse: boolean
}

/** Each batch is sound, but their sum differs: a base offset moved within a gap. */
function holdsOthers({ segment: { info } }: RecoveredSegment, known: SegmentStart): boolean {
  return info.sizeBytes === known.sizeBytes && info.heads?.sum !== known.heads?.sum
}

class LogRecovery {
  readonly #deps: RecoveryDeps
  /** The checkpoint's segments, by base offset, ascending. */
  readonly #known: Map<number, SegmentStart>
  /** The checkpoint covers offsets before this one: a bad range there is rot, however it looks. */
  readonly #coveredOffset: number
  #begunEpoch: EpochStart | undefined
  readonly #segments: RecoveredSegment[] = []
  #logStartOffset: number
  /** End of the part recovered so far. */
  #endOffset: number
  #epochs: EpochStart[]
  #quarantined: Quarantined[]
  #truncatedBytes = 0
  /** Segments before it may be compacted. */
  #sparseEndOffset: number
  /** Paths of the files put aside. */
  readonly #strays: string[] = []
  /** Segments whose files still have the names of a swap. */
  readonly #swaps: SwapRange[] = []

  constructor(deps: RecoveryDeps) {
    this.#deps = deps
    const { checkpoint } = deps
    this.#known = new Map(checkpoint?.segments.map((known) => [known.baseOffset, known]))
    this.#coveredOffset = checkpoint?.durableOffset ?? 0
    this.#logStartOffset = checkpoint?.logStartOffset ?? 0
    this.#endOffset = this.#logStartOffset
    this.#epochs = [...(checkpoint?.epochs ?? [])]
    this.#quarantined = [...(checkpoint?.quarantined ?? [])]
    this.#sparseEndOffset = checkpoint?.compacted?.sparseEndOffset ?? 0
  }

  run(): Recovered {
    const { checkpoint } = this.#deps
    const files = this.#findSegments()
    const isAsClosed = checkpoint?.isClosed === true && this.#isAsKnown(files)
    const first = files[0]?.baseOffset ?? this.#logStartOffset
    if (!checkpoint) this.#logStartOffset = first
    this.#endOffset = Math.min(first, this.#logStartOffset)
    for (const file of files) {
      this.#pass(1, () => {
        this.#closeGapBefore(file.baseOffset)
        this.#segments.push(this.#recoverSegment(file))
      })
    }
    if (this.#begunEpoch) this.#epochs.push(this.#begunEpoch)
    const isNew = !checkpoint && this.#endOffset === 0
    this.#pass(2, () => this.#closeGapBefore(this.#coveredOffset))
    this.#pass(3, () => this.#startSegmentIfDue())
    if (!isAsClosed) this.#pass(4, () => this.#beginEpoch(isNew))
    const producers = this.#pass(5, () => this.#recoverProducers())
    const active = this.#segments.pop()!.segment
    assert(active.endOffset === this.#endOffset, 'appends go on where recovery ended')
    return {
      logStartOffset: this.#logStartOffset,
      sealed: this.#segments.map(({ segment }) => segment.info),
      active,
      producers,
      epochs: this.#epochs,
      quarantined: this.#quarantined.filter(({ endOffset }) => endOffset > this.#logStartOffset),
      swaps: this.#swaps,
      truncatedBytes: this.#truncatedBytes,
      cleanStart: isAsClosed || isNew,
      strays: this.#strays,
      compacted: {
        firstDirtyOffset: checkpoint?.compacted?.firstDirtyOffset ?? 0,
        sparseEndOffset: this.#sparseEndOffset,
      },
    }
  }

  /**
   * 1: each segment in turn, and the gap before it. 2: the gap up to the end that the checkpoint covers. 3: the
   * segment for appends. 4: the leader epoch of this start. 5: the producers. A later pass never takes back a part
   * that an earlier one recovered.
   */
  #pass<Result>(number: number, work: () => Result): Result {
    const before = this.#endOffset
    const result = work()
    if (this.#endOffset >= before) return result
    const what = `pass ${number} of the recovery of ${this.#deps.path}`
    assert.fail(`${what} moves the end from ${before} to ${this.#endOffset}`)
  }

  #recoverProducers(): RecoveredProducers {
    const { fs, clock, path, checkpoint, producerLimits } = this.#deps
    const segments = this.#segments
    const quarantined = this.#quarantined
    const limits = producerLimits
    return recoverProducers({ fs, clock, path, limits, checkpoint, segments, quarantined })
  }

  #findSegments(): Found[] {
    const { fs, path, config, checkpoint } = this.#deps
    const { swaps, ...found } = tidySegmentFiles(fs, path, this.#logStartOffset)
    const bases = [...found.bases]
    for (const range of swaps) this.#noteSwap(range)
    const sizeOf = (base: number) => fs.stat(join(path, this.#nameOf(base)('.log')))!.sizeBytes
    this.#putStraysAside(bases)
    const last = bases.at(-1)
    // A roll that failed on a full disk may leave an empty file, and appends went on in the segment before it.
    const isLeftover = bases.length > 1 && sizeOf(last!) === 0 && !this.#known.has(last!)
    if (isLeftover) removeSegmentFiles(fs, path, last!)
    const kept = isLeftover ? bases.slice(0, -1) : bases
    // Without a checkpoint every sealed segment of a compacted topic may have gaps.
    if (!checkpoint && config.isCompacted) this.#sparseEndOffset = kept.at(-1) ?? 0
    return kept.map((base, i) => ({
      baseOffset: base,
      sizeBytes: sizeOf(base),
      nextBase: kept[i + 1],
      isSparse: base < this.#sparseEndOffset,
    }))
  }

  /**
   * Puts aside files that start within a known, existing segment: a user renamed or copied them. @param bases the
   * stray ones are removed
   */
  #putStraysAside(bases: number[]): void {
    const { fs, path } = this.#deps
    const there = [...this.#known.values()].filter((known) => bases.includes(known.baseOffset))
    const isStray = (base: number) =>
      there.some(({ baseOffset, endOffset }) => baseOffset < base && base < endOffset)
    for (const base of bases.filter((each) => !this.#known.has(each) && isStray(each))) {
      const file = join(path, segmentFile(base, '.log'))
      fs.rename(file, file + STRAY_SUFFIX)
      this.#strays.push(file + STRAY_SUFFIX)
      bases.splice(bases.indexOf(base), 1)
    }
    if (this.#strays.length > 0) syncOrDie(path, () => fs.syncDirectory(path))
  }

  /** The checkpoint's facts about these segments may be older than the swap. */
  #noteSwap({ baseOffset, endOffset }: SwapRange): void {
    this.#swaps.push({ baseOffset, endOffset })
    this.#sparseEndOffset = Math.max(this.#sparseEndOffset, endOffset)
    for (const base of this.#known.keys()) {
      if (base >= baseOffset && base < endOffset) this.#known.delete(base)
    }
  }

  #isAsKnown(files: readonly Found[]): boolean {
    return (
      files.length === this.#known.size &&
      files.every((file) => this.#known.get(file.baseOffset)?.sizeBytes === file.sizeBytes)
    )
  }

  #recoverSegment(file: Found): RecoveredSegment {
    const { fs, path } = this.#deps
    const known = this.#known.get(file.baseOffset)
    const indexes = known ? indexState(fs, path, known) : 'bad'
    if (!known || indexes === 'bad' || file.sizeBytes < known.sizeBytes) return this.#rescan(file)
    const { checkpoint } = this.#deps
    const mayGrow = known === checkpoint?.segments.at(-1) && !checkpoint.isClosed
    if (file.sizeBytes > known.sizeBytes && !mayGrow) return this.#rescan(file)
    this.#endOffset = known.endOffset
    if (file.sizeBytes > known.sizeBytes) return this.#scan(file, known)
    const segment = this.#segmentFrom(known)
    if (indexes === 'long') segment.segment.finishIndexes()
    return segment
  }

  #rescan(file: Found): RecoveredSegment {
    const { baseOffset } = file
    const known = this.#known.get(baseOffset)
    const wasWhole = !this.#quarantined.some((rot) => rot.segmentBaseOffset === baseOffset)
    this.#quarantined = this.#quarantined.filter(
      (range) => range.segmentBaseOffset !== baseOffset || range.startOffset < baseOffset,
    )
    this.#endOffset = baseOffset
    if (known?.heads && beginsElsewhere(known.heads, this.#firstChecksum(file)))
      return this.#distrust(file, known)
    const segment = this.#scan(file, emptySegment(baseOffset))
    const isWhole = !this.#quarantined.some((rot) => rot.segmentBaseOffset === baseOffset)
    const isToDistrust = known?.heads && wasWhole && isWhole && holdsOthers(segment, known)
    return isToDistrust ? this.#distrust(file, known) : segment
  }

  #firstChecksum({ baseOffset }: Found): number {
    const { fs, path } = this.#deps
    const header = Buffer.alloc(BATCH_OVERHEAD_BYTES)
    const fd = fs.open(join(path, this.#nameOf(baseOffset)('.log')), 'read')
    try {
      fs.read(fd, header, 0)
      return checksumOf(header)
    } finally {
      fs.close(fd)
    }
  }

  /** The file holds whole batches, but not those that were written. */
  #distrust({ baseOffset, sizeBytes }: Found, { endOffset }: SegmentStart): RecoveredSegment {
    const segment = this.#segmentFrom(emptySegment(baseOffset))
    segment.skipTo(sizeBytes, endOffset)
    segment.segment.seal()
    this.#noteQuarantined({
      startOffset: baseOffset,
      endOffset,
      segmentBaseOffset: baseOffset,
      startPosition: 0,
      endPosition: sizeBytes,
    })
    this.#endOffset = endOffset
    return segment
  }

  #segmentFrom(start: SegmentStart): RecoveredSegment {
    const { fs, path, clock } = this.#deps
    const name = this.#nameOf(start.baseOffset)
    return new RecoveredSegment(fs, new Segment(fs, path, clock.now(), start, name))
  }

  #nameOf(baseOffset: number): (suffix: SegmentSuffix) => string {
    const range = this.#swaps.find((each) => each.baseOffset === baseOffset)
    return (suffix) =>
      range ? swapFile(range, suffix) + SWAP_SUFFIX : segmentFile(baseOffset, suffix)
  }

  /** Checks every batch behind `start`. Afterwards the batches are durable and indexed. */
  #scan(file: Found, start: SegmentStart): RecoveredSegment {
    const { fs } = this.#deps
    const recovered = this.#segmentFrom(start)
    const { segment } = recovered
    const fd = fs.open(segment.path, 'write')
    try {
      this.#scanFile(fd, file, recovered)
      if (this.#deps.distrustsCache) this.#copyToNewFile(fd, segment)
      else syncOrDie(segment.path, () => fs.sync(fd))
    } finally {
      fs.close(fd)
    }
    segment.finishIndexes()
    if (file.nextBase !== undefined) segment.seal()
    return recovered
  }

  #scanFile(fd: number, file: Found, segment: RecoveredSegment): void {
    const { sizeBytes, nextBase, isSparse } = file
    const { fs, config, checkpoint } = this.#deps
    const scan = new SegmentScan(fs, fd, {
      sizeBytes,
      offsetMax: nextBase ?? Infinity,
      isSparse,
      epochAt: (offset) => (checkpoint ? epochAt(checkpoint.epochs, offset) : undefined),
    })
    for (const found of scan.from(segment.sizeBytes, this.#endOffset)) {
      if (found.kind === 'batch') {
        segment.adopt(found, found.position, config.indexIntervalBytes)
        this.#endOffset = found.lastOffset + 1
        if (!checkpoint) this.#noteEpoch(found.leaderEpoch, found.baseOffset)
      } else if (this.#isToCut(found, nextBase)) {
        fs.truncate(fd, found.startPosition)
        this.#truncatedBytes += sizeBytes - found.startPosition
        return
      } else {
        this.#quarantine(found, nextBase, segment)
      }
    }
    if (isSparse && nextBase !== undefined) this.#endSparse(segment, nextBase)
  }

  /** In a sparse log the last batches of a segment may be missing without a gap in sight, but no whole segment may. */
  #endSparse(segment: RecoveredSegment, nextBase: number): void {
    const known = this.#known.get(segment.baseOffset)
    const endOffset = known?.endOffset ?? nextBase
    if (endOffset <= this.#endOffset) return
    const isAsItWas = known && segment.sizeBytes >= known.sizeBytes
    if (this.#deps.checkpoint && !isAsItWas) return // the missing records were there: it is a gap
    segment.skipTo(segment.sizeBytes, endOffset)
    this.#endOffset = endOffset
  }

  /** Is the bad range the end of the log, cut off by a crash? Then none of it was acknowledged. */
  #isToCut(bad: BadRange, nextBase: number | undefined): boolean {
    if (nextBase !== undefined) return bad.startOffset === nextBase
    const isLast = bad.endOffset === undefined
    return bad.startOffset >= this.#coveredOffset && (isLast || bad.isTorn)
  }

  #quarantine(bad: BadRange, nextBase: number | undefined, segment: RecoveredSegment): void {
    const endOffset = bad.endOffset ?? nextBase ?? this.#coveredOffset
    assert(endOffset > bad.startOffset, 'what is quarantined held records')
    const { startOffset, startPosition, endPosition } = bad
    const { baseOffset: segmentBaseOffset } = segment
    this.#noteQuarantined({
      startOffset,
      endOffset,
      segmentBaseOffset,
      startPosition,
      endPosition,
    })
    segment.skipTo(endPosition, endOffset)
    this.#endOffset = endOffset
  }

  /** Quarantines records that are missing without a trace. */
  #closeGapBefore(offset: number): void {
    if (offset <= this.#endOffset) return
    const before = this.#segments.at(-1)
    this.#noteQuarantined({
      startOffset: this.#endOffset,
      endOffset: offset,
      segmentBaseOffset: before?.baseOffset ?? offset,
      startPosition: before?.sizeBytes ?? 0,
      endPosition: before?.sizeBytes ?? 0,
    })
    this.#endOffset = offset
  }

  #noteQuarantined(range: Quarantined): void {
    this.#quarantined = withQuarantined(this.#quarantined, [range])
  }

  /**
   * A single batch with a later epoch than its neighbours has rotted: the next batch must confirm the epoch, or be
   * the end.
   */
  #noteEpoch(epoch: number, startOffset: number): void {
    const begun = this.#begunEpoch
    if (begun && epoch >= begun.epoch) this.#epochs.push(begun)
    const isLater = epoch > (this.#epochs.at(-1)?.epoch ?? -1)
    this.#begunEpoch = isLater ? { epoch, startOffset } : undefined
  }

  /** Nothing is appended behind a quarantined range. */
  #mustStartSegment(): boolean {
    const last = this.#segments.at(-1)
    if (last?.baseOffset === this.#endOffset) return false
    return !last || this.#quarantined.some(({ endOffset }) => endOffset === this.#endOffset)
  }

  #startSegmentIfDue(): void {
    const { fs, path } = this.#deps
    if (this.#mustStartSegment()) this.#startSegment()
    const isNew = this.#segments.some(({ baseOffset }) => !this.#known.has(baseOffset))
    // A process killed while it created a segment leaves files that are not durably in the directory.
    if (isNew) syncOrDie(path, () => fs.syncDirectory(path))
  }

  #startSegment(): void {
    const { fs, clock, path } = this.#deps
    this.#segments.at(-1)?.segment.seal()
    const segment = Segment.create(fs, path, clock.now(), this.#endOffset)
    this.#segments.push(new RecoveredSegment(fs, segment))
  }

  /** A new epoch tells clients that the end may have been cut (KIP-101). */
  #beginEpoch(isNew: boolean): void {
    const { fs, path, checkpoint } = this.#deps
    const inFile = checkpoint ? undefined : lastEpochInFile(fs, path)
    const last = Math.max(this.#epochs.at(-1)?.epoch ?? -1, inFile ?? -1)
    this.#epochs = withEpoch(this.#epochs, isNew ? Math.max(last, 0) : last + 1, this.#endOffset)
  }

  /** The system does not write the pages of a file again after a failed sync: the contents go to a new file. */
  #copyToNewFile(fd: number, segment: Segment): void {
    const { fs, path } = this.#deps
    const copyPath = segment.path + UNFINISHED_SUFFIX
    const copy = fs.open(copyPath, 'replace')
    try {
      const bytes = Buffer.alloc(COPY_BYTES)
      for (let position = 0; position < segment.sizeBytes;) {
        const wanted = Math.min(COPY_BYTES, segment.sizeBytes - position)
        const count = fs.read(fd, bytes.subarray(0, wanted), position)
        assert(count === wanted, 'the file is as long as it was')
        for (let at = 0; at < count;) {
          at += fs.write(copy, bytes.subarray(at, count), position + at)
        }
        position += count
      }
      syncOrDie(copyPath, () => fs.sync(copy))
    } finally {
      fs.close(copy)
    }
    fs.rename(copyPath, segment.path)
    syncOrDie(path, () => fs.syncDirectory(path))
  }
}
