// A process that writes to a compacted log as fast as it can, compacts it all the time, and prints acknowledgements,
// until a test kills it. Tests only.

import { systemClock } from '../clock.ts'
import { openStore } from '../open-store.ts'
import { keyedBatch, type KeyedRecord } from './keyed-log.ts'

const IN_FLIGHT = 8
const KEYS = 50

export const compactedTopic = 'compacted'

/** The record with this number, which the parent can make too. */
export function recordOf(run: number, sequence: number): KeyedRecord {
  const value = sequence % 13 === 7 ? null : `${run}:${sequence}:${'x'.repeat(sequence % 150)}`
  return { key: `key-${(sequence * 31) % KEYS}`, value, timestamp: sequence }
}

/** Lines: 'C' compacted once; 'A offset sequence' acknowledged. */
async function run(dataDir: string, runNumber: number): Promise<void> {
  const say = (line: string) => process.stdout.write(`${line}\n`)
  const store = await openStore({
    dataDir,
    writer: 'thread',
    clock: systemClock,
    cleaner: { backoffMs: 1 },
  })
  if (!store.topics.get(compactedTopic)) {
    const config = {
      'cleanup.policy': 'compact',
      'segment.bytes': '20000',
      'min.cleanable.dirty.ratio': '0',
      'file.delete.delay.ms': '0',
    }
    await store.topics.create({ name: compactedTopic, partitionCount: 1, config })
  }
  const log = store.logs.get(compactedTopic, 0)!
  let sequence = 0
  let passes = 0
  const appendForEver = async () => {
    for (;;) {
      const own = sequence++
      const { error, baseOffset } = await store.writer.append(
        log,
        keyedBatch([recordOf(runNumber, own)]),
      )
      if (error) throw new Error(error)
      say(`A ${baseOffset} ${own}`)
      if (store.cleaner.counts.compaction.passes > passes) say('C')
      passes = store.cleaner.counts.compaction.passes
    }
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, () => appendForEver()))
}

const [dataDir, runNumber] = process.argv.slice(2)
if (dataDir !== undefined && runNumber !== undefined) await run(dataDir, Number(runNumber))
