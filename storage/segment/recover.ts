// Recovery of one partition's log: what of its files can be trusted, and where appends go on.
// Writer thread, at start. See docs/formats/recovery.md

import { join } from 'node:path'
import {
  BATCH_OVERHEAD_BYTES,
  baseOffsetOf,
  batchSizeBytes,
  crcMatches,
  lastOffsetDeltaOf,
  maxTimestampOf,
} from '../../protocol/batch/header.ts'
import type { Clock } from '../clock.ts'
import type { Fs } from '../fs.ts'
import { parseSegmentFile, segmentFile } from '../layout.ts'
import type { LogConfig, SegmentInfo } from '../writer/commands.ts'
import type { LogStart } from '../writer/partition-log.ts'
import { Segment } from './segment.ts'

export function recoverLog(
  fs: Fs,
  clock: Clock,
  path: string,
  config: LogConfig,
): LogStart & { truncatedBytes: number } {
  const bases = fs
    .readDirectory(path)
    .map(({ name }) => parseSegmentFile(name))
    .filter((file) => file?.suffix === '.log')
    .map((file) => file!.baseOffset)
    .sort((a, b) => a - b)
  if (bases.length === 0) bases.push(0)
  const sealed: SegmentInfo[] = []
  let active: Segment | undefined
  let logEndOffset = 0
  let truncatedBytes = 0
  for (const base of bases) {
    if (active) sealed.push(active.info)
    const logPath = join(path, segmentFile(base, '.log'))
    const bytes = Buffer.alloc(fs.stat(logPath)?.sizeBytes ?? 0)
    const fd = fs.open(logPath, 'write')
    fs.read(fd, bytes, 0)
    active = Segment.create(fs, path, clock.now(), base)
    logEndOffset = base
    let at = 0
    while (bytes.length - at >= BATCH_OVERHEAD_BYTES) {
      const sizeBytes = batchSizeBytes(bytes, at)!
      if (at + sizeBytes > bytes.length || baseOffsetOf(bytes, at) !== logEndOffset) break
      if (!crcMatches(bytes, at, sizeBytes)) break
      const facts = {
        lastOffset: logEndOffset + lastOffsetDeltaOf(bytes, at),
        sizeBytes,
        maxTimestamp: maxTimestampOf(bytes, at),
      }
      active.write([bytes.subarray(at, at + sizeBytes)], sizeBytes)
      active.note(facts, at, config.indexIntervalBytes)
      logEndOffset = facts.lastOffset + 1
      at += sizeBytes
    }
    truncatedBytes += bytes.length - at
    fs.close(fd)
    active.seal()
    active.release()
  }
  return {
    logStartOffset: bases[0]!,
    logEndOffset,
    sealed,
    active: active!,
    epochs: [{ epoch: 0, startOffset: 0 }],
    quarantined: [],
    truncatedBytes,
  }
}
