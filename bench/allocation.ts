// The garbage of the hot paths: bytes of V8's heap for each batch that librdkafka produces or fetches,
// in a broker of this process. Buffers outside the heap are pooled, and not counted.

import { closeSync, openSync, readSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { GCProfiler, getHeapStatistics } from 'node:v8'
import { Broker } from '../broker/broker.ts'
import { readSettings } from '../broker/config.ts'
import { ProcessLog } from '../broker/process-log.ts'
import { BATCH_OVERHEAD_BYTES, batchSizeBytes } from '../protocol/batch/header.ts'
import { systemClock } from '../storage/clock.ts'
import { segmentFile } from '../storage/layout.ts'
import { kcat, writeRecordLines } from './kcat.ts'
import type { Bench, Row } from './report.ts'
import { WireClient } from './wire-client.ts'

const RECORD_BYTES = 100
const KIB = 1024

interface Load {
  readonly name: string
  readonly records: number
  readonly settings: Readonly<Record<string, number>>
}

const loads: readonly Load[] = [
  {
    name: '64 KiB',
    records: 2_000_000,
    settings: { 'batch.size': 64 * KIB, 'batch.num.messages': 1_000_000, 'linger.ms': 20 },
  },
  {
    name: 'one record each',
    records: 100_000,
    settings: { 'batch.num.messages': 1, 'linger.ms': 0 },
  },
]
const wheres: [name: string, writer: 'thread' | 'inline'][] = [
  ['network thread', 'thread'],
  ['with the writer', 'inline'],
]

export const allocation: Bench = {
  name: 'allocation',
  title: `heap that a batch takes, records of ${RECORD_BYTES} bytes, librdkafka`,

  async *run(dir) {
    for (const load of loads) {
      const lines = join(dir, `lines-${load.records}`)
      writeRecordLines(lines, load.records, RECORD_BYTES)
      for (const [where, writer] of wheres) {
        const title = `${load.name}, ${where}`
        yield await measure(title, join(dir, title.replaceAll(', ', '-')), { load, lines, writer })
      }
    }
  },
}

interface Run {
  readonly load: Load
  readonly lines: string
  readonly writer: 'thread' | 'inline'
}

async function measure(title: string, dataDir: string, { load, lines, writer }: Run): Promise<Row> {
  await using broker = await startBroker(dataDir, writer)
  const { bootstrap } = broker
  using client = await WireClient.connect(bootstrap)
  const bytesABatch = async (topic: string) => {
    await client.createTopic(topic, { 'flush.policy': 'os' })
    const partition = ['-t', topic, '-p', '0']
    const produced = await allocatedBy(() =>
      kcat(bootstrap, ['-P', ...partition, '-l', lines], load.settings),
    )
    const fetched = await allocatedBy(() =>
      kcat(bootstrap, ['-C', ...partition, '-o', 'beginning', '-e', '-f', ''], {}),
    )
    const count = batchCount(join(dataDir, `${topic}-0`, segmentFile(0, '.log')))
    return { produced: produced / count, fetched: fetched / count }
  }
  await bytesABatch('warm-up')
  const { produced, fetched } = await bytesABatch('measured')
  return {
    title,
    figures: [
      { name: 'produced', value: produced, unit: 'B/batch' },
      { name: 'fetched', value: fetched, unit: 'B/batch' },
    ],
  }
}

function startBroker(dataDir: string, writer: 'thread' | 'inline'): Promise<Broker> {
  const properties = { port: '0', 'http.port': '-1', 'log.level': 'error', 'log.dir': dataDir }
  const settings = readSettings([{ origin: 'options', properties }])
  return Broker.open({
    settings,
    ephemeral: false,
    writer,
    clock: systemClock,
    log: new ProcessLog('error', systemClock),
    onFatal(error) {
      throw error
    },
  })
}

/** @returns bytes of this thread's heap: its growth between collections */
async function allocatedBy(work: () => Promise<unknown>): Promise<number> {
  const profiler = new GCProfiler()
  let usedBytes = getHeapStatistics().used_heap_size
  let allocatedBytes = 0
  profiler.start()
  await work()
  for (const { beforeGC, afterGC } of profiler.stop().statistics) {
    allocatedBytes += beforeGC.heapStatistics.usedHeapSize - usedBytes
    usedBytes = afterGC.heapStatistics.usedHeapSize
  }
  return allocatedBytes + getHeapStatistics().used_heap_size - usedBytes
}

function batchCount(path: string): number {
  const header = Buffer.alloc(BATCH_OVERHEAD_BYTES)
  const sizeBytes = statSync(path).size
  const file = openSync(path, 'r')
  let count = 0
  for (let at = 0; at < sizeBytes; count++) {
    readSync(file, header, 0, header.length, at)
    at += batchSizeBytes(header)!
  }
  closeSync(file)
  return count
}
