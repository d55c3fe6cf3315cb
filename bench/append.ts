// Appends through the whole broker: librdkafka produces records of 100 bytes in batches of three sizes, with the disk
// synced before each answer and without. Topics are deleted after use, so that the page cache reuses memory:
// in a virtual machine the first touch of a page costs more than all else together. Reasons, and the floor: docs/decisions/0006

import { closeSync, openSync, readdirSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { BrokerProcess } from './broker-process.ts'
import { kcat, writeRecordLines } from './kcat.ts'
import { median, type Bench, type Row } from './report.ts'
import { WireClient } from './wire-client.ts'

const RECORD_BYTES = 100
const RECORD_COUNT = 2_500_000
const RUNS = 3
const PIECE_BYTES = 64 * 1024
const MIB = 2 ** 20
const GIB = 2 ** 30
const CPU_SECONDS_PER_GIB_WANTED = 1.2

const batchSizes: [name: string, bytes: number][] = [
  ['16 KiB', 16 * 1024],
  ['64 KiB', 64 * 1024],
  ['1 MiB', 1024 * 1024],
]
const policies: [name: string, policy: string][] = [
  ['synced', 'fsync'],
  ['flush.policy=os', 'os'],
]

export const append: Bench = {
  name: 'append',
  title: `librdkafka produces ${RUNS} x ${RECORD_COUNT} records of ${RECORD_BYTES} bytes, acks=all, 1 partition`,

  async *run(dir) {
    const lines = join(dir, 'lines')
    writeRecordLines(lines, RECORD_COUNT, RECORD_BYTES)
    yield floor(join(dir, 'floor'))
    for (const [policyName, policy] of policies) {
      for (const [sizeName, batchBytes] of batchSizes) {
        const dataDir = join(dir, `${policy}-${batchBytes}`)
        yield await measure(`${sizeName}, ${policyName}`, dataDir, lines, batchBytes, policy)
      }
    }
  },
}

/** The cost of writing alone: bare Node, 64 KiB at a time into a file, as many bytes as in one run. */
export function floor(path: string): Row {
  const piece = Buffer.alloc(PIECE_BYTES, 'the quick brown fox')
  const bytes = RECORD_COUNT * RECORD_BYTES
  let cpuSeconds = 0
  for (let run = -1; run < RUNS; run++) {
    const file = openSync(path, 'w')
    const before = process.cpuUsage()
    for (let at = 0; at < bytes; at += PIECE_BYTES) writeSync(file, piece, 0, PIECE_BYTES, at)
    const { user, system } = process.cpuUsage(before)
    if (run >= 0) cpuSeconds += (user + system) / 1e6
    closeSync(file)
    rmSync(path)
  }
  const perGib = cpuSeconds / ((RUNS * bytes) / GIB)
  return {
    title: 'floor: writes alone, not synced',
    figures: [{ name: '', value: perGib, unit: 'CPU-s/GiB' }],
  }
}

async function measure(
  title: string,
  dataDir: string,
  lines: string,
  batchBytes: number,
  policy: string,
): Promise<Row> {
  await using broker = await BrokerProcess.start(dataDir)
  using client = await WireClient.connect(broker.bootstrap)
  const seconds: number[] = []
  let cpuSeconds = 0
  for (let run = -1; run < RUNS; run++) {
    const topic = `append-${run + 1}`
    await client.createTopic(topic, {
      'flush.policy': policy,
      'max.message.bytes': `${2 * batchBytes}`,
    })
    const before = broker.usage()
    const took = await produceLines(broker.bootstrap, topic, lines, batchBytes)
    if (run >= 0) {
      seconds.push(took)
      cpuSeconds += broker.usage().cpuSeconds - before.cpuSeconds
    } // else this round only warmed up the JIT compiler
    const endOffset = await client.endOffset(topic)
    if (endOffset !== RECORD_COUNT)
      throw new Error(`${endOffset} records of ${RECORD_COUNT} arrived`)
    await client.deleteTopic(topic)
    await untilDeleted(dataDir, topic)
  }
  const bytes = RECORD_COUNT * RECORD_BYTES
  const wanted = batchBytes === 64 * 1024 ? { atMost: CPU_SECONDS_PER_GIB_WANTED } : {}
  return {
    title,
    figures: [
      { name: '', value: bytes / 1e6 / median(seconds), unit: 'MB/s' },
      { name: '', value: RECORD_COUNT / 1000 / median(seconds), unit: 'k records/s' },
      { name: 'broker', value: cpuSeconds, unit: 'CPU-s' },
      { name: '', value: cpuSeconds / ((RUNS * bytes) / GIB), unit: 'CPU-s/GiB', ...wanted },
      { name: 'RSS', value: broker.usage().rssBytes / MIB, unit: 'MiB' },
    ],
  }
}

/** The broker deletes files after it has answered; the next run must not pay for that. */
export async function untilDeleted(dataDir: string, topic: string): Promise<void> {
  while (readdirSync(dataDir).some((name) => name.startsWith(`${topic}-`))) await setTimeout(10)
}

/** @returns seconds from kcat's start to the last acknowledgement */
export function produceLines(
  bootstrap: string,
  topic: string,
  path: string,
  batchBytes: number,
): Promise<number> {
  return kcat(bootstrap, ['-P', '-t', topic, '-p', '0', '-l', path], {
    'batch.size': batchBytes,
    'batch.num.messages': 1_000_000,
    'message.max.bytes': Math.max(1_000_000, 2 * batchBytes),
    'linger.ms': 20,
    'queue.buffering.max.messages': 1_000_000,
    'queue.buffering.max.kbytes': 256 * 1024,
  })
}
