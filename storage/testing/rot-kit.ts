// Shared by tests of rot: a log's batches before the damage, and what a reader gets afterwards. Tests only.

import { batchesOf } from '../../protocol/batch/record.ts'
import { KafkaError } from '../../protocol/errors.ts'
import { Offset } from '../../protocol/ids.ts'
import type { Log, Reader } from '../store.ts'

export interface SeenBatch {
  readonly baseOffset: number
  readonly lastOffset: number
  readonly bytes: Uint8Array
}

/** The result of a reader that goes over every offset, and one step further after each refusal. */
export interface Seen {
  readonly batches: readonly SeenBatch[]
  /** Offset -> error code of the refusal. */
  readonly refused: ReadonlyMap<number, string>
}

export async function seenIn(reader: Reader, log: Log, bytesMax = 16 * 1024): Promise<Seen> {
  const batches: SeenBatch[] = []
  const refused = new Map<number, string>()
  for (let offset: number = log.logStartOffset; offset < log.highWatermark;) {
    try {
      const read = await reader.read(log, Offset(offset), { bytesMax, atLeastOne: true })
      if (read.bytes.length === 0) break
      for (const { at, header } of batchesOf(read.bytes)) {
        const { baseOffset, lastOffsetDelta, sizeBytes } = header
        const bytes = Uint8Array.prototype.slice.call(read.bytes, at, at + sizeBytes)
        batches.push({ baseOffset, lastOffset: baseOffset + lastOffsetDelta, bytes })
      }
      read.release()
      offset = Math.max(offset, batches.at(-1)!.lastOffset) + 1
    } catch (error) {
      if (!(error instanceof KafkaError)) throw error
      refused.set(offset, error.code)
      offset++
    }
  }
  return { batches, refused }
}

/**
 * Compares a reader's result with the undamaged log.
 *
 * @param before the batches of the undamaged log
 * @returns what no reader may see: a batch that was never written, or records that are missing without an error
 */
export function liesIn(before: readonly SeenBatch[], { batches, refused }: Seen): string[] {
  const byBase = new Map(before.map((batch) => [batch.baseOffset, batch]))
  const lies: string[] = []
  const served = new Set<SeenBatch>()
  let last = -1
  for (const { baseOffset, lastOffset, bytes } of batches) {
    const truth = byBase.get(baseOffset)
    if (truth && Buffer.compare(truth.bytes, bytes) === 0) served.add(truth)
    else lies.push(`wrong bytes at ${baseOffset} to ${lastOffset}`)
    if (baseOffset <= last) lies.push(`${baseOffset} comes after ${last}`)
    last = lastOffset
  }
  for (const batch of before) {
    const { baseOffset, lastOffset } = batch
    if (!served.has(batch) && !isRefused(refused, baseOffset, lastOffset))
      lies.push(`${baseOffset} to ${lastOffset} are missing without a word`)
  }
  return lies
}

/** Offsets of batches that the log no longer serves. */
export function lostIn(before: readonly SeenBatch[], { batches }: Seen): number[] {
  const served = new Set(batches.map(({ baseOffset }) => baseOffset))
  return before.map(({ baseOffset }) => baseOffset).filter((offset) => !served.has(offset))
}

function isRefused(refused: ReadonlyMap<number, string>, from: number, to: number): boolean {
  for (let offset = from; offset <= to; offset++) if (refused.has(offset)) return true
  return false
}
