// KeyedLog: drives a compacted log, remembers every acknowledged record, and checks readers against it. Tests only.

import { strict as assert } from 'node:assert'
import { BatchBuilder, type FinishOptions } from '../../protocol/batch/build.ts'
import { readEndMarker } from '../../protocol/batch/control.ts'
import type { BatchHeader } from '../../protocol/batch/header.ts'
import { batchesOf, recordsOf } from '../../protocol/batch/record.ts'
import type { Codec } from '../../protocol/compression/index.ts'
import { Offset } from '../../protocol/ids.ts'
import type { Log, Reader, Store } from '../store.ts'

export interface KeyedRecord {
  readonly key: string
  /** Null deletes the key. */
  readonly value: string | null
  readonly timestamp: number
}

export interface PlacedRecord extends KeyedRecord {
  readonly offset: number
}

export function keyedBatch(
  records: readonly KeyedRecord[],
  options: FinishOptions = {},
): Uint8Array {
  const builder = new BatchBuilder()
  for (const { key, value, timestamp } of records) {
    builder.append({
      timestamp,
      key: Buffer.from(key),
      value: value === null ? null : Buffer.from(value),
    })
  }
  return builder.finish(options)
}

/** The log from `from` on as a consumer reads it, batches without records included. */
export async function readKeyed(
  reader: Reader,
  log: Log,
  from = 0,
  bytesMax = 1024 * 1024,
): Promise<PlacedRecord[]> {
  const records: PlacedRecord[] = []
  for (let next = from; next < log.highWatermark;) {
    const read = await reader.read(log, Offset(next), { bytesMax, atLeastOne: true })
    assert(read.bytes.length > 0, `something is there from ${next} to ${log.highWatermark}`)
    for (const { at, header } of batchesOf(read.bytes)) {
      const lastOffset = header.baseOffset + header.lastOffsetDelta
      assert(lastOffset >= next, `a batch that ends at ${lastOffset} is no answer to ${next}`)
      if (!header.isControl) records.push(...recordsIn(read.bytes, at, header, next))
      next = lastOffset + 1
    }
    read.release()
  }
  return records
}

/** The log as a consumer of committed records reads it; every transaction has ended. */
export async function readCommitted(reader: Reader, log: Log): Promise<PlacedRecord[]> {
  const records: PlacedRecord[] = []
  for (let next: number = log.logStartOffset; next < log.highWatermark;) {
    const read = await reader.read(log, Offset(next), { bytesMax: 1024 * 1024, atLeastOne: true })
    const batches = [...batchesOf(read.bytes)]
    const { header: last } = batches.at(-1)!
    const endOffset = last.baseOffset + last.lastOffsetDelta + 1
    const aborted = new Set<number>()
    const waiting = [...(await reader.abortedTransactions(log, Offset(next), Offset(endOffset)))]
    waiting.sort((one, other) => one.firstOffset - other.firstOffset)
    for (const { at, header } of batches) {
      const lastOffset = header.baseOffset + header.lastOffsetDelta
      while (waiting[0] && waiting[0].firstOffset <= lastOffset)
        aborted.add(waiting.shift()!.producerId)
      const ends = header.isControl && readEndMarker(read.bytes, at, header)?.kind === 'abort'
      if (ends) aborted.delete(header.producerId)
      const isHidden =
        header.isControl || (header.isTransactional && aborted.has(header.producerId))
      if (!isHidden) records.push(...recordsIn(read.bytes, at, header, next))
    }
    read.release()
    next = endOffset
  }
  return records
}

function recordsIn(
  bytes: Uint8Array,
  at: number,
  header: BatchHeader,
  from: number,
): PlacedRecord[] {
  const records = recordsOf(bytes, at, header, { decompressedBytesMax: 1 << 20 })
  return Array.from(records, placed).filter(({ offset }) => offset >= from)
}

function placed(record: {
  offset: number
  timestamp: number
  key: Buffer | null
  value: Buffer | null
}): PlacedRecord {
  const { offset, timestamp, key, value } = record
  return {
    offset,
    timestamp,
    key: key!.toString(),
    value: value === null ? null : value.toString(),
  }
}

export class KeyedLog {
  /** Every acknowledged record, by offset. */
  readonly written = new Map<number, KeyedRecord>()
  /** The offset of each key's latest record. */
  readonly latest = new Map<string, number>()

  async append(
    store: Store,
    log: Log,
    records: readonly KeyedRecord[],
    codec: Codec,
  ): Promise<void> {
    const { error, message, baseOffset } = await store.writer.append(
      log,
      keyedBatch(records, { codec }),
    )
    if (error) throw new Error(`${error}: ${message}`)
    this.note(records, baseOffset)
  }

  note(records: readonly KeyedRecord[], baseOffset: number): void {
    for (const [i, record] of records.entries()) {
      this.written.set(baseOffset + i, record)
      const known = this.latest.get(record.key) ?? -1
      this.latest.set(record.key, Math.max(known, baseOffset + i))
    }
  }

  /** @returns the flaws in what a reader from `from` on saw; empty: none */
  flaws(seen: readonly PlacedRecord[], from = 0, endOffset = Infinity): string[] {
    const flaws: string[] = []
    let last = from - 1
    for (const { offset, ...record } of seen) {
      if (offset <= last) flaws.push(`offset ${offset} comes after ${last}`)
      last = offset
      const was = this.written.get(offset)
      if (
        JSON.stringify([was?.key, was?.value, was?.timestamp]) !==
        JSON.stringify([record.key, record.value, record.timestamp])
      )
        flaws.push(`offset ${offset} is ${JSON.stringify(record)}, not ${JSON.stringify(was)}`)
    }
    const offsets = new Set(seen.map(({ offset }) => offset))
    for (const [key, offset] of this.latest) {
      const isDue = offset >= from && offset < endOffset && this.written.get(offset)!.value !== null
      if (isDue && !offsets.has(offset)) flaws.push(`the latest of ${key}, at ${offset}, is gone`)
    }
    return flaws
  }
}
