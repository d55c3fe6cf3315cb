// Fetches through the whole broker: librdkafka reads a log of some segments, once from the page cache
// and once from the disk.

import { execFileSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { produceLines } from './append.ts'
import { BrokerProcess } from './broker-process.ts'
import { kcat, writeRecordLines } from './kcat.ts'
import { median, Unavailable, type Bench, type Row } from './report.ts'
import { WireClient } from './wire-client.ts'

const RECORD_BYTES = 100
const RECORD_COUNT = 2_500_000
const PRODUCE_RUNS = 3
const RUNS = 3
const BATCH_BYTES = 64 * 1024
const SEGMENT_BYTES = 128 * 1024 * 1024
const GIB = 2 ** 30
const CPU_SECONDS_PER_GIB_WANTED = 0.6

export const fetching: Bench = {
  name: 'fetch',
  title: `librdkafka reads ${PRODUCE_RUNS * RECORD_COUNT} records of ${RECORD_BYTES} bytes in 64 KiB batches, ${RUNS} times`,

  async *run(dir) {
    const lines = join(dir, 'lines')
    const dataDir = join(dir, 'data')
    writeRecordLines(lines, RECORD_COUNT, RECORD_BYTES)
    await using broker = await BrokerProcess.start(dataDir)
    using client = await WireClient.connect(broker.bootstrap)
    await client.createTopic('fetch', { 'flush.policy': 'os', 'segment.bytes': `${SEGMENT_BYTES}` })
    for (let i = 0; i < PRODUCE_RUNS; i++)
      await produceLines(broker.bootstrap, 'fetch', lines, BATCH_BYTES)
    await readToEnd(broker.bootstrap) // warms up the JIT compiler
    yield await measure('in the page cache', broker, () => {})
    yield await measure('from the disk', broker, () => dropFromPageCache(join(dataDir, 'fetch-0')))
  },
}

async function measure(title: string, broker: BrokerProcess, prepare: () => void): Promise<Row> {
  const seconds: number[] = []
  let cpuSeconds = 0
  for (let run = 0; run < RUNS; run++) {
    prepare()
    const before = broker.usage()
    seconds.push(await readToEnd(broker.bootstrap))
    cpuSeconds += broker.usage().cpuSeconds - before.cpuSeconds
  }
  const bytes = PRODUCE_RUNS * RECORD_COUNT * RECORD_BYTES
  return {
    title,
    figures: [
      { name: '', value: bytes / 1e6 / median(seconds), unit: 'MB/s' },
      { name: '', value: bytes / RECORD_BYTES / 1000 / median(seconds), unit: 'k records/s' },
      { name: 'broker', value: cpuSeconds, unit: 'CPU-s' },
      {
        name: '',
        value: cpuSeconds / ((RUNS * bytes) / GIB),
        unit: 'CPU-s/GiB',
        atMost: CPU_SECONDS_PER_GIB_WANTED,
      },
    ],
  }
}

/** @returns seconds from kcat's start until it has read to the end of the partition */
function readToEnd(bootstrap: string): Promise<number> {
  return kcat(bootstrap, ['-C', '-t', 'fetch', '-p', '0', '-o', 'beginning', '-e', '-f', ''], {
    'queued.min.messages': 1_000_000,
    'queued.max.messages.kbytes': 256 * 1024,
  })
}

/** Asks the kernel to drop each file from the page cache; needs no rights. */
export function dropFromPageCache(dir: string): void {
  try {
    execFileSync('sync')
    for (const file of readdirSync(dir)) {
      execFileSync('dd', [
        `if=${join(dir, file)}`,
        'of=/dev/null',
        'iflag=nocache',
        'count=0',
        'status=none',
      ])
    }
  } catch (error) {
    throw new Unavailable('dropping files from the page cache needs the GNU dd', { cause: error })
  }
}
