// Reads as a consumer does: batches from bytes, and from those the records that read_committed leaves. Tests only.

import { readEndMarker } from '../../../protocol/batch/control.ts'
import { batchesOf, recordsOf } from '../../../protocol/batch/record.ts'
import type { Batch, SeenRecord } from '../checker/history.ts'

const DECOMPRESSED_BYTES_MAX = 1024 * 1024

/** A batch with facts that the history does not need. */
export interface ReadBatch extends Batch {
  readonly isTransactional: boolean
}

export function readBatches(bytes: Uint8Array | null): ReadBatch[] {
  if (bytes === null) return []
  return Array.from(batchesOf(bytes), ({ at, header }) => {
    const { baseOffset, producerId, producerEpoch, baseSequence, isTransactional } = header
    const limits = { decompressedBytesMax: DECOMPRESSED_BYTES_MAX }
    const control = header.isControl ? readEndMarker(bytes, at, header)!.kind : null
    const records = control === null ? recordsOf(bytes, at, header, limits) : []
    return {
      baseOffset,
      lastOffset: baseOffset + header.lastOffsetDelta,
      producerId,
      producerEpoch,
      baseSequence,
      isTransactional,
      control,
      values: Array.from(records, ({ value }) => value!.toString()),
    }
  })
}

/** The records that an application gets. @param aborted the broker's list; empty for read_uncommitted */
export function visibleRecords(
  batches: readonly ReadBatch[],
  aborted: readonly { readonly producerId: number; readonly firstOffset: number }[],
  from: number,
): SeenRecord[] {
  const ahead = [...aborted].sort((one, other) => one.firstOffset - other.firstOffset)
  const skipped = new Set<number>()
  const records: SeenRecord[] = []
  for (const { baseOffset, lastOffset, producerId, isTransactional, control, values } of batches) {
    while (ahead.length > 0 && ahead[0]!.firstOffset <= lastOffset)
      skipped.add(ahead.shift()!.producerId)
    if (control === 'abort') skipped.delete(producerId)
    if (control !== null || (isTransactional && skipped.has(producerId))) continue
    for (const [i, value] of values.entries()) {
      if (baseOffset + i >= from) records.push({ offset: baseOffset + i, value })
    }
  }
  return records
}
