// Verifies the records of a table: each must have a key, and a value that its table understands. Read only. A start
// skips the records that this reports. Formats: docs/formats/tables.md, groups.md, transactions.md

import { batchesOf, recordsOf } from '../../protocol/batch/record.ts'
import { decodeConsumerOffsets } from '../../protocol/kept/consumer-offsets.ts'
import { decodeTransactionLog } from '../../protocol/kept/transaction-log.ts'
import type { Fs } from '../fs.ts'
import { metadataFormat } from '../tables/metadata.ts'
import { unpack } from '../packed.ts'
import { DECOMPRESSED_BYTES_MAX } from '../tables/table-scan.ts'
import { METADATA_TOPIC, OFFSETS_TOPIC } from '../topic-name.ts'
import { batchPlaces } from './batch-file.ts'
import type { SegmentToVerify } from './verify-indexes.ts'

export interface VerifiedTable {
  /** The metadata table's values. */
  readonly values: ReadonlyMap<string, unknown>
  /** The flaws of records, in words. */
  readonly flaws: readonly string[]
}

export function verifyTable(
  fs: Fs,
  segments: readonly SegmentToVerify[],
  topic: string,
): VerifiedTable {
  const values = new Map<string, unknown>()
  const flaws: string[] = []
  for (const { path, sizeBytes, bad } of segments) {
    const fd = fs.open(`${path}.log`, 'read')
    try {
      for (const place of batchPlaces(fs, fd, sizeBytes, bad)) {
        const bytes = Buffer.alloc(place.sizeBytes)
        fs.read(fd, bytes, place.position)
        flaws.push(...flawsIn(bytes, topic, values))
      }
    } finally {
      fs.close(fd)
    }
  }
  return { values, flaws }
}

/** @param values of the metadata table; changed */
function flawsIn(bytes: Uint8Array, topic: string, values: Map<string, unknown>): string[] {
  const flaws: string[] = []
  for (const { at, header } of batchesOf(bytes)) {
    if (header.isControl) continue
    let offset = header.baseOffset
    try {
      const bounds = { decompressedBytesMax: DECOMPRESSED_BYTES_MAX }
      for (const record of recordsOf(bytes, at, header, bounds)) {
        ;({ offset } = record)
        const { key, value } = record
        if (key === null) throw new Error('a record has no key')
        if (topic === METADATA_TOPIC) noteMetadata(key, value, values)
        else checkKafkas(topic, key, value)
      }
    } catch (error) {
      flaws.push(`offset ${offset}: ${(error as Error).message}`)
    }
  }
  return flaws
}

function noteMetadata(key: Buffer, value: Buffer | null, values: Map<string, unknown>): void {
  const decoded = metadataFormat.decode(key, value)
  if (decoded?.value === undefined) values.delete(key.toString())
  else values.set(decoded.key, decoded.value)
}

/** @throws {Error} for a record that is neither Kafka's nor an earlier release's, whose values are maps */
function checkKafkas(topic: string, key: Buffer, value: Buffer | null): void {
  try {
    if (topic === OFFSETS_TOPIC) decodeConsumerOffsets(key, value)
    else decodeTransactionLog(key, value)
  } catch (error) {
    if (value === null || typeof unpack(value) !== 'object') throw error
  }
}
