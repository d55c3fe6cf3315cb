// Replay: reads a table's log into its state at a start. No damage in the log prevents the start: unreadable records
// are skipped and reported. Network thread.

import { readEndMarker } from '../../protocol/batch/control.ts'
import {
  attributesOf,
  CONTROL_BIT,
  producerIdOf,
  type BatchHeader,
} from '../../protocol/batch/header.ts'
import { recordsOf, type RecordView } from '../../protocol/batch/record.ts'
import type { SegmentView } from '../read/batch-walk.ts'
import type { Fs } from '../fs.ts'
import type { LogView } from '../read/log-view.ts'
import type { DecodedRecord, RecordFormat, TableProducer } from '../record-format.ts'
import { TableLosses } from './table-losses.ts'
import {
  damagedBatches,
  DECOMPRESSED_BYTES_MAX,
  rangesOf,
  readableKeys,
  type TableRange,
} from './table-scan.ts'
import type { TableState } from './table-state.ts'

export interface ReplayDeps {
  readonly fs: Fs
  readonly log: LogView
}

/** A record of an earlier release, as it lies in the log. */
export interface OldRecord<Key extends string> {
  readonly rawKey: Buffer
  readonly key: Key
  readonly producer: TableProducer | undefined
}

export interface Replayed<Key extends string> {
  readonly old: readonly OldRecord<Key>[]
  readonly losses: TableLosses
}

export async function replay<Key extends string, Value>(
  { fs, log }: ReplayDeps,
  format: RecordFormat<Key, Value>,
  state: TableState<Key, Value>,
): Promise<Replayed<Key>> {
  const name = `${log.topic.name}-${log.partition}`
  const reading = new TableReplay(name, format, state, log.logStartOffset)
  for (const { startOffset, endOffset, startPosition, endPosition } of log.quarantined) {
    if (startPosition === endPosition) reading.losses.noteDamage(startOffset, endOffset, 'gone')
  }
  const files = await openSegments(fs, log)
  try {
    for (const [i, { segment, fd }] of files.entries()) {
      const end = files[i + 1]?.segment.baseOffset ?? log.highWatermark
      reading.segment(bytesOf(fs, fd, segment), { start: segment.baseOffset, end })
    }
  } finally {
    for (const { fd } of files) fs.close(fd)
  }
  return { old: [...reading.old.values()], losses: reading.losses }
}

/** Opens all at once, while the writer replaces none; open files stay valid. */
async function openSegments(fs: Fs, log: LogView) {
  for (;;) {
    const swap = log.segments.find((segment) => segment.swap !== undefined)?.swap
    if (swap === undefined) break
    await swap
  }
  return log.segments.map((segment) => ({ segment, fd: fs.open(`${segment.path}.log`, 'read') }))
}

function bytesOf(fs: Fs, fd: number, { endPosition }: SegmentView): Buffer {
  const bytes = Buffer.allocUnsafe(endPosition)
  return bytes.subarray(0, fs.read(fd, bytes, 0))
}

class TableReplay<Key extends string, Value> {
  readonly losses: TableLosses
  /** By raw key: old records that no later record has replaced. */
  readonly old = new Map<string, OldRecord<Key>>()
  readonly #format: RecordFormat<Key, Value>
  readonly #state: TableState<Key, Value>
  readonly #from: number
  /** The last record deleted an old record: the next one of the batch is its rewritten copy. */
  #isCopyNext = false

  constructor(
    name: string,
    format: RecordFormat<Key, Value>,
    state: TableState<Key, Value>,
    from: number,
  ) {
    this.losses = new TableLosses(name)
    this.#format = format
    this.#state = state
    this.#from = from
  }

  segment(bytes: Buffer, offsets: { readonly start: number; readonly end: number }): void {
    let before: TableRange | undefined
    for (const range of rangesOf(bytes, offsets)) {
      if (before?.kind === 'damage') this.#damage(bytes, before, range.offset)
      if (range.kind === 'batch') this.#batch(bytes, range)
      before = range
    }
    if (before?.kind === 'damage') this.#damage(bytes, before, offsets.end)
  }

  #batch(bytes: Buffer, { at, header, offset }: TableRange & { readonly kind: 'batch' }): void {
    if (offset + header.lastOffsetDelta < this.#from) return
    try {
      if (header.isControl) return this.#control(bytes, at, header)
      const bounds = { decompressedBytesMax: DECOMPRESSED_BYTES_MAX }
      this.#isCopyNext = false
      for (const record of recordsOf(bytes, at, header, bounds)) {
        this.#record(record, header, offset + record.offset - header.baseOffset)
      }
    } catch (error) {
      this.losses.noteGarbage(offset, null, error)
    }
  }

  /** A control record that ends no transaction means nothing to a table. */
  #control(bytes: Buffer, at: number, header: BatchHeader): void {
    const marker = readEndMarker(bytes, at, header)
    if (marker) this.#state.end(header.producerId, marker.kind === 'commit')
  }

  #record({ key, value }: RecordView, header: BatchHeader, offset: number): void {
    if (offset < this.#from) return
    try {
      if (key === null) throw new Error('every record of a table has a key')
      const decoded = this.#format.decode(key, value)
      if (decoded === undefined) return this.losses.noteOtherKind(offset, key)
      this.losses.noteFresh(decoded.key)
      if (decoded.isOld) this.#takeOld(key, decoded, offset)
      else if (header.isTransactional) this.#takePending(header.producerId, decoded, offset)
      else if (this.#isCopyNext) this.#state.setAlone(decoded.key, decoded.value)
      else this.#state.set(decoded.key, decoded.value, offset)
      this.#isCopyNext = decoded.isOld === true && value === null
    } catch (error) {
      this.losses.noteGarbage(offset, key, error)
    }
  }

  /** A coordinator deletes nothing in a transaction. */
  #takePending(
    producerId: number,
    { key, value }: DecodedRecord<Key, Value>,
    offset: number,
  ): void {
    if (value === undefined) this.#state.set(key, undefined, offset)
    else this.#state.setPending(producerId, key, value, offset)
  }

  #takeOld(
    rawKey: Buffer,
    { key, value, producer }: DecodedRecord<Key, Value>,
    offset: number,
  ): void {
    const id = rawKey.toString('latin1')
    if (value === undefined) this.old.delete(id)
    else this.old.set(id, { rawKey: Buffer.from(rawKey), key, producer })
    if (producer === undefined) this.#state.setAlone(key, value)
    else if (value === undefined) this.#state.dropPending(producer.producerId, key)
    else this.#state.setPending(producer.producerId, key, value, offset)
  }

  #damage(
    bytes: Buffer,
    { at, end, offset }: TableRange & { readonly kind: 'damage' },
    nextOffset: number,
  ): void {
    if (nextOffset <= this.#from) return
    this.losses.noteDamage(offset, nextOffset, `${end - at} bytes`)
    for (const batch of damagedBatches(bytes, { at, end })) this.#noteLost(bytes, batch)
  }

  /** Notes the lost keys, as far as they are readable. */
  #noteLost(bytes: Buffer, { at, end }: { readonly at: number; readonly end: number }): void {
    if ((attributesOf(bytes, at) & CONTROL_BIT) !== 0) {
      return this.losses.noteEnd(producerIdOf(bytes, at))
    }
    for (const key of readableKeys(bytes.subarray(at, end))) {
      const stale = this.#keyOf(key)
      if (stale !== undefined) this.losses.noteStale(stale)
    }
  }

  #keyOf(key: Buffer): Key | undefined {
    try {
      return this.#format.decode(key, null)?.key
    } catch {
      return undefined // damaged too
    }
  }
}
