// What decoding and encoding costs: requests and responses of 50 partitions, in µs each.
// Run: npm run bench -- codec (or node dist/bench/codec.js)

import { produce } from '../protocol/api/00_produce.ts'
import { fetch } from '../protocol/api/01_fetch.ts'
import { metadata } from '../protocol/api/03_metadata.ts'
import { decode, encode } from '../protocol/compile.ts'
import type { Encoded, Message } from '../protocol/schema.ts'
import { Reader, Writer } from '../protocol/wire.ts'

const PARTITIONS = 50
const ROUNDS = 20
const ROUND_MS = 50

function partitions<T>(make: (index: number) => T): T[] {
  return Array.from({ length: PARTITIONS }, (_, index) => make(index))
}

/** The fastest of some rounds, in µs a call: what a busy machine disturbs least. */
function microseconds(call: () => void): number {
  let best = Infinity
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now()
    let calls = 0
    while (performance.now() - start < ROUND_MS) {
      for (let i = 0; i < 100; i++) call()
      calls += 100
    }
    best = Math.min(best, ((performance.now() - start) * 1000) / calls)
  }
  return best
}

function measure<M extends Message<any>>(message: M, version: number, value: Encoded<M>): void {
  const writer = new Writer()
  encode(message, version, writer, value)
  const bytes = Buffer.concat(writer.chunks())
  const decodeUs = microseconds(() => decode(message, version, new Reader(bytes)))
  const encodeUs = microseconds(() => {
    const into = new Writer()
    encode(message, version, into, value)
    into.chunks()
  })
  const name = `${message.name} v${version}`.padEnd(22)
  const [decodeText, encodeText] = [decodeUs, encodeUs].map((us) => us.toFixed(1).padStart(6))
  console.log(`${name} ${bytes.length} bytes  decode ${decodeText} µs  encode ${encodeText} µs`)
}

const fetchRequest = {
  maxWaitMs: 500,
  minBytes: 1,
  topics: [
    {
      topic: 'orders',
      partitions: partitions((partition) => ({
        partition,
        fetchOffset: 123_456_789,
        partitionMaxBytes: 1 << 20,
      })),
    },
  ],
}
const fetchResponse = {
  responses: [
    {
      topic: 'orders',
      partitions: partitions((partitionIndex) => ({
        partitionIndex,
        errorCode: 0,
        highWatermark: 123_456_789,
        lastStableOffset: 123_456_789,
        logStartOffset: 0,
        abortedTransactions: null,
        records: Buffer.alloc(100),
      })),
    },
  ],
}
const produceRequest = {
  acks: -1,
  timeoutMs: 30_000,
  topics: [
    { name: 'orders', partitions: partitions((index) => ({ index, records: Buffer.alloc(100) })) },
  ],
}
const metadataResponse = {
  brokers: [{ nodeId: 1, host: 'localhost', port: 9092 }],
  clusterId: 'AAAAAAAAAAAAAAAAAAAAAA',
  controllerId: 1,
  topics: [
    {
      errorCode: 0,
      name: 'orders',
      partitions: partitions((partitionIndex) => ({
        errorCode: 0,
        partitionIndex,
        leaderId: 1,
        leaderEpoch: 0,
        replicaNodes: [1],
        isrNodes: [1],
      })),
    },
  ],
}

measure(fetch.request, 11, fetchRequest)
measure(fetch.request, 12, fetchRequest)
measure(fetch.response, 11, fetchResponse)
measure(fetch.response, 12, fetchResponse)
measure(produce.request, 7, produceRequest)
measure(produce.request, 9, produceRequest)
measure(metadata.response, 7, metadataResponse)
measure(metadata.response, 12, metadataResponse)
