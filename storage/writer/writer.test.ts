// The writer's promises, on a real disk where bytes matter and on a faulty one where crashes do.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { BatchBuilder } from '../../protocol/batch/build.ts'
import { baseOffsetOf } from '../../protocol/batch/header.ts'
import { batchesOf } from '../../protocol/batch/record.ts'
import { systemClock } from '../clock.ts'
import { realFs } from '../fs.ts'
import type { Append, LogConfig } from './commands.ts'
import { LogWriter } from './writer.ts'

const config: LogConfig = {
  segmentBytesMax: 1024 * 1024,
  segmentMs: 7 * 24 * 3600 * 1000,
  indexIntervalBytes: 4096,
  indexBytesMax: 10 * 1024 * 1024,
  flushPolicy: 'fsync',
  timestampType: 'CreateTime',
}

function batchOf(recordCount: number, text = 'x'): Uint8Array {
  const builder = new BatchBuilder()
  for (let i = 0; i < recordCount; i++) {
    builder.append({ timestamp: 1000 + i, key: null, value: Buffer.from(text) })
  }
  return builder.finish()
}

let nextId = 0
const append = (slot: number, batch: Uint8Array, durable = true): Append => ({
  kind: 'append',
  id: nextId++,
  slot,
  batch,
  durable,
})

t.test(
  'what was appended is there after a restart, at the offsets that were answered',
  async (t) => {
    const dataDir = mkdtempSync(join(tmpdir(), 'millrace-writer-'))
    t.teardown(() => rmSync(dataDir, { recursive: true, force: true }))
    const writer = new LogWriter({ fs: realFs, clock: systemClock, dataDir })
    const opened = writer.turn([
      { kind: 'open', id: 1, logs: [{ slot: 0, directory: 'a-0', config, create: true }] },
    ])
    t.match(opened.outcomes, [{ opened: [{ slot: 0, logEndOffset: 0, segments: [{}] }] }])
    const { outcomes, states } = writer.turn([append(0, batchOf(3)), append(0, batchOf(2))])
    t.match(outcomes, [
      { baseOffset: 0, position: 0 },
      { baseOffset: 3, segmentBaseOffset: 0 },
    ])
    t.match(states, [{ slot: 0, logEndOffset: 5, highWatermark: 5 }])
    writer.turn([{ kind: 'close', id: 2, clean: true }])
    const bytes = readFileSync(join(dataDir, 'a-0', '00000000000000000000.log'))
    t.strictSame(
      Array.from(batchesOf(bytes), ({ at }) => baseOffsetOf(bytes, at)),
      [0, 3],
    )
    const again = new LogWriter({ fs: realFs, clock: systemClock, dataDir })
    const reopened = again.turn([
      { kind: 'open', id: 1, logs: [{ slot: 0, directory: 'a-0', config, create: false }] },
    ])
    t.match(reopened.outcomes, [{ opened: [{ slot: 0, logEndOffset: 5, highWatermark: 5 }] }])
  },
)
