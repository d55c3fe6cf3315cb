// Compactor: one pass over one log. It first notes the latest offset of each key in the dirty part, as far as memory
// allows; then it writes the remaining records of each group of segments beside them. It replaces no file: the writer
// does. Cleaner thread, or in-process. Semantics, Kafka's: docs/formats/cleaning.md

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
  /** Base offset of the next segment. */
  readonly endOffset: number
  readonly sizeBytes: number
  readonly abortedCount: number
  /** Offsets may be missing between the segment's batches. */
  readonly isSparse: boolean
}

/** A pass's view of a log. Bytes, ms. */
export interface Pass {
  /** Path of the partition's directory. */
  readonly path: string
  /** The segments of the dirty part, ascending. */
  readonly dirty: readonly SourceSegment[]
  readonly logStartOffset: number
  /** Everything before this offset has been compacted. */
  readonly firstDirtyOffset: number
  /** Aborted transactions with a batch or a marker in the segments of the pass. */
  readonly aborted: readonly Aborted[]
  /** Aborted transactions whose marker is in the dirty part or later. */
  readonly abortedInDirty: readonly Aborted[]
  readonly producers: readonly LastBatch[]
  /** An unreadable range may hold records of an aborted transaction: then its marker must stay. */
  readonly keepsMarkers: boolean
  readonly nowMs: number
  readonly deleteRetentionMs: number
  readonly indexIntervalBytes: number
  readonly segmentBytesMax: number
  readonly keyMapBytesMax: number
}

/** The last batch of a live producer: without it the producer's next batch would look like a gap. */
export interface LastBatch {
  readonly producerId: number
  readonly producerEpoch: number
  /** -1: the producer has written no batch in this epoch. */
  readonly lastSequence: number
}

export interface Mapped {
  /** The map covers offsets before this one: a record that is not the latest of its key goes. */
  readonly endOffset: number
  readonly keyCount: number
}

export interface Cleaned {
  /** How many source segments have become one. */
  readonly segmentCount: number
  /** undefined: the segment stays as it is. */
  readonly segment: SegmentStart | undefined
  readonly recordsDropped: number
}

/** A group of segments that become one. */
interface Group {
  readonly target: CleanedSegment
  droppedCount: number
  isChanged: boolean
  /** The last batch without its records, if no batch of the last segment stays. */
  lastBatch: Uint8Array | undefined
}

export interface CompactorDeps {
  readonly fs: Fs
  /** Four random words. */
  readonly seed: Uint32Array
  /** Called for every piece read or written; it may block. */
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

  /** The first step. @throws {Error} when a segment cannot be read */
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

  /** @returns the offset of the first record for which the map has no room */
  #note({ bytes, header }: ReadBatch, transactions: TransactionFilter): number | undefined {
    if (header.isControl) {
      transactions.isMarkerOfNothing(bytes, header)
      return undefined
    }
    if (transactions.isAborted(header)) return undefined
    try {
      return this.#noteRecords(header, sectionOf(bytes, header))
    } catch (error) {
      if (error instanceof KafkaError) return undefined // an unreadable batch is kept as it is
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
   * The second step, repeated: turns as many neighbours as surely fit into one segment.
   *
   * @param segments the rest of the log, ascending; at least one
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
      // The file itself tells where the log ends, if necessary by a batch without records.
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
    /** Markers that still end a transaction. */
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
      if (error instanceof KafkaError) return 'all' // unreadable
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
