// Recovery of a log's producers: the newest sound snapshot and the batches behind it; without one, the whole log. It
// also rebuilds missing or damaged entries of the transaction indexes. Writer thread, at start, after the segments.
// See docs/formats/producer-state.md

import type { Clock } from '../clock.ts'
import { syncOrDie } from '../disk-failure.ts'
import type { Fs } from '../fs.ts'
import { parseSnapshotFile } from '../layout.ts'
import { type Place, ProducerSnapshots } from '../producers/producer-snapshot.ts'
import { type ProducerLimits, ProducerState } from '../producers/producer-state.ts'
import type { Quarantined } from '../log-facts.ts'
import type { LogCheckpoint } from './recovery-checkpoint.ts'
import { SegmentScan } from './segment-scan.ts'
import type { RecoveredSegment } from './recovered-segment.ts'

export interface ProducerRecoveryDeps {
  readonly fs: Fs
  readonly clock: Clock
  /** Path of the partition's directory. */
  readonly path: string
  readonly limits: ProducerLimits
  readonly checkpoint: LogCheckpoint | undefined
  /** Recovered, ascending, the last one active. */
  readonly segments: readonly RecoveredSegment[]
  readonly quarantined: readonly Quarantined[]
}

export interface RecoveredProducers {
  readonly state: ProducerState
  readonly snapshots: ProducerSnapshots
}

/** The state of the producers at an offset. */
interface Start {
  readonly offset: number
  readonly state: ProducerState
  /** A hint: a segment may have been compacted since. */
  readonly place: Place | undefined
}

export function recoverProducers(deps: ProducerRecoveryDeps): RecoveredProducers {
  return new ProducerRecovery(deps).run()
}

class ProducerRecovery {
  readonly #deps: ProducerRecoveryDeps
  readonly #snapshots: ProducerSnapshots

  constructor(deps: ProducerRecoveryDeps) {
    this.#deps = deps
    const { fs, path, checkpoint } = deps
    const isPlain = checkpoint?.isClosed === true && checkpoint.hasProducers === false
    const names = isPlain ? [] : fs.readDirectory(path) // no look at the directory for most logs: there may be thousands
    const offsets = names.flatMap(({ name }) => parseSnapshotFile(name) ?? [])
    this.#snapshots = new ProducerSnapshots(fs, path, offsets)
  }

  run(): RecoveredProducers {
    const { fs, path, segments, clock } = this.#deps
    const { endOffset } = segments.at(-1)!
    if (this.#snapshots.removeBehind(endOffset)) syncOrDie(path, () => fs.syncDirectory(path))
    const indexed = segments.map((segment) => segment.soundTxnIndexEnd())
    const start = this.#startBefore(Math.min(endOffset, ...unfinished(segments, indexed)))
    for (const [i, segment] of segments.entries()) {
      if (segment.endOffset > start.offset) this.#read(i, start, indexed[i]!)
      if (indexed[i]! < segment.endOffset) segment.finishTxnIndex(i < segments.length - 1)
    }
    start.state.expire(clock.now())
    return { state: start.state, snapshots: this.#snapshots }
  }

  /** The latest known state at or before `offset`. */
  #startBefore(offset: number): Start {
    const { limits, checkpoint, segments } = this.#deps
    // Up to the checkpoint no producer with an id had written.
    const plainEnd = checkpoint?.hasProducers === false ? checkpoint.durableOffset : -1
    const plain = Math.min(plainEnd, offset)
    for (const each of this.#snapshots.upTo(offset)) {
      if (each <= plain) break
      const snapshot = this.#snapshots.read(each)
      if (!snapshot) {
        this.#snapshots.discard(each)
        continue
      }
      const state = new ProducerState(limits, snapshot.producers)
      return { offset: each, state, place: snapshot.place }
    }
    const known = checkpoint?.segments.find(({ endOffset }) => endOffset === plain)
    return {
      offset: Math.max(plain, segments[0]!.baseOffset),
      state: new ProducerState(limits),
      place: known && { segmentBaseOffset: known.baseOffset, position: known.sizeBytes },
    }
  }

  #read(index: number, start: Start, indexedTo: number): void {
    const { fs, segments } = this.#deps
    const recovered = segments[index]!
    const { segment } = recovered
    const next = segments[index + 1]
    const fd = fs.open(segment.path, 'read')
    try {
      const scan = new SegmentScan(fs, fd, {
        sizeBytes: segment.sizeBytes,
        offsetMax: next?.baseOffset ?? Infinity,
        isSparse: true, // recovery has found all gaps already
        epochAt: () => undefined,
      })
      for (const found of batchesSince(scan, recovered, start)) {
        if (found.kind !== 'batch' || found.baseOffset < start.offset) continue
        this.#snapshots.bytesBehind += found.sizeBytes
        if (this.#isQuarantined(found.baseOffset)) continue
        const aborted = start.state.replay(found, this.#deps.clock.now())
        if (aborted && found.baseOffset >= indexedTo) recovered.noteAborted(aborted)
      }
    } finally {
      fs.close(fd)
    }
  }

  #isQuarantined(offset: number): boolean {
    return this.#deps.quarantined.some(
      ({ startOffset, endOffset }) => startOffset <= offset && offset < endOffset,
    )
  }
}

/** The batches of a segment from the one at `start` on, or from an earlier one. */
function batchesSince(
  scan: SegmentScan,
  { baseOffset }: RecoveredSegment,
  { offset, place }: Start,
): ReturnType<SegmentScan['from']> {
  if (place?.segmentBaseOffset === baseOffset) {
    const first = scan.from(place.position, offset).next().value
    if (first?.kind === 'batch' && first.baseOffset === offset)
      return scan.from(place.position, offset)
  }
  return scan.from(0, baseOffset)
}

function unfinished(segments: readonly RecoveredSegment[], indexed: readonly number[]): number[] {
  return indexed.filter((offset, i) => offset < segments[i]!.endOffset)
}
