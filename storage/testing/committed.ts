// Reads a log as a consumer of committed records does. Tests only.

import { readEndMarker } from '../../protocol/batch/control.ts'
import { batchesOf, recordsOf } from '../../protocol/batch/record.ts'
import { Offset } from '../../protocol/ids.ts'
import type { Log, Reader } from '../store.ts'

export interface CommittedRecord {
  readonly key: string | undefined
  readonly value: string | undefined
}

/** Skips a producer's records from the start of its aborted transaction to its ABORT marker, as clients do. */
export async function readCommitted(
  reader: Reader,
  log: Log,
  bytesMax: number,
): Promise<Map<number, CommittedRecord>> {
  const seen = new Map<number, CommittedRecord>()
  for (let from = log.logStartOffset as number; from < log.lastStableOffset;) {
    const read = await reader.read(log, Offset(from), {
      bytesMax,
      atLeastOne: true,
      endOffset: log.lastStableOffset,
    })
    const batches = [...batchesOf(read.bytes)]
    const { header: last } = batches.at(-1)!
    const next = last.baseOffset + last.lastOffsetDelta + 1
    const aborted = [...(await reader.abortedTransactions(log, Offset(from), Offset(next)))]
    aborted.sort((a, b) => a.firstOffset - b.firstOffset)
    const skipping = new Set<number>()
    for (const { at, header } of batches) {
      while (aborted[0] && aborted[0].firstOffset <= header.baseOffset + header.lastOffsetDelta) {
        skipping.add(aborted.shift()!.producerId)
      }
      if (header.isControl) {
        if (readEndMarker(read.bytes, at, header)?.kind === 'abort')
          skipping.delete(header.producerId)
        continue
      }
      if (header.isTransactional && skipping.has(header.producerId)) continue
      for (const { offset, key, value } of recordsOf(read.bytes, at, header, {
        decompressedBytesMax: 0,
      })) {
        if (offset >= from) seen.set(offset, { key: key?.toString(), value: value?.toString() })
      }
    }
    read.release()
    from = next
  }
  return seen
}
