// LogView: the network thread's view of one partition: the watermarks, segments and epochs of the writer's results, by
// which reader.ts reads. Network thread only; the writer's own view is writer/.

import { strict as assert } from 'node:assert'
import { join } from 'node:path'
import { LeaderEpoch, Offset } from '../../protocol/ids.ts'
import { AbortedSearch } from './aborted-search.ts'
import { bytesAvailable, Hints, type ReadableLog, type SegmentView } from './batch-walk.ts'
import type { TopicConfig } from '../config.ts'
import { HotTail, type PageCache } from './hot-tail.ts'
import { partitionDirectory, segmentFile, type SwapRange } from '../layout.ts'
import type {
  EpochStart,
  Heads,
  LogState,
  Quarantined,
  SegmentInfo,
  Slot,
  Opened,
} from '../log-facts.ts'
import type { Log, Topic } from '../store.ts'
import { assertOrder, assertRisen } from '../watermarks.ts'

interface MutableSegmentView extends SegmentView {
  endPosition: number
  maxTimestamp: number
  abortedCount: number
  abortedChecksum: number | undefined
  isTxnIndexRotten: boolean
  heads: Heads | undefined
  swap: Promise<void> | undefined
  isReplaced: boolean
}

interface Roll {
  readonly segment: MutableSegmentView
  readonly closed: SegmentInfo
  readonly activeBaseOffset: number
}

/** Files that are open for reading. */
export interface ReadFiles {
  /** Closes those whose path starts with `prefix`, as soon as no read uses them. */
  forget(prefix: string): void
}

export class LogView implements Log, ReadableLog {
  /** Replaced when the topic's configuration or number of partitions changes. */
  topic: Topic
  readonly partition: number
  readonly slot: Slot
  readonly hints = new Hints()
  readonly abortedSearch = new AbortedSearch()
  quarantined: readonly Quarantined[]
  sparseEndOffset: number
  readonly epochs: readonly EpochStart[]
  /** Everything before it is compacted. */
  firstDirtyOffset: number
  logStartOffset: Offset
  logEndOffset: Offset
  highWatermark: Offset
  lastStableOffset: Offset
  sizeBytes: number
  readonly #path: string
  readonly #files: ReadFiles
  readonly #configOf: (topic: Topic) => TopicConfig
  readonly #hotTail: HotTail
  readonly #segments: MutableSegmentView[]
  /** Closed segments with records that are not yet visible, in order. */
  #rolls: Roll[] = []
  #isRemoved = false
  #swapCount = 0

  constructor(deps: {
    topic: Topic
    partition: number
    opened: Opened
    dataDir: string
    files: ReadFiles
    configOf: (topic: Topic) => TopicConfig
    pageCache: PageCache
  }) {
    const { topic, partition, opened } = deps
    this.topic = topic
    this.partition = partition
    this.slot = opened.slot
    this.#path = join(deps.dataDir, partitionDirectory(topic.name, partition))
    this.#files = deps.files
    this.#configOf = deps.configOf
    this.epochs = opened.epochs
    this.quarantined = opened.quarantined
    this.sparseEndOffset = opened.sparseEndOffset
    this.firstDirtyOffset = opened.firstDirtyOffset
    this.logStartOffset = Offset(opened.logStartOffset)
    this.logEndOffset = Offset(opened.logEndOffset)
    this.highWatermark = Offset(opened.highWatermark)
    this.lastStableOffset = Offset(opened.lastStableOffset)
    this.#hotTail = new HotTail(deps.pageCache)
    this.#segments = opened.segments.map((segment) => this.#segment(segment))
    const active = this.#segments.at(-1)!
    active.maxTimestamp = Infinity
    active.heads = undefined
    active.abortedChecksum = undefined
    active.endPosition = opened.activeBytesVisible
    this.sizeBytes = this.#segments.reduce((bytes, segment) => bytes + segment.endPosition, 0)
  }

  /** Path of its directory. */
  get path(): string {
    return this.#path
  }

  get segments(): readonly SegmentView[] {
    return this.#segments
  }

  get skipsQuarantined(): boolean {
    return this.quarantined.length > 0 && this.config['quarantine.policy'] === 'skip'
  }

  get config(): TopicConfig {
    return this.#configOf(this.topic)
  }

  get hotOffset(): number {
    return this.#hotTail.startOffset
  }

  get segmentCount(): number {
    return this.#segments.length
  }

  get leaderEpoch(): LeaderEpoch {
    return LeaderEpoch(this.epochs.at(-1)?.epoch ?? 0)
  }

  get isRemoved(): boolean {
    return this.#isRemoved
  }

  bytesAvailable(offset: Offset): number {
    return bytesAvailable(this, offset)
  }

  endOffsetOfEpoch(
    epoch: number,
  ): { readonly epoch: LeaderEpoch; readonly endOffset: Offset } | undefined {
    if (epoch > this.leaderEpoch) return undefined
    const index = this.epochs.findLastIndex((start) => start.epoch <= epoch)
    const found = this.epochs[index]
    if (!found) return undefined
    const endOffset = this.epochs[index + 1]?.startOffset ?? this.logEndOffset
    return { epoch: LeaderEpoch(found.epoch), endOffset: Offset(endOffset) }
  }

  /** The active segment was closed with this final size, and another one begun. */
  roll(closed: SegmentInfo, activeBaseOffset: number): void {
    const segment = this.#segments.at(-1)!
    assert(closed.baseOffset === segment.baseOffset, 'the active segment is the one that rolls')
    segment.abortedCount = closed.abortedCount
    this.#rolls.push({ segment, closed, activeBaseOffset })
    this.#segments.push(
      this.#segment({
        baseOffset: activeBaseOffset,
        sizeBytes: 0,
        maxTimestamp: Infinity,
        abortedCount: 0,
      }),
    )
  }

  /** A segment at the start of the log was deleted. */
  drop(baseOffset: number): void {
    const index = this.#segments.findIndex((segment) => segment.baseOffset === baseOffset)
    const [dropped] = index < 0 ? [] : this.#segments.splice(index, 1)
    if (!dropped) return
    this.sizeBytes -= dropped.endPosition
    this.#files.forget(dropped.path)
  }

  /**
   * Call it before the writer swaps a segment in for those in a range: a reading that must open one of their files
   * waits until it is known whose name that is.
   *
   * @returns call it when the writer has answered
   */
  holdFiles({ baseOffset, endOffset }: SwapRange): () => void {
    const isHeld = (segment: MutableSegmentView) =>
      segment.baseOffset >= baseOffset && segment.baseOffset < endOffset
    const held = this.#segments.filter(isHeld)
    let settle = () => {}
    const swap = new Promise<void>((resolve) => (settle = resolve))
    for (const segment of held) segment.swap = swap
    return () => {
      for (const segment of held) segment.swap = undefined
      settle()
    }
  }

  /** A compacted segment has replaced others. */
  replace(replacedCount: number, info: SegmentInfo): void {
    const first = this.#segments.findIndex(({ baseOffset }) => baseOffset === info.baseOffset)
    const segment = this.#segment(info, ++this.#swapCount)
    for (const replaced of this.#segments.splice(first, replacedCount, segment)) {
      replaced.isReplaced = true
      this.sizeBytes -= replaced.endPosition
      this.#files.forget(replaced.fileKey)
    }
    this.sizeBytes += segment.endPosition
    const endOffset = this.#segments[first + 1]!.baseOffset
    this.sparseEndOffset = Math.max(this.sparseEndOffset, endOffset)
    this.hints.clear()
  }

  /** The scrubber found a segment's transaction index changed. */
  noteRottenTxnIndex(segment: SegmentView): void {
    const rotten = this.#segments.find((each) => each === segment)
    if (rotten) rotten.isTxnIndexRotten = true
  }

  /** The writer has quarantined these ranges. */
  quarantine(ranges: readonly Quarantined[]): void {
    this.quarantined = ranges
    this.hints.clear()
  }

  /** Takes the writer's state, after the rolls of the same turn. */
  update(state: LogState): void {
    const { highWatermark, sizeBytes } = this
    assertRisen(this, state)
    assertOrder(
      state.logStartOffset,
      state.lastStableOffset,
      state.highWatermark,
      state.logEndOffset,
    )
    this.logStartOffset = Offset(state.logStartOffset)
    this.logEndOffset = Offset(state.logEndOffset)
    this.highWatermark = Offset(state.highWatermark)
    this.lastStableOffset = Offset(state.lastStableOffset)
    if (this.#rolls.length > 0) this.#closeVisible()
    const active = this.#segments.at(-1)!
    active.abortedCount = state.activeAbortedCount
    this.#resize(active, state.activeBytesVisible)
    if (this.sizeBytes > sizeBytes) this.#hotTail.grew(highWatermark, this.sizeBytes - sizeBytes)
  }

  /** A closed segment may be read to its end once all of it is visible. */
  #closeVisible(): void {
    const isVisible = (roll: Roll) => roll.activeBaseOffset <= this.highWatermark
    for (const { segment, closed } of this.#rolls.filter(isVisible)) {
      this.#resize(segment, closed.sizeBytes)
      segment.maxTimestamp = closed.maxTimestamp
      segment.heads = closed.heads
      segment.abortedChecksum = closed.abortedChecksum
    }
    this.#rolls = this.#rolls.filter((roll) => !isVisible(roll))
  }

  #resize(segment: MutableSegmentView, endPosition: number): void {
    this.sizeBytes += endPosition - segment.endPosition
    segment.endPosition = endPosition
  }

  remove(): void {
    this.#isRemoved = true
    this.#files.forget(join(this.#path, '/'))
  }

  /** @param serial tells a segment apart from those that it replaces under their name */
  #segment(segment: SegmentInfo, serial = 0): MutableSegmentView {
    const name = segmentFile(segment.baseOffset, '.log').slice(0, -'.log'.length)
    const path = join(this.#path, name)
    return {
      baseOffset: segment.baseOffset,
      endPosition: segment.sizeBytes,
      maxTimestamp: segment.maxTimestamp,
      abortedCount: segment.abortedCount,
      abortedChecksum: segment.abortedChecksum,
      isTxnIndexRotten: false,
      heads: segment.heads,
      path,
      fileKey: serial === 0 ? path : `${path}#${serial}`,
      swap: undefined,
      isReplaced: false,
    }
  }
}

/** Every log that callers have comes from this store. */
export function ownLog(log: Log): LogView {
  if (log instanceof LogView) return log
  throw new TypeError('the log is not of this store')
}
