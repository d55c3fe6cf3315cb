// Reads the files of a partition's log in the plainest way, to check the writer's promises. Tests only.

import { join } from 'node:path'
import { strict as assert } from 'node:assert'
import { BatchBuilder } from '../../protocol/batch/build.ts'
import { crcMatches } from '../../protocol/batch/header.ts'
import { batchesOf } from '../../protocol/batch/record.ts'
import type { Fs } from '../fs.ts'
import { segmentFile } from '../layout.ts'
import type { Opened } from '../log-facts.ts'

export interface StoredBatch {
  readonly baseOffset: number
  readonly lastOffset: number
  readonly leaderEpoch: number
  readonly maxTimestamp: number
  readonly segmentBaseOffset: number
  readonly position: number
  readonly bytes: Uint8Array
}

/**
 * Every batch outside the quarantined ranges, in order.
 *
 * @throws when the offsets are not dense, or a checksum is wrong
 */
export function storedBatches(fs: Fs, path: string, opened: Opened): StoredBatch[] {
  const batches: StoredBatch[] = []
  let offset = opened.segments[0]!.baseOffset
  for (const [i, segment] of opened.segments.entries()) {
    const rot = opened.quarantined.filter((range) => range.segmentBaseOffset === segment.baseOffset)
    const content = contentOf(fs, join(path, segmentFile(segment.baseOffset, '.log')))
    assert(content.length >= segment.sizeBytes, 'a segment is as long as it says')
    let position = 0
    while (position < segment.sizeBytes) {
      const range = rot.find(({ startPosition }) => startPosition === position)
      if (range && range.endPosition > range.startPosition) {
        assert.equal(range.startOffset, offset, 'a quarantined range starts where offsets end')
        position = range.endPosition
        offset = range.endOffset
        continue
      }
      const [found] = batchesOf(content.subarray(position, segment.sizeBytes))
      assert(found, `a whole batch lies at ${position} of segment ${segment.baseOffset}`)
      const { header } = found
      assert.equal(header.baseOffset, offset, 'offsets are dense')
      const bytes = content.slice(position, position + header.sizeBytes)
      assert(crcMatches(bytes, 0, bytes.length), 'the checksum is right')
      batches.push({
        baseOffset: header.baseOffset,
        lastOffset: header.baseOffset + header.lastOffsetDelta,
        leaderEpoch: header.leaderEpoch,
        maxTimestamp: header.maxTimestamp,
        segmentBaseOffset: segment.baseOffset,
        position,
        bytes,
      })
      offset += header.lastOffsetDelta + 1
      position += header.sizeBytes
    }
    const gap = opened.quarantined.find(({ startOffset }) => startOffset === offset)
    const nextBase = opened.segments[i + 1]?.baseOffset
    if (nextBase !== undefined && gap) offset = gap.endOffset
    if (nextBase !== undefined) assert.equal(offset, nextBase, 'segments follow one another')
  }
  assert.equal(offset, opened.logEndOffset, 'the log ends where it says')
  return batches
}

export function contentOf(fs: Fs, path: string): Buffer {
  const fd = fs.open(path, 'read')
  try {
    const content = Buffer.alloc(fs.sizeBytes(fd))
    fs.read(fd, content, 0)
    return content
  } finally {
    fs.close(fd)
  }
}

/** A unique batch. @param valueBytes of each record's value, which does not compress */
export function uniqueBatch(serial: number, recordCount: number, valueBytes: number): Uint8Array {
  const builder = new BatchBuilder()
  for (let i = 0; i < recordCount; i++) {
    const value = Buffer.alloc(valueBytes)
    for (let at = 0; at < valueBytes; at++) value[at] = ((serial * 31 + i * 7 + at * 13) % 251) | 1
    builder.append({ timestamp: 1_000_000 + serial, key: Buffer.from(String(serial)), value })
  }
  return builder.finish()
}

export interface Sequence {
  readonly producerId?: number
  readonly epoch?: number
  /** Sequence of the first record. */
  readonly first: number
  readonly count?: number
  readonly isTransactional?: boolean
  readonly timestamp?: number
  readonly valueBytes?: number
}

/** A batch of a producer with an id. */
export function sequencedBatch(sequence: Sequence): Uint8Array {
  const { producerId = 7, epoch = 0, first, count = 1, timestamp = 1_000_000 } = sequence
  const builder = new BatchBuilder()
  const value = Buffer.alloc(sequence.valueBytes ?? 20, 'v')
  for (let i = 0; i < count; i++) builder.append({ timestamp, key: null, value })
  return builder.finish({
    producerId,
    producerEpoch: epoch,
    baseSequence: first,
    isTransactional: sequence.isTransactional ?? false,
  })
}
