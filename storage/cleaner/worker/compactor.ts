// Compactor: one pass over one log. First it notes the latest offset of each key in the dirty part, as far as there is memory;
// then it writes, group by group of segments, what is left of them, beside them. It replaces nothing: that is the writer's.
// Cleaner thread, or in-process. Semantics, Kafka's: docs/formats/cleaning.md

import { join } from 'node:path'
import { KafkaError } from '../../../protocol/errors.ts'
import {
  BATCH_OVERHEAD_BYTES,
  type BatchHeader,
  recordCountOf,
} from '../../../protocol/batch/header.ts'
import { sequenceAfter } from '../../../protocol/batch/sequence.ts'
import type { Fs } from '../../fs.ts'
import { segmentFile } from '../../layout.ts'
import type { SegmentStart } from '../../log-facts.ts'
import { CleanedSegment } from './cleaned-segment.ts'
import {
  emptied,
  filterBatch,
  hasHorizon,
  sectionOf,
  withHorizon,
  type Section,
} from './filter-batch.ts'
import { KeyMap } from './key-map.ts'
import { RecordWalk } from '../../../protocol/batch/record-walk.ts'
import { segmentBatches, type ReadBatch } from './segment-batches.ts'
import { type Aborted, TransactionFilter } from './transactions.ts'

/** Relative offsets and positions are int32 in the indexes. */
const INT32_MAX = 0x7fffffff

/** A sealed segment, without a quarantined range. */
export interface SourceSegment {
  readonly baseOffset: number
  /** Where the next one begins. */
  readonly endOffset: number
  readonly sizeBytes: number
  readonly abortedCount: number
  /** Offsets may be missing between its batches. */
  readonly isSparse: boolean
}

/** What a pass needs to know of a log. Bytes, ms. */
export interface Pass {
  /** Of the partition's directory. */
  readonly path: string
  /** Those in the dirty part, ascending. */
  readonly dirty: readonly SourceSegment[]
  readonly logStartOffset: number
  /** What comes before has been compacted. */
  readonly firstDirtyOffset: number
  /** With a batch, or a marker, in what is compacted. */
  readonly aborted: readonly Aborted[]
  /** Those whose marker is in the dirty part, or later. */
  readonly abortedInDirty: readonly Aborted[]
  readonly producers: readonly LastBatch[]
  /** A range that cannot be read may hold records which only a marker tells are aborted. */
  readonly keepsMarkers: boolean
  readonly nowMs: number
  readonly deleteRetentionMs: number
  readonly indexIntervalBytes: number
  readonly segmentBytesMax: number
  readonly keyMapBytesMax: number
}

/** A live producer's last batch in the log: without it the next one would look like a gap. */
export interface LastBatch {
  readonly producerId: number
  readonly producerEpoch: number
  /** -1 when this epoch has written none. */
  readonly lastSequence: number
}

export interface Mapped {
  /** Offsets before this one are in the map: what is not the latest of its key goes. */
  readonly endOffset: number
  readonly keyCount: number
}

export interface Cleaned {
  /** So many of the segments have become one. */
  readonly segmentCount: number
  /** Undefined when it stays as it is. */
  readonly segment: SegmentStart | undefined
  readonly recordsDropped: number
}

/** What becomes one segment, so far. */
interface Group {
  readonly target: CleanedSegment
  droppedCount: number
  isChanged: boolean
  /** Of the last segment, when nothing of it stays: without records. */
  lastBatch: Uint8Array | undefined
}

export interface CompactorDeps {
  readonly fs: Fs
  /** Four random words. */
  readonly seed: Uint32Array
  /** Hears of every piece read and written, and may take its time. */
  readonly onBytes: (readBytes: number, writtenBytes: number) => void
}

export class Compactor {
  readonly #deps: CompactorDeps
  readonly #pass: Pass
  readonly #map: KeyMap
  readonly #walk = new RecordWalk()
  readonly #transactions: TransactionFilter
  readonly #lastBatches: ReadonlyMap<number, LastBatch>
  #mappedEnd = 0

  constructor(deps: CompactorDeps, pass: Pass) {
    this.#deps = deps
    this.#pass = pass
    const offsets = pass.dirty.reduce((sum, each) => sum + each.endOffset - each.baseOffset, 0)
    this.#map = new KeyMap(offsets, pass.keyMapBytesMax, deps.seed)
    this.#transactions = new TransactionFilter(pass.aborted)
    this.#lastBatches = new Map(pass.producers.map((each) => [each.producerId, each]))
  }

  /** First. @throws {Error} when a segment cannot be read */
  map(): Mapped {
    const { dirty, firstDirtyOffset, abortedInDirty } = this.#pass
    const transactions = new TransactionFilter(abortedInDirty)
    this.#mappedEnd = firstDirtyOffset
    for (const segment of dirty) {
      for (const batch of this.#batchesOf(segment)) {
        const fullAt = this.#note(batch, transactions)
        if (fullAt !== undefined) return this.#mapped(fullAt)
      }
      this.#mappedEnd = segment.endOffset
    }
    return this.#mapped(this.#mappedEnd)
  }

  #mapped(endOffset: number): Mapped {
    this.#mappedEnd = endOffset
    return { endOffset, keyCount: this.#map.entryCount }
  }

  /** @returns the offset of the first record that finds no room */
  #note({ bytes, header }: ReadBatch, transactions: TransactionFilter): number | undefined {
    if (header.isControl) {
      transactions.isMarkerOfNothing(bytes, header)
      return undefined
    }
    if (transactions.isAborted(header)) return undefined
    try {
      return this.#noteRecords(header, sectionOf(bytes, header))
    } catch (error) {
      if (error instanceof KafkaError) return undefined // it cannot be looked into, and is kept as it is
      throw error
    }
  }

  #noteRecords(header: BatchHeader, section: Section): number | undefined {
    const walk = this.#walk
    walk.reset(section.bytes, section.start, section.end, header.recordCount)
    while (walk.next()) {
      const offset = header.baseOffset + walk.offsetDelta
      if (walk.keyEnd < 0 || offset < this.#pass.firstDirtyOffset) continue
      if (!this.#map.put(section.bytes, walk.keyStart, walk.keyEnd, offset)) return offset
    }
    return undefined
  }

  /**
   * Then, again and again: as many neighbours as surely fit into one segment become one.
   *
   * @param segments what is left of the log, ascending; at least one
   * @throws {Error} when one cannot be read, or the disk refuses
   */
  clean(segments: readonly SourceSegment[]): Cleaned {
    const { fs } = this.#deps
    const { path, indexIntervalBytes } = this.#pass
    const { baseOffset } = segments[0]!
    const target = new CleanedSegment(fs, path, baseOffset, indexIntervalBytes)
    const group: Group = { target, droppedCount: 0, isChanged: false, lastBatch: undefined }
    try {
      let count = 0
      for (const segment of segments) {
        if (count > 0 && !this.#joins(segment, segments[count - 1]!, target)) break
        this.#cleanSegment(segment, group)
        count++
      }
      // The log says by itself how far it goes, if need be by a batch without records.
      if (group.lastBatch) target.append(group.lastBatch)
      const { droppedCount: recordsDropped } = group
      if (count === 1 && !group.isChanged) {
        target.abandon()
        return { segmentCount: 1, segment: undefined, recordsDropped }
      }
      const segment = target.finish(segments[count - 1]!.endOffset)
      return { segmentCount: count, segment, recordsDropped }
    } catch (error) {
      target.abandon()
      throw error
    }
  }

  #joins(segment: SourceSegment, before: SourceSegment, { baseOffset, sizeBytes }: CleanedSegment) {
    const bytesMax = Math.min(this.#pass.segmentBytesMax, INT32_MAX)
    return (
      before.endOffset === segment.baseOffset &&
      sizeBytes + segment.sizeBytes + BATCH_OVERHEAD_BYTES <= bytesMax &&
      segment.endOffset - baseOffset <= INT32_MAX
    )
  }

  #cleanSegment(segment: SourceSegment, group: Group): void {
    /** That end something. */
    const markers = new Set<number>()
    for (const batch of this.#batchesOf(segment)) {
      const { bytes, header } = batch
      const left = header.isControl ? this.#filterMarker(batch) : this.#filterRecords(batch)
      const kept = left === 'none' && this.#isLastOfProducer(header) ? emptyOf(batch) : left
      const isLast = batch.endPosition === segment.sizeBytes
      group.lastBatch = kept === 'none' && isLast ? emptyOf(batch) : undefined
      if (kept === 'none') {
        group.droppedCount += header.recordCount
        group.isChanged ||= !isLast || header.recordCount > 0
        continue
      }
      group.isChanged ||= kept !== 'all'
      const written = kept === 'all' ? bytes : kept
      const isMarker = header.isControl && recordCountOf(written) > 0
      if (isMarker) markers.add(header.baseOffset)
      group.target.append(written)
      this.#deps.onBytes(0, written.length)
    }
    if (segment.abortedCount > 0) {
      const index = join(this.#pass.path, segmentFile(segment.baseOffset, '.txnindex'))
      group.target.keepAborted(index, segment.abortedCount, markers)
    }
  }

  #filterMarker({ bytes, header }: ReadBatch): 'all' | 'none' | Uint8Array {
    const { keepsMarkers, nowMs, deleteRetentionMs } = this.#pass
    if (header.recordCount === 0) return 'none'
    if (!this.#transactions.isMarkerOfNothing(bytes, header) || keepsMarkers) return 'all'
    if (!hasHorizon(header)) return withHorizon(bytes, header, nowMs + deleteRetentionMs)
    return nowMs < header.baseTimestamp ? 'all' : 'none'
  }

  #filterRecords({ bytes, header }: ReadBatch): 'all' | 'none' | Uint8Array {
    if (this.#transactions.isAborted(header)) return 'none'
    if (header.baseOffset >= this.#mappedEnd) return 'all'
    const { nowMs, deleteRetentionMs } = this.#pass
    try {
      return filterBatch(bytes, header, {
        walk: this.#walk,
        keeps: this.#keeps,
        newHorizonMs: nowMs + deleteRetentionMs,
      })
    } catch (error) {
      if (error instanceof KafkaError) return 'all' // it cannot be looked into
      throw error
    }
  }

  readonly #keeps = (header: BatchHeader, section: Section): boolean => {
    const walk = this.#walk
    const { nowMs, logStartOffset } = this.#pass
    const offset = header.baseOffset + walk.offsetDelta
    if (offset >= this.#mappedEnd) return true
    if (offset < logStartOffset || walk.keyEnd < 0) return false
    if (offset < this.#map.get(section.bytes, walk.keyStart, walk.keyEnd)) return false
    return walk.hasValue || !hasHorizon(header) || nowMs < header.baseTimestamp
  }

  #isLastOfProducer(header: BatchHeader): boolean {
    const last = this.#lastBatches.get(header.producerId)
    if (!last || last.producerEpoch !== header.producerEpoch) return false
    if (header.isControl) return last.lastSequence < 0
    if (header.baseSequence < 0) return false
    return sequenceAfter(header.baseSequence, header.lastOffsetDelta) === last.lastSequence
  }

  #batchesOf(segment: SourceSegment): Generator<ReadBatch> {
    const { fs, onBytes } = this.#deps
    const path = join(this.#pass.path, segmentFile(segment.baseOffset, '.log'))
    return segmentBatches(fs, path, segment, (bytes) => onBytes(bytes, 0))
  }
}

/** @returns given */
function emptyOf({ bytes, header }: ReadBatch): Uint8Array {
  return header.recordCount === 0 ? bytes.slice() : emptied(bytes, header)
}
