// Compaction and deletion in the background: their speed and cost, and their effect on appends to another topic.
// In this process, with the writer and the cleaner in their threads, as in a broker.

import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { systemClock } from '../storage/clock.ts'
import { openStore } from '../storage/open-store.ts'
import type { Store } from '../storage/store.ts'
import { keyedBatch } from '../storage/testing/keyed-log.ts'
import type { Bench, Row } from './report.ts'

const MIB = 2 ** 20
const GIB = 2 ** 30
const BATCH_RECORDS = 500
const SEGMENTS = 1000
const PROBE_MS = 4000
/** A pause for the disk to finish writing the log. */
const WRITE_BACK_MS = 5000
const PROBE_EVERY_MS = 5
const PROBE_BYTES = 16 * 1024
const P99_RATIO_WANTED = 2
const THROTTLED_BYTES_PER_SECOND = 50e6

const keyed = {
  'cleanup.policy': 'compact',
  'flush.policy': 'os',
  'segment.bytes': String(64 * MIB),
  'min.cleanable.dirty.ratio': '0',
  'max.message.bytes': String(8 * MIB),
}
const idle = { isCompactionEnabled: false, backoffMs: 1, dedupeBufferBytes: 384 * MIB }

export const compaction: Bench = {
  name: 'compaction',
  title: `compacts in the background, in batches of ${BATCH_RECORDS} records; deletes ${SEGMENTS} segments`,

  async *run(dir) {
    yield await measure(
      '1M keys, 3M records of 100 bytes',
      join(dir, 'a'),
      3_000_000,
      1_000_000,
      100,
    )
    yield await measure(
      '10M keys, 10M records of 10 bytes',
      join(dir, 'b'),
      10_000_000,
      10_000_000,
      10,
    )
    yield await produceMeanwhile(join(dir, 'c'), Infinity)
    yield await produceMeanwhile(join(dir, 'e'), THROTTLED_BYTES_PER_SECOND)
    yield await deletion(join(dir, 'd'))
  },
}

async function filled(store: Store, recordCount: number, keyCount: number, valueBytes: number) {
  await store.topics.create({ name: 'keyed', partitionCount: 1, config: keyed })
  const log = store.logs.get('keyed', 0)!
  const value = 'v'.repeat(valueBytes)
  for (let first = 0; first < recordCount;) {
    const appends = Array.from({ length: 20 }, () => {
      const records = Array.from({ length: BATCH_RECORDS }, () => {
        const key = String((first * 7919) % keyCount)
        return { key, value, timestamp: first++ }
      })
      return store.writer.append(log, keyedBatch(records))
    })
    await Promise.all(appends)
  }
  return log
}

async function untilCompacted(store: Store): Promise<void> {
  store.cleaner.configure({ isCompactionEnabled: true })
  const log = store.logs.get('keyed', 0)!
  const isDone = () => store.cleaner.counts.compaction.passes > 0 && log.segmentCount > 0
  while (!isDone()) await setTimeout(20)
  store.cleaner.configure({ isCompactionEnabled: false })
}

async function measure(
  title: string,
  dataDir: string,
  recordCount: number,
  keyCount: number,
  valueBytes: number,
): Promise<Row> {
  await using store = await openStore({
    dataDir,
    writer: 'thread',
    clock: systemClock,
    cleaner: idle,
  })
  const log = await filled(store, recordCount, keyCount, valueBytes)
  const bytesBefore = log.sizeBytes
  const rssBefore = process.memoryUsage.rss()
  let rssMax = rssBefore
  const cpuBefore = process.cpuUsage()
  const watch = setInterval(() => (rssMax = Math.max(rssMax, process.memoryUsage.rss())), 50)
  const startMs = performance.now()
  await untilCompacted(store)
  const seconds = (performance.now() - startMs) / 1000
  clearInterval(watch)
  const { user, system } = process.cpuUsage(cpuBefore)
  const { readBytes, writtenBytes } = store.cleaner.counts.compaction
  return {
    title,
    figures: [
      { name: 'log', value: bytesBefore / MIB, unit: 'MiB' },
      {
        name: 'read and written',
        value: (readBytes + writtenBytes) / MIB / seconds,
        unit: 'MiB/s',
      },
      { name: 'CPU of the log', value: (user + system) / 1e6 / (bytesBefore / GIB), unit: 's/GiB' },
      { name: 'memory', value: (rssMax - rssBefore) / MIB, unit: 'MiB' },
    ],
  }
}

/** @param ioBytesPerSecond `log.cleaner.io.max.bytes.per.second` */
async function produceMeanwhile(dataDir: string, ioBytesPerSecond: number): Promise<Row> {
  await using store = await openStore({
    dataDir,
    writer: 'thread',
    clock: systemClock,
    cleaner: idle,
  })
  await filled(store, 4_000_000, 2_000_000, 100)
  await store.topics.create({ name: 'probed', partitionCount: 1 })
  await setTimeout(WRITE_BACK_MS)
  const alone = await probe(store)
  store.cleaner.configure({ isCompactionEnabled: true, ioBytesPerSecond })
  const meanwhile = await probe(store)
  const limit = Number.isFinite(ioBytesPerSecond) ? ` at ${ioBytesPerSecond / 1e6} MB/s` : ''
  return {
    title: `p99 of appends of ${PROBE_BYTES / 1024} KiB, synced, while another topic is compacted${limit}`,
    figures: [
      { name: 'alone', value: alone, unit: 'ms' },
      { name: 'meanwhile', value: meanwhile, unit: 'ms' },
      { name: 'ratio', value: meanwhile / alone, unit: '', atMost: P99_RATIO_WANTED },
    ],
  }
}

/** @returns the 99th percentile, ms */
async function probe(store: Store): Promise<number> {
  const log = store.logs.get('probed', 0)!
  const batch = keyedBatch([{ key: 'k', value: 'v'.repeat(PROBE_BYTES), timestamp: Date.now() }])
  const times: number[] = []
  for (const endMs = performance.now() + PROBE_MS; performance.now() < endMs;) {
    const startMs = performance.now()
    await store.writer.append(log, batch)
    times.push(performance.now() - startMs)
    await setTimeout(PROBE_EVERY_MS)
  }
  return times.sort((a, b) => a - b)[Math.floor(times.length * 0.99)]!
}

async function deletion(dataDir: string): Promise<Row> {
  const cleaner = { ...idle, retentionCheckIntervalMs: 86_400_000 }
  await using store = await openStore({ dataDir, writer: 'thread', clock: systemClock, cleaner })
  const config = { 'segment.bytes': '100000', 'flush.policy': 'os', 'file.delete.delay.ms': '0' }
  await store.topics.create({ name: 'aged', partitionCount: 1, config })
  const log = store.logs.get('aged', 0)!
  const value = 'v'.repeat(90_000)
  for (let i = 0; i < SEGMENTS; i++)
    await store.writer.append(log, keyedBatch([{ key: 'k', value, timestamp: 1 }]))
  await store.topics.create({ name: 'probed', partitionCount: 1 })
  const startMs = performance.now()
  store.cleaner.configure({ retentionCheckIntervalMs: 1 })
  const probed = probe(store)
  while (log.logStartOffset < SEGMENTS) await setTimeout(1)
  const seconds = (performance.now() - startMs) / 1000
  return {
    title: `${SEGMENTS} expired segments`,
    figures: [
      { name: 'gone after', value: seconds, unit: 's' },
      { name: 'p99 of appends meanwhile', value: await probed, unit: 'ms' },
    ],
  }
}
