// The cost of decoding and encoding: requests and responses of 50 partitions, in µs each.

import { produce } from '../protocol/api/00_produce.ts'
import { fetch } from '../protocol/api/01_fetch.ts'
import { metadata } from '../protocol/api/03_metadata.ts'
import { decode, encode } from '../protocol/compile.ts'
import type { Encoded, Message } from '../protocol/schema.ts'
import { Reader, Writer } from '../protocol/wire.ts'
import { nanosecondsOf, type Bench, type Row } from './report.ts'

const PARTITIONS = 50

function partitions<T>(make: (index: number) => T): T[] {
  return Array.from({ length: PARTITIONS }, (_, index) => make(index))
}

function measure<M extends Message<any>>(message: M, version: number, value: Encoded<M>): Row {
  const writer = new Writer()
  encode(message, version, writer, value)
  const bytes = Buffer.concat(writer.chunks())
  const decodeNs = nanosecondsOf(() => decode(message, version, new Reader(bytes)))
  const encodeNs = nanosecondsOf(() => {
    const into = new Writer()
    encode(message, version, into, value)
    into.chunks()
  })
  return {
    title: `${message.name} v${version}, ${bytes.length} bytes`,
    figures: [
      { name: 'decode', value: decodeNs / 1000, unit: 'µs' },
      { name: 'encode', value: encodeNs / 1000, unit: 'µs' },
    ],
  }
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

export const codec: Bench = {
  name: 'codec',
  title: `requests and responses of ${PARTITIONS} partitions, in process`,

  *run() {
    yield measure(fetch.request, 11, fetchRequest)
    yield measure(fetch.request, 12, fetchRequest)
    yield measure(fetch.response, 11, fetchResponse)
    yield measure(fetch.response, 12, fetchResponse)
    yield measure(produce.request, 7, produceRequest)
    yield measure(produce.request, 9, produceRequest)
    yield measure(metadata.response, 7, metadataResponse)
    yield measure(metadata.response, 12, metadataResponse)
  },
}
