// The cost of checking every produced record: CPU of the whole process with `record.check=record` and with
// `batch`, in turns on one broker, for each codec. Load: librdkafka. Topics are deleted after use, as in append.ts.

import { join } from 'node:path'
import { codecIds, type Codec } from '../protocol/compression/index.ts'
import { untilDeleted } from './append.ts'
import { BrokerProcess } from './broker-process.ts'
import { kcat, writeRecordLines } from './kcat.ts'
import type { Bench, Row } from './report.ts'
import { WireClient } from './wire-client.ts'

const ROUNDS = 3
const GIB = 2 ** 30
const LOAD_BYTES = 60_000_000
/** The wanted limit of the added CPU, in percent, with uncompressed records of 100 bytes. */
const MORE_WANTED = 15

const sizes: [name: string, recordBytes: number][] = [
  ['100 B', 100],
  ['1 KiB', 1024],
]
const checks = ['record', 'batch'] as const

export const recordCheck: Bench = {
  name: 'record-check',
  title: `librdkafka produces ${2 * ROUNDS} x ${LOAD_BYTES / 1e6} MB, batches of up to 1 MB, flush.policy=os`,

  async *run(dir) {
    for (const [name, recordBytes] of sizes) {
      const lines = join(dir, `lines-${recordBytes}`)
      const count = LOAD_BYTES / recordBytes
      writeRecordLines(lines, count, recordBytes, words(recordBytes))
      for (const codec of Object.keys(codecIds) as Codec[]) {
        const dataDir = join(dir, `${codec}-${recordBytes}`)
        yield await measure(`${name}, ${codec}`, dataDir, lines, codec, recordBytes)
      }
    }
  },
}

/** Text that compresses to about a third. */
function words(sizeBytes: number): (i: number) => string {
  let state = 1
  const random = () => (state = (state * 48_271) % 2_147_483_647)
  return () => {
    let text = ''
    while (text.length < sizeBytes) text += `${(random() % 4096).toString(36)}-field,`
    return text
  }
}

async function measure(
  title: string,
  dataDir: string,
  lines: string,
  codec: Codec,
  recordBytes: number,
): Promise<Row> {
  await using broker = await BrokerProcess.start(dataDir)
  using client = await WireClient.connect(broker.bootstrap)
  const cpuSeconds = { record: 0, batch: 0 }
  for (let round = -1; round < ROUNDS; round++) {
    for (const check of round % 2 === 0 ? checks : checks.toReversed()) {
      const topic = `${check}-${round + 1}`
      await client.createTopic(topic, { 'flush.policy': 'os', 'record.check': check })
      const before = broker.usage().cpuSeconds
      await kcat(broker.bootstrap, ['-P', '-t', topic, '-p', '0', '-l', lines], {
        'linger.ms': 20,
        'compression.codec': codec,
        'queue.buffering.max.kbytes': 256 * 1024,
      })
      if (round >= 0) cpuSeconds[check] += broker.usage().cpuSeconds - before
      await client.deleteTopic(topic)
      await untilDeleted(dataDir, topic)
    }
  }
  const perGib = (seconds: number) => seconds / ((ROUNDS * LOAD_BYTES) / GIB)
  const more = (cpuSeconds.record / cpuSeconds.batch - 1) * 100
  const wanted = codec === 'none' && recordBytes === 100 ? { atMost: MORE_WANTED } : {}
  return {
    title,
    figures: [
      { name: 'record', value: perGib(cpuSeconds.record), unit: 'CPU-s/GiB' },
      { name: 'batch', value: perGib(cpuSeconds.batch), unit: 'CPU-s/GiB' },
      { name: 'more', value: more, unit: '%', ...wanted },
    ],
  }
}
