// Latency of an honest producer beside ten connections that send only bombs, small batches that decompress to 60 MiB:
// the time from request to answer of small records, plain and compressed, and of large compressed batches.

import { setTimeout } from 'node:timers/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { produce } from '../protocol/api/00_produce.ts'
import { BatchBuilder } from '../protocol/batch/build.ts'
import {
  BATCH_OVERHEAD_BYTES,
  position,
  putInt16,
  putInt32,
  stampCrc,
} from '../protocol/batch/header.ts'
import { codecIds, type Codec } from '../protocol/compression/index.ts'
import { BrokerProcess } from './broker-process.ts'
import { median, type Bench, type Row } from './report.ts'
import { WireClient } from './wire-client.ts'

const BOMB_BYTES = 60 * 2 ** 20
const BOMBERS = 10
const BOMBS_IN_FLIGHT = 5
const REQUESTS = 200
const TOPIC = 'bombed'

const loads: [name: string, batch: Uint8Array][] = [
  ['100 B, not compressed', batchOf(1, 100, 'none')],
  ['100 B, gzip', batchOf(1, 100, 'gzip')],
  ['1 MB, gzip', batchOf(1000, 1000, 'gzip')],
]

export const bombs: Bench = {
  name: 'bombs',
  title: `${BOMBERS} connections send gzip batches with ${BOMB_BYTES / 2 ** 20} MiB inside, one waits for each of its own`,

  async *run(dir) {
    await using broker = await BrokerProcess.start(join(dir, 'data'))
    using client = await WireClient.connect(broker.bootstrap)
    await client.createTopic(TOPIC, { 'flush.policy': 'os' })
    for (const [name, batch] of loads) {
      await latency(client, batch)
      yield row(`${name}, alone`, await latency(client, batch))
    }
    const stopped = new AbortController()
    const bombers = Array.from({ length: BOMBERS }, () => bombard(broker.bootstrap, stopped.signal))
    await setTimeout(1000)
    for (const [name, batch] of loads) yield row(`${name}, bombed`, await latency(client, batch))
    stopped.abort()
    await Promise.all(bombers)
  },
}

async function bombard(bootstrap: string, signal: AbortSignal): Promise<void> {
  using client = await WireClient.connect(bootstrap)
  const bomb = packedBatch(gzipSync(Buffer.alloc(BOMB_BYTES)))
  const oneByOne = async () => {
    while (!signal.aborted) await send(client, bomb)
  }
  await Promise.all(Array.from({ length: BOMBS_IN_FLIGHT }, oneByOne))
}

/** @returns ms of each request */
async function latency(client: WireClient, batch: Uint8Array): Promise<number[]> {
  const took: number[] = []
  for (let i = 0; i < REQUESTS; i++) {
    const startMs = performance.now()
    const code = await send(client, batch)
    if (code !== 0) throw new Error(`an honest batch was refused with error ${code}`)
    took.push(performance.now() - startMs)
  }
  return took
}

async function send(client: WireClient, records: Uint8Array): Promise<number> {
  const topics = [{ name: TOPIC, partitions: [{ index: 0, records }] }]
  const request = { transactionalId: null, acks: -1, timeoutMs: 30_000, topics }
  const answer = await client.call(produce, 9, request)
  return answer.topics[0]!.partitions[0]!.errorCode
}

function row(title: string, took: readonly number[]): Row {
  const ascending = took.toSorted((a, b) => a - b)
  return {
    title,
    figures: [
      { name: 'p50', value: median(took), unit: 'ms' },
      { name: 'p99', value: ascending[Math.floor(took.length * 0.99)]!, unit: 'ms' },
      { name: 'max', value: ascending.at(-1)!, unit: 'ms' },
    ],
  }
}

function batchOf(recordCount: number, valueBytes: number, codec: Codec): Uint8Array {
  const builder = new BatchBuilder()
  for (let i = 0; i < recordCount; i++) {
    const value = Buffer.alloc(valueBytes, `the quick brown fox ${i} `)
    builder.append({ timestamp: Date.now(), key: null, value })
  }
  return builder.finish({ codec })
}

/** A gzip batch of these bytes, valid or not. */
function packedBatch(packed: Uint8Array): Uint8Array {
  const header = batchOf(1, 0, 'none').subarray(0, BATCH_OVERHEAD_BYTES)
  const batch = Buffer.concat([header, packed])
  putInt16(batch, position.attributes, codecIds.gzip)
  putInt32(batch, position.batchLength, batch.length - 12)
  stampCrc(batch, 0, batch.length)
  return batch
}
