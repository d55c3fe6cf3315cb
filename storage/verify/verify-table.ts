// The records of a table, verified: each must have a key, and a value that can be unpacked. Read only.
// Format: docs/formats/tables.md

import { Packr } from 'msgpackr/pack'
import { batchesOf, recordsOf } from '../../protocol/batch/record.ts'
import type { Fs } from '../fs.ts'
import { batchPlaces } from './batch-file.ts'
import type { SegmentToVerify } from './verify-indexes.ts'

const packr = new Packr({ useRecords: false })
/** Tables write their records uncompressed. */
const DECOMPRESSED_BYTES_MAX = 0

export interface VerifiedTable {
  readonly values: ReadonlyMap<string, unknown>
  /** What is wrong with records, in words. */
  readonly flaws: readonly string[]
}

export function verifyTable(fs: Fs, segments: readonly SegmentToVerify[]): VerifiedTable {
  const values = new Map<string, unknown>()
  const flaws: string[] = []
  for (const { path, sizeBytes, bad } of segments) {
    const fd = fs.open(`${path}.log`, 'read')
    try {
      for (const place of batchPlaces(fs, fd, sizeBytes, bad)) {
        const bytes = Buffer.alloc(place.sizeBytes)
        fs.read(fd, bytes, place.position)
        for (const { at, header } of batchesOf(bytes)) {
          try {
            const bounds = { decompressedBytesMax: DECOMPRESSED_BYTES_MAX }
            for (const { key, value } of recordsOf(bytes, at, header, bounds)) {
              if (key === null) throw new Error('a record has no key')
              if (value === null) values.delete(key.toString())
              else values.set(key.toString(), packr.unpack(value))
            }
          } catch (error) {
            flaws.push(`offset ${header.baseOffset}: ${(error as Error).message}`)
          }
        }
      }
    } finally {
      fs.close(fd)
    }
  }
  return { values, flaws }
}
