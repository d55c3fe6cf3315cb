// Latency from the write of a record to a socket until a consumer has it, with a sync of the disk in between.
// One process, two connections, no client library: so it measures the broker, the disk and the kernel.

import { build as histogram, type Histogram } from 'hdr-histogram-js'
import { join } from 'node:path'
import { produce } from '../protocol/api/00_produce.ts'
import { fetch } from '../protocol/api/01_fetch.ts'
import { BatchBuilder } from '../protocol/batch/build.ts'
import { batchesOf, recordsOf } from '../protocol/batch/record.ts'
import { BrokerProcess } from './broker-process.ts'
import type { Bench, Row } from './report.ts'
import { WireClient } from './wire-client.ts'

const SECONDS = 10
const WARM_UP_SECONDS = 2
const TICK_MS = 1
const RECORD_BYTES = 100
const P50_MS_WANTED = 1
const rates = [1000, 10_000]

export const endToEnd: Bench = {
  name: 'end-to-end',
  title: `records of ${RECORD_BYTES} bytes, one batch a ms, acks=all, synced, ${SECONDS} s`,

  async *run(dir) {
    for (const rate of rates) {
      await using broker = await BrokerProcess.start(join(dir, `${rate}`))
      yield await measure(broker, rate)
    }
  },
}

async function measure(broker: BrokerProcess, rate: number): Promise<Row> {
  using client = await WireClient.connect(broker.bootstrap)
  await client.createTopic('latency', { 'flush.policy': 'fsync' })
  const before = broker.usage()
  const latencies = await latenciesAt(broker.bootstrap, 'latency', { rate, seconds: SECONDS })
  const { cpuSeconds } = broker.usage()
  const ms = (percentile: number) => latencies.getValueAtPercentile(percentile) / 1e6
  return {
    title: `${rate} records/s`,
    figures: [
      { name: 'p50', value: ms(50), unit: 'ms', atMost: P50_MS_WANTED },
      { name: 'p99', value: ms(99), unit: 'ms' },
      { name: 'p99.9', value: ms(99.9), unit: 'ms' },
      { name: 'max', value: latencies.maxValue / 1e6, unit: 'ms' },
      {
        name: 'broker',
        value: (cpuSeconds - before.cpuSeconds) / (WARM_UP_SECONDS + SECONDS),
        unit: 'cores',
      },
    ],
  }
}

/**
 * Sends to an empty topic and receives from it.
 *
 * @returns ns from before a record's batch was built until it was received, without the warm-up
 */
export async function latenciesAt(
  bootstrap: string,
  topic: string,
  { rate, seconds }: { rate: number; seconds: number },
): Promise<Histogram> {
  using producer = await WireClient.connect(bootstrap)
  using consumer = await WireClient.connect(bootstrap)
  const total = rate * (WARM_UP_SECONDS + seconds)
  const latencies = histogram({
    lowestDiscernibleValue: 1,
    highestTrackableValue: 60e9,
    numberOfSignificantValueDigits: 3,
  })
  const sent = sendAtRate(producer, topic, rate, total)
  const received = receive(consumer, topic, total, (sentNs, index) => {
    if (index >= rate * WARM_UP_SECONDS)
      latencies.recordValue(Number(process.hrtime.bigint() - sentNs))
  })
  await Promise.all([sent, received])
  return latencies
}

/** Each tick sends all due records in one batch; the value begins with its time of sending. */
async function sendAtRate(
  client: WireClient,
  topic: string,
  rate: number,
  total: number,
): Promise<void> {
  const value = Buffer.alloc(RECORD_BYTES)
  const answers: Promise<void>[] = []
  const start = performance.now()
  for (let sent = 0; sent < total;) {
    await new Promise((resolve) => setTimeout(resolve, TICK_MS))
    const due = Math.min(total, Math.floor(((performance.now() - start) * rate) / 1000))
    if (due === sent) continue
    const builder = new BatchBuilder({ bytesExpected: 128 + (due - sent) * (RECORD_BYTES + 16) })
    value.writeBigInt64BE(process.hrtime.bigint())
    for (; sent < due; sent++) builder.append({ timestamp: Date.now(), key: null, value })
    const partitions = [{ index: 0, records: builder.finish() }]
    const request = { acks: -1, timeoutMs: 30_000, topics: [{ name: topic, partitions }] }
    answers.push(
      client
        .call(produce, 9, request)
        .then(({ topics }) => check(topics[0]!.partitions[0]!.errorCode)),
    )
  }
  await Promise.all(answers)
}

async function receive(
  client: WireClient,
  topic: string,
  total: number,
  onRecord: (sentNs: bigint, index: number) => void,
): Promise<void> {
  for (let offset = 0; offset < total;) {
    const partitions = [{ partition: 0, fetchOffset: offset, partitionMaxBytes: 1 << 20 }]
    const request = { maxWaitMs: 500, minBytes: 1, topics: [{ topic, partitions }] }
    const { responses } = await client.call(fetch, 11, request)
    const { errorCode, records } = responses[0]!.partitions[0]!
    check(errorCode)
    if (records === null) continue
    for (const { at, header } of batchesOf(records)) {
      for (const record of recordsOf(records, at, header, { decompressedBytesMax: 0 })) {
        if (record.offset < offset) continue
        onRecord(record.value!.readBigInt64BE(), record.offset)
        offset = record.offset + 1
      }
    }
  }
}

function check(errorCode: number): void {
  if (errorCode !== 0) throw new Error(`the broker answered with error ${errorCode}`)
}
