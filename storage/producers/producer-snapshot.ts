// Snapshots of the state of a partition's producers: `<offset>.snapshot` holds the state before that offset, so that
// a start reads only the later batches. A start can do without, because the batches hold the same facts. Writer
// thread; the cleaner may read them. Format: docs/formats/producer-state.md

import { join } from 'node:path'
import { int16At, int32At, putInt32 } from '../../protocol/batch/header.ts'
import { decode, encode } from '../../protocol/compile.ts'
import { crc32c } from '../../protocol/crc32c.ts'
import { KafkaError } from '../../protocol/errors.ts'
import {
  PRODUCER_SNAPSHOT_VERSION,
  producerSnapshot,
  producerSnapshotRest,
} from '../../protocol/kept/producer-snapshot.ts'
import type { Decoded } from '../../protocol/schema.ts'
import { Reader, Writer } from '../../protocol/wire.ts'
import { isRefusal } from '../disk-failure.ts'
import type { Fs } from '../fs.ts'
import { snapshotFile } from '../layout.ts'
import { sequenceBefore } from '../../protocol/batch/sequence.ts'
import type { KeptBatch, Producer } from './producer-state.ts'
import { unpack } from '../packed.ts'
import { readBytes, replaceBytes } from '../text-file.ts'

const REST_VERSION = 1
/**
 * A checkpoint writes a snapshot only if this much log lies behind the last one: so a checkpoint of thousands of logs
 * stays cheap.
 */
const DUE_BYTES = 64 * 1024
const CRC_AT = 2
const CRC_END = 6
const NONE = -1

/** The place of the batch with an offset, in the log or at its end. */
export interface Place {
  readonly segmentBaseOffset: number
  readonly position: number
}

export interface ProducerSnapshot {
  /** The state includes exactly the batches before it. */
  readonly offset: number
  /** undefined in a file of Kafka's. */
  readonly place: Place | undefined
  readonly producers: readonly (readonly [producerId: number, Producer])[]
}

type Written = ProducerSnapshot & { readonly place: Place }

export function encodeSnapshot({ offset, place, producers }: Written): Uint8Array {
  const writer = new Writer()
  writer.int16(PRODUCER_SNAPSHOT_VERSION)
  writer.int32(0) // the CRC
  const producerEntries = producers.map(([id, producer]) => entryOf(id, producer))
  encode(producerSnapshot, PRODUCER_SNAPSHOT_VERSION, writer, { producerEntries })
  const rest = producers.map(([, { seenMs, batches }]) => ({ seenMs, batches }))
  writer.int16(REST_VERSION)
  encode(producerSnapshotRest, REST_VERSION, writer, { offset, ...place, producers: rest })
  const bytes = Buffer.concat(writer.chunks())
  putInt32(bytes, CRC_AT, crc32c(bytes, CRC_END))
  return bytes
}

function entryOf(producerId: number, producer: Producer) {
  const { producerEpoch, coordinatorEpoch, timestampMs, txnFirstOffset, batches } = producer
  const last = batches.at(-1)
  return {
    producerId,
    epoch: producerEpoch,
    lastSequence: last?.lastSequence ?? NONE,
    lastOffset: last?.lastOffset ?? NONE,
    offsetDelta: last ? last.lastOffset - last.baseOffset : 0,
    timestamp: timestampMs,
    coordinatorEpoch,
    currentTxnFirstOffset: txnFirstOffset,
  }
}

/** @returns undefined for bytes that are damaged, or of another version or offset */
export function decodeSnapshot(bytes: Uint8Array, offset: number): ProducerSnapshot | undefined {
  if (bytes.length <= CRC_END) return undefined
  if (crc32c(bytes, CRC_END) !== int32At(bytes, CRC_AT) >>> 0) return decodeOld(bytes, offset)
  if (int16At(bytes, 0) !== PRODUCER_SNAPSHOT_VERSION) return undefined
  try {
    const reader = new Reader(bytes, CRC_END)
    const { producerEntries } = decode(producerSnapshot, PRODUCER_SNAPSHOT_VERSION, reader)
    if (reader.remaining === 0) {
      return { offset, place: undefined, producers: producerEntries.map(producerOf) }
    }
    if (reader.int16() !== REST_VERSION) return undefined
    const rest = decode(producerSnapshotRest, REST_VERSION, reader)
    if (rest.offset !== offset || rest.producers.length !== producerEntries.length) return undefined
    const { segmentBaseOffset, position } = rest
    const producers = producerEntries.map((entry, i) => withRest(entry, rest.producers[i]!))
    return { offset, place: { segmentBaseOffset, position }, producers }
  } catch (error) {
    if (error instanceof KafkaError) return undefined
    throw error
  }
}

type Entry = Decoded<typeof producerSnapshot>['producerEntries'][number]
type Rest = Decoded<typeof producerSnapshotRest>['producers'][number]

function withRest(entry: Entry, { seenMs, batches }: Rest): [producerId: number, Producer] {
  const [producerId, producer] = producerOf(entry)
  return [producerId, { ...producer, seenMs, batches }]
}

/** The producer of Kafka's entry, which has only the last batch. */
function producerOf(entry: Entry): [producerId: number, Producer] {
  const { lastSequence, lastOffset, offsetDelta, timestamp } = entry
  const batch: KeptBatch = {
    firstSequence: sequenceBefore(lastSequence, offsetDelta),
    lastSequence,
    baseOffset: lastOffset - offsetDelta,
    lastOffset,
    timestampMs: timestamp,
  }
  const producer = {
    producerEpoch: entry.epoch,
    coordinatorEpoch: entry.coordinatorEpoch,
    batches: lastOffset < 0 || lastSequence < 0 ? [] : [batch],
    timestampMs: timestamp,
    txnFirstOffset: entry.currentTxnFirstOffset,
    seenMs: timestamp,
  }
  return [entry.producerId, producer]
}

/** Reads the format of the first release: a CRC, then a msgpack map. */
function decodeOld(bytes: Uint8Array, offset: number): ProducerSnapshot | undefined {
  if (crc32c(bytes, 4) !== int32At(bytes, 0) >>> 0) return undefined
  const content = unpack(bytes.subarray(4)) as OldContent
  if (content.version !== 1 || content.offset !== offset) return undefined
  const { segmentBaseOffset, position } = content
  const place = { segmentBaseOffset, position }
  return { offset, place, producers: content.producers.map(oldProducerOf) }
}

type OldBatch = [number, number, number, number, number]
type OldProducer = [number, number, number, number, number, number, OldBatch[]]

interface OldContent {
  readonly version: number
  readonly offset: number
  readonly segmentBaseOffset: number
  readonly position: number
  readonly producers: readonly OldProducer[]
}

function oldProducerOf(fields: OldProducer): [producerId: number, Producer] {
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
  /** Bytes of log behind the newest snapshot. */
  bytesBehind = 0
  /** Ascending. */
  #offsets: number[]
  /** The newest snapshot at the last recovery checkpoint: a start resumes from it. */
  #pinned: number | undefined

  /** @param offsets of the existing files. @param path of the partition's directory */
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

  /** Writes a snapshot, unless the disk is full. Not synced: a start ignores a lost or torn one. */
  write(snapshot: Written): void {
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

  /** A recovery checkpoint is being written, which covers everything before now. */
  pin(): void {
    this.#pinned = this.#offsets.at(-1)
  }

  /** @returns undefined when the file is damaged */
  read(offset: number): ProducerSnapshot | undefined {
    const bytes = readBytes(this.#fs, join(this.#path, snapshotFile(offset)))
    return bytes && decodeSnapshot(bytes, offset)
  }

  /** Offsets of the snapshots at or before `offset`, newest first. */
  upTo(offset: number): number[] {
    return this.#offsets.filter((each) => each <= offset).reverse()
  }

  /** Keeps two: the newest, and the pinned one or else the one before. */
  #removeOld(): void {
    const newest = this.newestOffset
    const older = this.#offsets.slice(0, -1)
    const second = older.includes(this.#pinned ?? -1) ? this.#pinned : older.at(-1)
    const isKept = (offset: number) => offset === newest || offset === second
    for (const offset of this.#offsets) if (!isKept(offset)) this.#remove(offset)
    this.#offsets = this.#offsets.filter(isKept)
  }

  /** A missing file is fine: a start does without. */
  #remove(offset: number): void {
    const path = join(this.#path, snapshotFile(offset))
    if (this.#fs.stat(path)) this.#fs.removeFile(path)
  }

  /** Removes snapshots after the end of the log. @returns whether there was one */
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
