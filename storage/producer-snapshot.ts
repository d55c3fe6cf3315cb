// Snapshots of the state of a partition's producers: `<offset>.snapshot`, as it was before that offset, so that a start reads
// only the batches behind it. They are never needed: the batches say it all. Writer thread; the cleaner may read them.
// Format: docs/formats/producer-state.md

import { join } from 'node:path'
import { Packr } from 'msgpackr/pack'
import { int32At, putInt32 } from '../protocol/batch/header.ts'
import { crc32c } from '../protocol/crc32c.ts'
import { isRefusal } from './disk-failure.ts'
import type { Fs } from './fs.ts'
import { snapshotFile } from './layout.ts'
import type { KeptBatch, Producer } from './producer-state.ts'
import { readBytes, replaceBytes } from './text-file.ts'

const VERSION = 1
/** A checkpoint comes with a snapshot when so much of log lies behind the last: so thousands of logs cost it little. */
const DUE_BYTES = 64 * 1024
const CRC_BYTES = 4

// Plain maps, which any msgpack reader knows.
const packr = new Packr({ useRecords: false })

export interface ProducerSnapshot {
  /** Every batch before it has been taken in, and none behind. */
  readonly offset: number
  /** Where the batch with that offset lies, or will. */
  readonly segmentBaseOffset: number
  readonly position: number
  readonly producers: readonly (readonly [producerId: number, Producer])[]
}

type BatchFields = [number, number, number, number, number]
type ProducerFields = [number, number, number, number, number, number, BatchFields[]]

interface Content {
  readonly version: number
  readonly offset: number
  readonly segmentBaseOffset: number
  readonly position: number
  readonly producers: readonly ProducerFields[]
}

export function encodeSnapshot(snapshot: ProducerSnapshot): Uint8Array {
  const producers = snapshot.producers.map(([id, producer]): ProducerFields => [
    id,
    producer.producerEpoch,
    producer.coordinatorEpoch,
    producer.timestampMs,
    producer.txnFirstOffset,
    producer.seenMs,
    producer.batches.map((batch): BatchFields => [
      batch.firstSequence,
      batch.lastSequence,
      batch.baseOffset,
      batch.lastOffset,
      batch.timestampMs,
    ]),
  ])
  const content: Content = { version: VERSION, ...snapshot, producers }
  const packed = packr.pack(content)
  const bytes = Buffer.alloc(CRC_BYTES + packed.length)
  bytes.set(packed, CRC_BYTES)
  putInt32(bytes, 0, crc32c(packed))
  return bytes
}

/** @returns undefined when the bytes are damaged, of another version or of another offset */
export function decodeSnapshot(bytes: Uint8Array, offset: number): ProducerSnapshot | undefined {
  if (bytes.length <= CRC_BYTES) return undefined
  if (crc32c(bytes, CRC_BYTES) !== int32At(bytes, 0) >>> 0) return undefined
  const content = packr.unpack(bytes.subarray(CRC_BYTES)) as Content
  if (content.version !== VERSION || content.offset !== offset) return undefined
  const { segmentBaseOffset, position } = content
  const producers = content.producers.map(producerOf)
  return { offset, segmentBaseOffset, position, producers }
}

function producerOf(fields: ProducerFields): [producerId: number, Producer] {
  const [producerId, producerEpoch, coordinatorEpoch, timestampMs, ...rest] = fields
  const [txnFirstOffset, seenMs, batchFields] = rest
  const batches = batchFields.map(
    ([firstSequence, lastSequence, baseOffset, lastOffset, time]): KeptBatch => {
      return { firstSequence, lastSequence, baseOffset, lastOffset, timestampMs: time }
    },
  )
  const times = { timestampMs, txnFirstOffset, seenMs }
  return [producerId, { producerEpoch, coordinatorEpoch, batches, ...times }]
}

/** The snapshot files of one partition. */
export class ProducerSnapshots {
  readonly #fs: Fs
  readonly #path: string
  /** Of log, behind the newest. */
  bytesBehind = 0
  /** Ascending. */
  #offsets: number[]
  /** The newest when the last recovery checkpoint was taken: a start goes on from there. */
  #pinned: number | undefined

  /** @param offsets of the files that there are. @param path of the partition */
  constructor(fs: Fs, path: string, offsets: readonly number[]) {
    this.#fs = fs
    this.#path = path
    this.#offsets = [...offsets].sort((a, b) => a - b)
  }

  get newestOffset(): number {
    return this.#offsets.at(-1) ?? -1
  }

  get isDue(): boolean {
    return this.bytesBehind >= DUE_BYTES
  }

  /** Without room on the disk there is none. Not synced: one that is lost or torn is passed over. */
  write(snapshot: ProducerSnapshot): void {
    const { offset } = snapshot
    try {
      replaceBytes(this.#fs, this.#path, snapshotFile(offset), encodeSnapshot(snapshot), {
        isDurable: false,
      })
      if (offset > this.newestOffset) this.#offsets.push(offset)
      this.bytesBehind = 0
      this.#removeOld()
    } catch (error) {
      if (!isRefusal(error)) throw error
    }
  }

  /** A recovery checkpoint is being written, that says nothing of what came before. */
  pin(): void {
    this.#pinned = this.#offsets.at(-1)
  }

  /** @returns undefined when the file is damaged */
  read(offset: number): ProducerSnapshot | undefined {
    const bytes = readBytes(this.#fs, join(this.#path, snapshotFile(offset)))
    return bytes && decodeSnapshot(bytes, offset)
  }

  /** Offsets of those at or before `offset`, newest first. */
  upTo(offset: number): number[] {
    return this.#offsets.filter((each) => each <= offset).reverse()
  }

  /** Two stay: the newest, and the pinned one or the one before. */
  #removeOld(): void {
    const newest = this.newestOffset
    const older = this.#offsets.slice(0, -1)
    const second = older.includes(this.#pinned ?? -1) ? this.#pinned : older.at(-1)
    const isKept = (offset: number) => offset === newest || offset === second
    for (const offset of this.#offsets) if (!isKept(offset)) this.#remove(offset)
    this.#offsets = this.#offsets.filter(isKept)
  }

  #remove(offset: number): void {
    this.#fs.removeFile(join(this.#path, snapshotFile(offset)))
  }

  /** Of records that are not there (any more). @returns whether there was one */
  removeBehind(endOffset: number): boolean {
    const behind = this.#offsets.filter((offset) => offset > endOffset)
    for (const offset of behind) this.discard(offset)
    return behind.length > 0
  }

  discard(offset: number): void {
    this.#remove(offset)
    this.#offsets = this.#offsets.filter((each) => each !== offset)
  }
}
